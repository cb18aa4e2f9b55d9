"""Bringing the catalog up to what a storage lists of a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from pypid.catalog import tables
from pypid.catalog.database import Database, Unavailable
from pypid.catalog.differences import differences
from pypid.catalog.rows import Content, Description, Row, Snapshot
from pypid.model import File, Project, StoredFile, StoredProject, version_key

__all__ = ["Settled", "Settler", "UNKNOWN"]

UNKNOWN = Snapshot(None, 0, None, True)
"""What is known of any project while the tables cannot be used."""


@frozen
class Settled:
    """What came of an attempt."""

    project: Project | None
    """The project, if there is one."""
    serial: int
    """The serial of its last change."""
    unread: Sequence[StoredFile] = ()
    """Files that have to be read first: nothing was done then."""
    final: bool = True
    """Whether all is in the catalog, and listed."""


@frozen
class Settler:
    """Does it, blocking, in the one thread that may use the database."""

    database: Database
    """Where the tables are."""
    now: Callable[[], int]
    """The time in microseconds since the epoch."""

    def look_up(self, name: str) -> Snapshot:
        """Give what the catalog has of a project; :data:`UNKNOWN` if it cannot be asked."""
        try:
            return self.database.run(tables.load, name)
        except Unavailable:
            return UNKNOWN

    def note(self, name: str, before: Snapshot, stored: StoredProject | None) -> bool:
        """Write down what is listed of a project before any of it is read.

        :returns: whether ``before`` still held.
        :raises Unavailable: the tables cannot be used.
        """
        content = None if stored is None else self._content(name, before, stored, {})
        return content == before.content or self._save(name, before, content, stored) is not None

    def settle(
        self,
        name: str,
        before: Snapshot,
        stored: StoredProject | None,
        found: Mapping[StoredFile, Description | None],
        last: Project | None,
        least: int,
    ) -> Settled | None:
        """Write down what a project has become, and put it together.

        :param before: the project as :meth:`look_up` gave it, before it was listed.
        :param found: what was read of its files since then; ``None`` stands for a file that
            could not be read, and that is left out.
        :param last: the project as it was put together the last time; given back if it is the same.
        :param least: the serial that it was shown with before; none below it is given.
        :returns: ``None`` if ``before`` does not hold any more, and all is to be done again.
        """
        content = None if stored is None else self._content(name, before, stored, found)
        if content is not None and stored is not None:
            rows = content.rows
            unread = [file for file in stored.files if _is_unread(rows.get(file.filename))]
            if unread:
                return Settled(None, before.serial, unread)
        final = before is not UNKNOWN and None not in found.values()
        serial = before.serial
        if before is not UNKNOWN and content != before.content:
            try:
                saved = self._save(name, before, content, stored)
            except Unavailable:
                final = False
            else:
                if saved is None:
                    return None
                serial = saved
        serial = max(serial, least)
        project = (
            _project(name, content, stored, serial) if content is not None and stored is not None else None
        )
        return Settled(last if project == last else project, serial, final=final)

    def _save(
        self, name: str, before: Snapshot, content: Content | None, stored: StoredProject | None
    ) -> int | None:
        tombstones = stored.tombstones if stored is not None else {}
        # What waits for its number is told from what there is, whatever was there a moment ago.
        past = before.content if before.numbered else None
        events = differences(name, past, content, tombstones)
        return self.database.run(tables.save, name, before, content, events, self.now())

    def _content(
        self,
        name: str,
        before: Snapshot,
        stored: StoredProject,
        found: Mapping[StoredFile, Description | None],
    ) -> Content:
        """Give what is listed, and what is known of it; what could not be read is left out."""
        known = before.content.rows if before.content is not None else {}
        now = self.now()
        files = [file for file in stored.files if found.get(file, file) is not None]
        rows = {
            file.filename: Row.of(name, file, known.get(file.filename), found.get(file), now)
            for file in files
        }
        return Content(stored.record, rows)


def _is_unread(row: Row | None) -> bool:
    return row is not None and row.description is None


def _project(name: str, content: Content, stored: StoredProject, serial: int) -> Project:
    """Put a project together; it is spelled as in the newest of its files."""
    keys = {version: version_key(version) for version in {row.version for row in content.rows.values()}}
    described = [
        (keys[row.version], row.filename, file, row, row.description)
        for file in stored.files
        if (row := content.rows.get(file.filename)) is not None and row.description is not None
    ]
    described.sort(key=lambda one: one[:2])
    files: list[File] = [row.to_file(file, description) for _, _, file, row, description in described]
    spelled = described[-1][-1].display_name if described else name
    return Project(
        name=name,
        display_name=spelled,
        files=tuple(files),
        status=content.record.status,
        status_reason=content.record.reason,
        serial=serial,
        tombstones={filename: record.sha256 for filename, record in stored.tombstones.items()},
    )
