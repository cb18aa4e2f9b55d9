"""The files of ``etc/``, adapted to a test as an administrator adapts them to a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ETC = Path(__file__).parents[3] / "etc"
"""The directory of these files."""


def substitute(text: str, replacements: Mapping[str, str]) -> str:
    """Replace each key, which must be there, by its value."""
    for old, new in replacements.items():
        assert old in text, f"{old!r} is not in the file any more"
        text = text.replace(old, new)
    return text
