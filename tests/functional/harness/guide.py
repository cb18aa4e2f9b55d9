"""The blocks of ``docs/clients.md``, so that tests run exactly the text of the guide."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[3] / "docs" / "clients.md"
EXAMPLE = "https://packages.example.org/"
"""The index of the guide..."""
USER = ("ci", "SECRET")
"""...and its user."""

_BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(client: str, url: str) -> dict[str, str]:
    """Return the blocks of a client's section, by the file name or purpose after their language.

    :param url: replaces the example URL of the guide.
    """
    (section,) = re.findall(rf"^## {client}\n(.*?)(?=^## |\Z)", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return {name: text.replace(EXAMPLE, url) for name, text in _BLOCK.findall(section)}


def write_files(found: dict[str, str], home: Path, project: Path) -> None:
    """Write the blocks that are files: whole files into the home directory, additions into the project."""
    for name, text in found.items():
        if name.startswith("~/"):
            path = home / name.removeprefix("~/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif "." in name:
            path = project / name
            before = path.read_text() if path.exists() else ""
            if text not in before:
                path.write_text(f"{before}\n{text}")
