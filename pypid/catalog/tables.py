"""What is asked of the tables, and done to them: each function is one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from attrs import frozen

from pypid.catalog.journal_events import JournalEvent
from pypid.catalog.rows import COLUMNS, Content, Row, Snapshot, from_moment, to_moment
from pypid.catalog.schema import MAX_SERIAL
from pypid.model import Change, ProjectRecord, Status

__all__ = [
    "ProjectUpdate",
    "changes",
    "count",
    "last_serial",
    "latest",
    "load",
    "changed_since",
    "number",
    "numbered",
    "save",
    "serials",
]

NEWEST_CLOCK = 2_000_000_000
"""Up to here serials follow the clock; that leaves them room to grow."""

_RECORD = "status, reason, owners, maintainers"
_PLACES = ", ".join("?" * (1 + len(COLUMNS.split(","))))


@frozen
class ProjectUpdate:
    """What is to be written of a project."""

    project: str
    """Its name."""
    before: Snapshot
    """What it was when it was looked up."""
    after: Content | None
    """What it has become; ``None`` if it is gone."""
    events: Sequence[JournalEvent]
    """How."""


def serials(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Give the serial of the last change of each project, by name."""
    return dict(connection.execute("SELECT name, serial FROM projects"))


def last_serial(connection: sqlite3.Connection) -> int:
    """Give the serial of the last change of all, or 0."""
    [[serial]] = connection.execute("SELECT coalesce(max(serial), 0) FROM journal")
    return int(serial)


def changed_since(connection: sqlite3.Connection, since: int) -> tuple[int, Sequence[tuple[str, int, bool]]]:
    """Return the serial of the last change of all, and what changed after one.

    Of each project that is its name, the serial of its last change, and whether it is still there.
    """
    with _transaction(connection, "BEGIN"):
        rows = connection.execute(
            "SELECT project, max(journal.serial), name IS NOT NULL FROM journal"
            " LEFT JOIN projects ON name = project WHERE journal.serial > ? GROUP BY project",
            (since,),
        ).fetchall()
        return last_serial(connection), [(name, serial, bool(exists)) for name, serial, exists in rows]


def count(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many projects and files there are."""
    query = "SELECT (SELECT count(*) FROM projects), (SELECT count(*) FROM files)"
    [[projects, files]] = connection.execute(query)
    return int(projects), int(files)


def numbered(connection: sqlite3.Connection) -> bool:
    """Tell whether the journal has begun."""
    [[numbered]] = connection.execute("SELECT numbered FROM states")
    return bool(numbered)


def load(connection: sqlite3.Connection, projects: Sequence[str]) -> Sequence[Snapshot]:
    """Look projects up."""
    with _transaction(connection, "BEGIN"):
        begun = numbered(connection)
        return [_load(connection, project, begun) for project in projects]


def save(
    connection: sqlite3.Connection, updates: Sequence[ProjectUpdate], now: int
) -> Mapping[str, int | None]:
    """Write down what projects have become, and how, but for those of which somebody else wrote meanwhile.

    :param now: the time in microseconds since the epoch.
    :returns: the serial of the last change of each, 0 as long as the journal has not begun; ``None``
        if nothing was written, because what it was when it was looked up does not hold any more.
    """
    with _transaction(connection, "BEGIN IMMEDIATE"):
        return {update.project: _save(connection, update, now) for update in updates}


def number(connection: sqlite3.Connection, above: int, now: int) -> None:
    """Begin the journal with all that happened so far, in the order of time; once it has begun, do nothing.

    :param above: all serials are to be above this one.
    """
    with _transaction(connection, "BEGIN IMMEDIATE"):
        first = max(_next_serial(connection, now), above + 1)
        connection.execute(
            "INSERT INTO journal (serial, time, project, version, action)"
            " SELECT ? + row_number() OVER (ORDER BY time, project, position), time, project, version, action"
            " FROM events",
            (first - 1,),
        )
        connection.execute(
            "UPDATE projects SET serial = last FROM"
            " (SELECT project, max(serial) AS last FROM journal GROUP BY project) WHERE project = name"
        )
        connection.execute("DELETE FROM events")
        connection.execute("UPDATE states SET numbered = 1")


def changes(connection: sqlite3.Connection, since: int, limit: int) -> Sequence[Change]:
    """Give the journal's rows with serials above ``since``, oldest first."""
    since = min(max(since, 0), MAX_SERIAL)
    return _changes(connection, "WHERE serial > ? ORDER BY serial", since, limit)


def latest(connection: sqlite3.Connection, limit: int, first_only: bool) -> Sequence[Change]:
    """Give the newest rows that are new releases, newest first; or only each project's first one."""
    if first_only:
        firsts = "SELECT min(serial) FROM journal WHERE action = ? GROUP BY project"
        return _changes(connection, f"WHERE serial IN ({firsts}) ORDER BY serial DESC", "new release", limit)
    return _changes(connection, "WHERE action = ? ORDER BY serial DESC", "new release", limit)


def _changes(connection: sqlite3.Connection, which: str, value: int | str, limit: int) -> Sequence[Change]:
    query = f"SELECT serial, time, project, version, action FROM journal {which} LIMIT ?"  # noqa: S608
    return [
        Change(serial, from_moment(time), project, version, action)
        for serial, time, project, version, action in connection.execute(query, (value, limit))
    ]


def _load(connection: sqlite3.Connection, project: str, begun: bool) -> Snapshot:
    found = connection.execute(
        f"SELECT serial, written, {_RECORD} FROM projects WHERE name = ?",  # noqa: S608
        (project,),
    ).fetchone()
    if found is None:
        return Snapshot(None, 0, None, begun)
    serial, written, *columns = found
    rows = map(
        Row.from_columns,
        connection.execute(f"SELECT {COLUMNS} FROM files WHERE project = ?", (project,)),  # noqa: S608
    )
    content = Content(_record(*columns), {row.filename: row for row in rows})
    return Snapshot(content, serial, written, begun)


def _save(connection: sqlite3.Connection, update: ProjectUpdate, now: int) -> int | None:
    project, before, after = update.project, update.before, update.after
    found = connection.execute("SELECT written FROM projects WHERE name = ?", (project,)).fetchone()
    if (found and found[0], numbered(connection)) != (before.written, before.numbered):
        return None
    [[written]] = connection.execute("UPDATE states SET writings = writings + 1 RETURNING writings")
    _save_files(connection, project, before.content or Content(), after or Content())
    if before.numbered:
        serial = _append(connection, project, update.events, now) or before.serial
    else:
        serial = 0
        _await_number(connection, project, update.events)
    if after is None:
        connection.execute("DELETE FROM projects WHERE name = ?", (project,))
    else:
        record = after.record
        connection.execute(
            f"INSERT OR REPLACE INTO projects (name, serial, written, {_RECORD})"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(project, serial, written, record.status.value, record.reason),
                *(json.dumps(people) for people in (record.owners or (), record.maintainers)),
            ),
        )
    return serial


