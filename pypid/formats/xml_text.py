"""Text for XML documents."""

from __future__ import annotations

import re

__all__ = ["xml_text"]

# XML cannot express a character outside these ranges, not even as a character reference.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Return a text with U+FFFD for each character that XML cannot express (XML 1.0 section 2.2).

    Metadata may contain any character, and one such character would make the whole document
    unreadable. This function does not escape the text.
    """
    return _NOT_XML.sub("\ufffd", text)
