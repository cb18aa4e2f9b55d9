"""Text for logs and terminals, in which nothing can pass for something else."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["harmless"]

_SUSPECT = re.compile(r"[^\x20-\x7e\xa1-\xac\xae-\u02ff\u0370-\u058f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]")
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that control something, such as the direction of text or the end of a line."""


def harmless(text: str, kept: str = "") -> str:
    """Return a text with escapes in place of control, format and bidirectional characters and surrogates.

    :param kept: characters that stay all the same, such as a tab.
    """
    return _SUSPECT.sub(lambda match: match[0] if match[0] in kept else _escape(match[0]), text)


def _escape(character: str) -> str:
    if unicodedata.category(character) not in _REFUSED:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
