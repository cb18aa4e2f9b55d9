"""The schema of the tables, and the opening of their file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

__all__ = ["MAX_SERIAL", "connect", "delete", "in_memory"]

VERSION = 4
"""The version of the schema, to be raised with every change: a file of another version is rebuilt."""

MAX_SERIAL = 2**31 - 1
"""The largest integer of XML-RPC; the schema below repeats it."""

BUSY = 1.0
"""The time to wait for another process that writes, in seconds."""

# A project's "written" is a number unique to each write: it shows whether another process wrote
# meanwhile. A file's "seen" is its fingerprint at the last scan, and its "sha256" is null until it
# is read. While "numbered" is 0, events wait without serials until all of them are known and can be
# put in the order of time. Owners and maintainers are JSON lists.
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
    """Return a connection to new tables in memory, which end with it."""
    connection = _connect(":memory:")
    _fill(connection)
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a file with the tables; made if missing, rebuilt if of another version.

    :raises sqlite3.Error: the file cannot be opened, or is damaged.
    :raises OSError: the file or its directory cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        if not path.exists():
            _remove(path)  # the journals of a deleted file
        connection = _connect(str(path))
        try:
            if _is_other(connection):
                connection.close()
                _remove(path)
                connection = _connect(str(path))
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may lose the end of the journal. It is derived, and serials follow the clock.
            connection.execute("PRAGMA synchronous = NORMAL")
            if not _tables(connection):
                _fill(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def delete(path: Path) -> None:
    """Delete the file and SQLite's journals beside it. :raises OSError: it cannot be deleted."""
    with _alone(path.parent):
        _remove(path)


def _connect(name: str) -> sqlite3.Connection:
    # One thread at a time uses it, but not always the same one.
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
    """Keep other processes from making or deleting the file during the block; SQLite does not lock that."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)
