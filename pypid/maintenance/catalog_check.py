"""The check of the catalog: its file, its journal, and its pages against the tree."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from attrs import define, evolve, field

from pypid.catalog import tables
from pypid.catalog.rows import Content
from pypid.errors import PypidError
from pypid.interfaces import ICatalog
from pypid.model import Project

__all__ = ["CatalogFile", "differing", "file_fault"]

ROUNDS = 3
"""How often two views of a project are compared before they differ for good: it may change meanwhile."""

_ADDED = re.compile(r"add \S+ file (\S+)")
_REMOVED = re.compile(r"remove file (\S+)")


def _read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that never makes or changes the file, except for SQLite's own bookkeeping."""
    uri = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)


def file_fault(path: Path) -> str | None:
    """Return what is wrong with the catalog's file, or ``None``. A missing file is made anew. Blocks."""
    if not path.exists():
        return None
    try:
        with closing(_read_only(path)) as connection:
            [said, *_] = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        return str(error) if "lock" not in str(error) else None
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if said == "ok" else str(said)


@define(eq=False)
class CatalogFile:
    """Reads an intact catalog's file beside its users. All methods block."""

    path: Path
    """The path of the file; it may be missing."""
    _connection: sqlite3.Connection | None = field(default=None, init=False)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()

    def content(self, project: str) -> Content | None:
        """Return a project as the catalog has it; ``None`` if it has none, or cannot be read."""
        try:
            if self._connection is None:
                self._connection = _read_only(self.path)
            [snapshot] = tables.load(self._connection, [project])
        except sqlite3.Error:
            return None
        return snapshot.content

    def journal_faults(self) -> Iterator[str]:
        """Yield a line for each project whose journal does not lead to what the catalog has."""
        with closing(_read_only(self.path)) as connection:
            connection.execute("BEGIN")  # one state of all tables
            if not tables.numbered(connection):
                return
            for project, serial in tables.serials(connection).items():
                [[last]] = connection.execute(
                    "SELECT coalesce(max(serial), 0) FROM journal WHERE project = ?", (project,)
                )
                if serial != last:
                    yield f"{project} has the serial {serial}, and the last one in its journal is {last}"
                    continue
                files = connection.execute(
                    "SELECT filename FROM files WHERE project = ? AND seen NOT LIKE '% withheld'", (project,)
                )
                replayed, offered = _replay(connection, project), {name for (name,) in files}
                for name in sorted(replayed ^ offered):
                    has, lacks = ("journal", "files") if name in replayed else ("files", "journal")
                    yield f"{name} is in its {has} of {project}, and not in its {lacks}"


def _replay(connection: sqlite3.Connection, project: str) -> set[str]:
    """Return the files of a project by its journal alone."""
    files: set[str] = set()
    query = "SELECT action FROM journal WHERE project = ? ORDER BY serial"
    for (action,) in connection.execute(query, (project,)):
        if added := _ADDED.fullmatch(action):
            files.add(added[1])
        elif removed := _REMOVED.fullmatch(action):
            files.discard(removed[1])
        elif action == "remove project":
            files.clear()
    return files


async def differing(kept: ICatalog, fresh: ICatalog, projects: Sequence[str]) -> Sequence[str]:
    """Return a line for each project that a catalog shows otherwise than the tree has it.

    :param kept: the catalog.
    :param fresh: an empty catalog of the same storage, which reads everything anew.
    """
    lines = []
    for name in projects:
        for _ in range(ROUNDS):
            try:
                one, other = await kept.project(name), await fresh.project(name)
            except PypidError:
                break  # the check of the tree names what cannot be read
            difference = _difference(one, other)
            if difference is None:
                break
            fresh.forget(name)
        else:
            lines.append(f"{name}: {difference}")
    return lines


def _difference(kept: Project | None, fresh: Project | None) -> str | None:
    """Return how the catalog's view differs from that of the tree; ``None`` if it does not."""
    if kept is None or fresh is None:
        return None if kept is fresh else "the catalog and the tree do not agree on whether it is here"
    if kept == evolve(fresh, serial=kept.serial):
        return None
    files, others = ({file.filename: file for file in one.files} for one in (kept, fresh))
    names = sorted(name for name in files.keys() | others.keys() if files.get(name) != others.get(name))
    return f"the catalog is wrong about {', '.join(names) or 'its status or its people'}"