def _record(status: str, reason: str | None, owners: str, maintainers: str) -> ProjectRecord:
    return ProjectRecord(Status(status), reason, tuple(json.loads(owners)), tuple(json.loads(maintainers)))


def _save_files(connection: sqlite3.Connection, project: str, before: Content, after: Content) -> None:
    gone = before.rows.keys() - after.rows.keys()
    connection.executemany(
        "DELETE FROM files WHERE project = ? AND filename = ?", [(project, filename) for filename in gone]
    )
    connection.executemany(
        f"INSERT OR REPLACE INTO files (project, {COLUMNS}) VALUES ({_PLACES})",  # noqa: S608
        [
            (project, *row.to_columns())
            for filename, row in after.rows.items()
            if before.rows.get(filename) != row
        ],
    )


def _append(connection: sqlite3.Connection, project: str, events: Sequence[JournalEvent], now: int) -> int:
    """Put events into the journal; give the serial of the last one, or 0 if there is none."""
    serial = 0
    for serial, event in enumerate(events, _next_serial(connection, now)):
        connection.execute(
            "INSERT INTO journal (serial, time, project, version, action) VALUES (?, ?, ?, ?, ?)",
            (serial, now, project, event.version, event.action),
        )
    return serial


def _next_serial(connection: sqlite3.Connection, now: int) -> int:
    """Give the next serial: it is above all others, and not below the seconds since 2026 began.

    So serials also grow when the file is deleted, or when its end is lost.
    """
    seconds = now // 1_000_000 - 1_767_225_600
    return max(last_serial(connection) + 1, min(seconds, NEWEST_CLOCK))


def _await_number(connection: sqlite3.Connection, project: str, events: Sequence[JournalEvent]) -> None:
    """Put aside what happened to a project for :func:`number`, in place of what was put aside before."""
    connection.execute("DELETE FROM events WHERE project = ?", (project,))
    connection.executemany(
        "INSERT INTO events (project, position, time, version, action) VALUES (?, ?, ?, ?, ?)",
        [
            (project, position, to_moment(event.time), event.version, event.action)
            for position, event in enumerate(events)
        ],
    )


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors end it by themselves
            connection.execute("ROLLBACK")
        raise
