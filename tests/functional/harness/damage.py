"""Twenty-odd kinds of damage to the tree and the catalog of an index, each done as a script would."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from attrs import frozen

from pypid.testing.builds import sdist, wheel


@frozen
class Damage:
    """A kind of damage, which is done to a project of its own."""

    name: str
    """The name of the project, which says what is done to it."""
    do: Callable[[Path, str], None]
    """Does it, given the project's directory and the name of its wheel."""
    said: str
    """A part of the line with which the check names it, with ``{file}`` for the wheel."""
    is_repaired: bool = True
    """Whether the repair leaves nothing wrong."""


def _same_size_and_time(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change bytes as a failing disk does: neither size nor time differ."""
    status, data = path.stat(), bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _flip(project: Path, file: str) -> None:
    def change(data: bytearray) -> None:
        data[len(data) // 2] ^= 1

    _same_size_and_time(project / file, change)


def _zeros(project: Path, file: str) -> None:
    def change(data: bytearray) -> None:
        data[:] = bytes(len(data))

    _same_size_and_time(project / file, change)


def _truncated(project: Path, file: str) -> None:
    (project / file).write_bytes((project / file).read_bytes()[:-100])


def _gone(project: Path, file: str) -> None:
    (project / file).unlink()


def _directory(project: Path, file: str) -> None:
    (project / file).unlink()
    (project / file).mkdir()


def _link(project: Path, file: str) -> None:
    (project / file).unlink()
    (project / file).symlink_to("/etc/hostname")


def _pipe(project: Path, file: str) -> None:
    (project / file).unlink()
    os.mkfifo(project / file)


def _mode(project: Path, file: str) -> None:
    (project / file).chmod(0)


def _record_garbage(project: Path, file: str) -> None:
    (project / f".{file}.json").write_bytes(b"\0" * 300)


def _record_empty(project: Path, file: str) -> None:
    (project / f".{file}.json").write_bytes(b"")


def _record_of_another(project: Path, file: str) -> None:
    other = project.parent / "bystander"
    shutil.copy(next(other.glob(".*.whl.json")), project / f".{file}.json")


def _record_and_archive(project: Path, file: str) -> None:
    _record_garbage(project, file)
    _flip(project, file)


def _project_record(project: Path, file: str) -> None:
    (project / ".pypid.json").write_bytes(b'{"status": ')


def _metadata(project: Path, file: str) -> None:
    path = project / f"{file}.metadata"
    path.write_bytes(path.read_bytes().replace(b"Version: 1.0", b"Version: 6.6"))


def _metadata_gone(project: Path, file: str) -> None:
    (project / f"{file}.metadata").unlink()


def _provenance(project: Path, file: str) -> None:
    (project / f"{file}.provenance").write_bytes(b"<html>")


def _signature(project: Path, file: str) -> None:
    (project / f"{file}.asc").write_bytes(b"signed by me")


def _orphan(project: Path, file: str) -> None:
    (project / f"{sdist(project.name, '9.0')[0]}.asc").write_bytes(b"signed")


def _replacement(project: Path, file: str) -> None:
    (project / f".{file}.json.coming").write_bytes((project / f".{file}.json").read_bytes())
    (project / f".{file}.metadata.coming").write_bytes((project / f"{file}.metadata").read_bytes())


def _removal(project: Path, file: str) -> None:
    path = project / f".{file}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"removed": "2026-01-01T00:00:00+00:00"}))


def _removed_sidecar(project: Path, file: str) -> None:
    _removal(project, file)
    (project / file).unlink()


def _broken_by_hand(project: Path, file: str) -> None:
    (project / wheel(project.name, "2.0")[0]).write_bytes(b"PK\3\4 and no more")


def _twice(project: Path, file: str) -> None:
    other = project.with_name(project.name.replace("-", "_"))
    other.mkdir()
    (other / file).write_bytes(wheel(project.name, "1.0", payload=b"another")[1])


def _misplaced(project: Path, file: str) -> None:
    (project / "wheels").mkdir()
    (project / "wheels" / sdist(project.name, "3.0")[0]).write_bytes(sdist(project.name, "3.0")[1])


NOT_PUBLISHED = "{file}: its bytes have the SHA-256 digest"
DAMAGES = [
    Damage("one-bit", _flip, NOT_PUBLISHED, is_repaired=False),
    Damage("all-zeros", _zeros, NOT_PUBLISHED, is_repaired=False),
    Damage("truncated", _truncated, "{file} is withheld", is_repaired=False),
    Damage("archive-gone", _gone, "{file}: it was published, and is missing", is_repaired=False),
    Damage("directory", _directory, "{file}: it is a directory", is_repaired=False),
    Damage("symbolic-link", _link, "{file}: it is a symbolic link", is_repaired=False),
    Damage("pipe", _pipe, "{file}: it is a special file", is_repaired=False),
    Damage("mode", _mode, "{file}: its owner may not read it"),
    Damage("record-garbage", _record_garbage, ".{file}.json: it is no record"),
    Damage("record-empty", _record_empty, ".{file}.json: it is no record"),
    # The catalog has read that record, so it does not know the right one any more.
    Damage("record-of-another", _record_of_another, "it is the record of bystander", is_repaired=False),
    Damage("record-and-archive", _record_and_archive, ".{file}.json: it is no record", is_repaired=False),
    Damage("project-record", _project_record, ".pypid.json: it is no record"),
    Damage("metadata", _metadata, "{file}.metadata: it is not what the archive has"),
    Damage("metadata-gone", _metadata_gone, "{file}.metadata: it is missing"),
    Damage("provenance", _provenance, "{file}.provenance: it is no provenance", is_repaired=False),
    Damage("signature", _signature, "{file}.asc: it is no armored signature", is_repaired=False),
    Damage("orphan", _orphan, "orphan-9.0.tar.gz.asc: there is no orphan-9.0.tar.gz", is_repaired=False),
    Damage("replacement", _replacement, "{file}: it was being replaced by a process that died"),
    Damage("removal", _removal, "{file}: its removal was interrupted"),
    Damage("removed-sidecar", _removed_sidecar, "{file}.metadata: {file} was removed, and this was left"),
    Damage("broken-by-hand", _broken_by_hand, "it cannot be read as an archive", is_repaired=False),
    Damage("twice-there", _twice, "{file}: it lies in simple/twice_there/, too", is_repaired=False),
    Damage("misplaced", _misplaced, "deeper than simple/<project>/", is_repaired=False),
]


def _execute(root: Path, statement: str) -> None:
    with closing(sqlite3.connect(root / ".pypid" / "catalog.sqlite", timeout=30)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def catalog_row(root: Path) -> None:
    """Give a file another requirement in the catalog."""
    _execute(root, "UPDATE files SET requires_python = '>=2.7' WHERE project = 'bystander'")


def catalog_journal(root: Path) -> None:
    """Lose the journal's row about a file."""
    _execute(root, "DELETE FROM journal WHERE project = 'bystander' AND action LIKE 'add %file%'")


def catalog_serial(root: Path) -> None:
    """Give a project a serial that no change has."""
    _execute(root, "UPDATE projects SET serial = serial + 1 WHERE name = 'bystander'")


def catalog_garbage(root: Path) -> None:
    """Overwrite the middle of the catalog's file."""
    path = root / ".pypid" / "catalog.sqlite"
    _execute(root, "UPDATE states SET writings = writings")  # it is there, and in use
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


CATALOG_DAMAGES = {
    "row": (catalog_row, "the catalog is wrong about bystander-1.0-py3-none-any.whl"),
    "journal": (catalog_journal, "is in its files of bystander, and not in its journal"),
    "serial": (catalog_serial, "bystander has the serial"),
    "garbage": (catalog_garbage, ".pypid/catalog.sqlite: "),
}
"""Functions that damage the catalog of a root, and parts of the lines that name it."""
