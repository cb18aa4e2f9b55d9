"""The queries and changes of the tables: each function is one transaction, and blocks."""

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
    "changed_since",
    "changes",
    "count",
    "last_serial",
    "latest",
    "load",
    "number",
    "numbered",
    "save",
    "serials",
]

NEWEST_CLOCK = 2_000_000_000
"""The greatest serial that follows the clock; this leaves room for growth."""

_RECORD = "status, reason, owners, maintainers"
_PLACES = ", ".join("?" * (1 + len(COLUMNS.split(","))))


@frozen
class ProjectUpdate:
    """A change of a project to be saved."""

    project: str
    """The normalized name of the project."""
    before: Snapshot
    """The state at the time of the lookup."""
    after: Content | None
    """The new state; ``None`` if the project is gone."""
    events: Sequence[JournalEvent]
    """The events that led to it."""


def serials(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Return the serial of the last change of each project, by name."""
    return dict(connection.execute("SELECT name, serial FROM projects"))


def last_serial(connection: sqlite3.Connection) -> int:
    """Return the serial of the last change of all, or 0."""
    [[serial]] = connection.execute("SELECT coalesce(max(serial), 0) FROM journal")
    return int(serial)


def changed_since(connection: sqlite3.Connection, since: int) -> tuple[int, Sequence[tuple[str, int, bool]]]:
    """Return the serial of the last change of all, and the projects changed after a serial.

    For each project: its name, the serial of its last change, and whether it still exists.
    """
    with _transaction(connection, "BEGIN"):
        rows = connection.execute(
            "SELECT project, max(journal.serial), name IS NOT NULL FROM journal"
            " LEFT JOIN projects ON name = project WHERE journal.serial > ? GROUP BY project",
            (since,),
        ).fetchall()
        return last_serial(connection), [(name, serial, bool(exists)) for name, serial, exists in rows]


def count(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the numbers of projects and of files."""
    query = "SELECT (SELECT count(*) FROM projects), (SELECT count(*) FROM files)"
    [[projects, files]] = connection.execute(query)
    return int(projects), int(files)


def numbered(connection: sqlite3.Connection) -> bool:
    """Return whether the journal has begun."""
    [[numbered]] = connection.execute("SELECT numbered FROM states")
    return bool(numbered)


def load(connection: sqlite3.Connection, projects: Sequence[str]) -> Sequence[Snapshot]:
    """Return the snapshots of projects, in the same order."""
    with _transaction(connection, "BEGIN"):
        begun = numbered(connection)
        return [_load(connection, project, begun) for project in projects]


def save(
    connection: sqlite3.Connection, updates: Sequence[ProjectUpdate], now: int
) -> Mapping[str, int | None]:
    """Save new states and events of projects, except those that another process changed meanwhile.

    :param now: the time in microseconds since the epoch.
    :returns: the serial of the last change of each, or 0 while the journal has not begun; ``None`` if
        nothing was saved, because the project has changed since the lookup.
    """
    with _transaction(connection, "BEGIN IMMEDIATE"):
        return {update.project: _save(connection, update, now) for update in updates}


def number(connection: sqlite3.Connection, above: int, now: int) -> None:
    """Begin the journal with all events so far, in the order of time. Does nothing if it has begun.

    :param above: all serials will be above this one.
    :param now: the time in microseconds since the epoch.
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
    """Return the journal's rows with serials above ``since``, oldest first, ``limit`` at most."""
    since = min(max(since, 0), MAX_SERIAL)
    return _changes(connection, "WHERE serial > ? ORDER BY serial", since, limit)


def latest(connection: sqlite3.Connection, limit: int, first_only: bool) -> Sequence[Change]:
    """Return the newest rows for new releases, newest first; or only each project's first release."""
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
    """Append events to the journal; return the serial of the last one, or 0 if there are none."""
    serial = 0
    for serial, event in enumerate(events, _next_serial(connection, now)):
        connection.execute(
            "INSERT INTO journal (serial, time, project, version, action) VALUES (?, ?, ?, ?, ?)",
            (serial, now, project, event.version, event.action),
        )
    return serial


def _next_serial(connection: sqlite3.Connection, now: int) -> int:
    """Return the next serial: above all others, and at least the number of seconds since 2026 began.

    So serials grow even if the file is deleted or its end is lost.
    """
    seconds = now // 1_000_000 - 1_767_225_600
    return max(last_serial(connection) + 1, min(seconds, NEWEST_CLOCK))


def _await_number(connection: sqlite3.Connection, project: str, events: Sequence[JournalEvent]) -> None:
    """Keep the events of a project for :func:`number`, in place of earlier ones."""
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
        if connection.in_transaction:  # some errors end the transaction
            connection.execute("ROLLBACK")
        raise
