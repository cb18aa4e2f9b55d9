"""The tables, and the opening of the file that they are in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

__all__ = ["MAX_SERIAL", "connect", "delete", "in_memory"]

VERSION = 4
"""To be raised with every change below: a file of another version is made anew, never migrated."""

MAX_SERIAL = 2**31 - 1
"""The largest integer that XML-RPC can carry; it is in the schema below, too."""

BUSY = 1.0
"""How long to wait for another process that writes, in seconds."""

# A project's "written" is a number that no other writing ever gets: it tells whether somebody
# else wrote meanwhile. A file's "seen" is what its listing said when it was last looked at, and
# its "sha256" is null while it was not read yet. As long as "numbered" is 0, events wait without
# a serial until all of them are known, and can be put in the order of time. People are JSON lists.
SCHEMA = """
    CREATE TABLE states (numbered INTEGER NOT NULL, writings INTEGER NOT NULL);
    INSERT INTO states VALUES (0, 0);

    CREATE TABLE projects (
        name TEXT PRIMARY KEY,
        serial INTEGER NOT NULL,
        written INTEGER NOT NULL,
        status TEXT NOT NULL,
        reason TEXT,
        owners TEXT NOT NULL,
        maintainers TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE files (
        project TEXT NOT NULL,
        filename TEXT NOT NULL,
        version TEXT NOT NULL,
        kind TEXT NOT NULL,
        seen TEXT NOT NULL,
        upload_time INTEGER NOT NULL,
        yanked TEXT,
        sha256 TEXT,
        requires_python TEXT,
        core_metadata TEXT,
        display_name TEXT,
        provenance TEXT,
        signed INTEGER NOT NULL,
        PRIMARY KEY (project, filename)
    ) WITHOUT ROWID;

    CREATE TABLE events (
        project TEXT NOT NULL,
        position INTEGER NOT NULL,
        time INTEGER NOT NULL,
        version TEXT,
        action TEXT NOT NULL,
        PRIMARY KEY (project, position)
    ) WITHOUT ROWID;

    CREATE TABLE journal (
        serial INTEGER PRIMARY KEY CHECK (serial BETWEEN 1 AND 2147483647),
        time INTEGER NOT NULL,
        project TEXT NOT NULL,
        version TEXT,
        action TEXT NOT NULL
    );
    CREATE INDEX releases ON journal (project, serial) WHERE action = 'new release';
"""


def in_memory() -> sqlite3.Connection:
    """Make tables that end with their connection."""
    connection = _connect(":memory:")
    _fill(connection)
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Open a file with the tables; it is made if it is missing, and made anew if it is of another version.

    :raises sqlite3.Error: it cannot be, or it is damaged.
    :raises OSError: it cannot be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        if not path.exists():
            _remove(path)  # what the one that was deleted has left beside it
        connection = _connect(str(path))
        try:
            if _is_other(connection):
                connection.close()
                _remove(path)
                connection = _connect(str(path))
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may take the end of the journal. It is derived, and serials keep up with the clock.
            connection.execute("PRAGMA synchronous = NORMAL")
            if not _tables(connection):
                _fill(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def delete(path: Path) -> None:
    """Delete the file, with what SQLite keeps beside it. :raises OSError: it cannot be."""
    with _alone(path.parent):
        _remove(path)


def _connect(name: str) -> sqlite3.Connection:
    # It is used by one thread at a time, and that is nearly always the same.
    return sqlite3.connect(name, timeout=BUSY, isolation_level=None, check_same_thread=False)


def _fill(connection: sqlite3.Connection) -> None:
    connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")


def _is_other(connection: sqlite3.Connection) -> bool:
    [[version]] = connection.execute("PRAGMA user_version")
    return version != VERSION and (version != 0 or _tables(connection) > 0)


def _tables(connection: sqlite3.Connection) -> int:
    [[tables]] = connection.execute("SELECT count(*) FROM sqlite_master")
    return int(tables)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other processes from making or deleting the file meanwhile; SQLite cannot see to that."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)
