"""The commands and files in the documents, read out of the documents themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])

_FENCED = re.compile(r"^```(?P<kind>\w*) ?(?P<name>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}\S.*\n(?:^ {4,}.*\n)*)+", re.MULTILINE)


def blocks(document: str) -> dict[str, str]:
    """Return the fenced blocks of a document in ``docs/`` that have names, by name."""
    text = (ROOT / "docs" / document).read_text()
    return {match["name"]: match["text"] for match in _FENCED.finditer(text) if match["name"]}


def commands(path: Path) -> Iterator[str]:
    """Yield the lines of a document that are shell commands, or options to append to one."""
    text = path.read_text()
    shell = [match["text"] for match in _FENCED.finditer(text) if match["kind"] == "sh"]
    shell += _INDENTED.findall(_FENCED.sub("", text))
    for block in shell:
        for line in block.replace("\\\n", " ").splitlines():
            yield line.strip()


def adapted(text: str, replacements: Mapping[str, str]) -> str:
    """Replace the example addresses and paths of a document by those of a test."""
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text
