"""The manifest of a backup: every file in it, with its size, its time and its digest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import frozen

from pypid.errors import InvalidArchive

__all__ = ["CATALOG", "MANIFEST", "Entry", "Manifest", "is_safe"]

MANIFEST = "MANIFEST.json"
"""The name of the manifest, which is the last member of a backup."""
CATALOG = ".pypid/catalog.sqlite"
"""The path of the copy of the catalog, as below the root."""
VERSION = 1
"""The version of the format."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ROOT_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


@frozen
class Entry:
    """A file of a backup."""

    path: str
    """Its path below the root, with slashes."""
    size: int
    """Its length in bytes."""
    sha256: str
    """The SHA-256 digest of its bytes, in lower-case hexadecimal."""
    modified_ns: int
    """The time of its last change, in nanoseconds since the epoch."""
    mode: int
    """Its permissions."""


@frozen
class Manifest:
    """The facts about a backup."""

    pypid: str
    """The version of pypid that made it."""
    created: datetime
    """The time when it was made, in UTC."""
    serial: int
    """The serial of the last change in it."""
    entries: tuple[Entry, ...]
    """Its files, in their order in the backup."""

    def to_json(self) -> bytes:
        """Return the manifest as JSON."""
        files = [
            [entry.path, entry.size, entry.sha256, entry.modified_ns, entry.mode] for entry in self.entries
        ]
        document = {
            "version": VERSION,
            "pypid": self.pypid,
            "created": self.created.isoformat(),
            "serial": self.serial,
            "columns": ["path", "size", "sha256", "modified_ns", "mode"],
            "files": files,
        }
        return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Return the manifest from JSON. :raises InvalidArchive: it is none, or one of a later version."""
        try:
            document = json.loads(data)
            if document["version"] != VERSION:
                raise InvalidArchive(
                    f"the backup has version {document['version']!r}, and this pypid knows {VERSION}"
                )
            created = datetime.fromisoformat(document["created"])
            entries = tuple(_entries(document["files"]))
            return cls(str(document["pypid"]), created, _number(document["serial"]), entries)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidArchive(f"the manifest of the backup is damaged: {error}") from None


def is_safe(path: str) -> bool:
    """Return whether a path may be restored: it is below ``simple/``, the catalog, or a file in the root."""
    first, *rest = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in (first, *rest)):
        return False
    if first == "simple":
        return len(rest) == 2 and not rest[0].startswith(".")
    return path == CATALOG or (not rest and path != MANIFEST and _ROOT_FILE.fullmatch(path) is not None)


def _entries(files: Iterable[Any]) -> Iterable[Entry]:
    for path, size, digest, modified_ns, mode in files:
        if not isinstance(path, str) or not is_safe(path) or _SHA256.fullmatch(digest) is None:
            raise ValueError(f"{path!r} cannot be in a backup")
        yield Entry(path, _number(size), digest, _number(modified_ns), _number(mode) & 0o777)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no number")
    return value
