"""Text for XML documents."""

from __future__ import annotations

import re

__all__ = ["xml_text"]

# What is outside of these ranges cannot be written at all, not even as a character reference.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Give a text with a replacement for each character that XML has no room for (XML 1.0 section 2.2).

    Authors write what they like into their metadata, and one such character would make the
    whole document unreadable. It is not escaped here.
    """
    return _NOT_XML.sub("\ufffd", text)
