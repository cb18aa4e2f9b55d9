"""The reconciliation of the catalog with the storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from pypid.catalog import tables
from pypid.catalog.database import Database, Unavailable
from pypid.catalog.journal_events import journal_events
from pypid.catalog.project_scan import ProjectScan
from pypid.catalog.rows import Snapshot
from pypid.model import File, Project
from pypid.names import version_key

__all__ = ["UNKNOWN", "Reconciled", "Reconciler", "assemble"]

_WITHHELD = "{} is withheld: its bytes are not those that were published here"
UNKNOWN = Snapshot(None, 0, None, True)
"""The snapshot of any project while the tables cannot be used."""


@frozen
class Reconciled:
    """The result of a reconciliation."""

    serial: int
    """The serial of the project's last change."""
    final: bool
    """Whether all files were read and everything is saved."""


@frozen
class Reconciler:
    """Writes scans to the database. Blocks; runs in the database thread."""

    database: Database
    """The database of the tables."""
    now: Callable[[], int]
    """Returns the time in microseconds since the epoch."""

    def look_up(self, names: Sequence[str]) -> Sequence[Snapshot]:
        """Return the snapshots of projects; :data:`UNKNOWN` if the database cannot be used."""
        try:
            return self.database.run(tables.load, names)
        except Unavailable:
            return [UNKNOWN] * len(names)

    def save_listings(self, scans: Sequence[ProjectScan]) -> Sequence[str]:
        """Save the listings of projects before any of their files are read.

        :returns: the names of the projects that another process changed since the lookup.
        :raises Unavailable: the tables cannot be used.
        """
        saved = self._save(scans)
        return [name for name, serial in saved.items() if serial is None]

    def reconcile(self, scans: Sequence[ProjectScan]) -> Sequence[Reconciled | None]:
        """Save the new states of projects.

        :param scans: the scans of the projects, with all files read.
        :returns: a result for each; ``None`` for a project that another process changed since the
            lookup, so that its scan must be repeated.
        """
        final = True
        try:
            saved = self._save(scans)
        except Unavailable:
            saved, final = {}, False
        reconciled: list[Reconciled | None] = []
        for scan in scans:
            serial = saved.get(scan.name, scan.before.serial)
            is_final = scan.whole and scan.before is not UNKNOWN and (final or not scan.has_changed)
            reconciled.append(None if serial is None else Reconciled(serial, is_final))
        return reconciled

    def _save(self, scans: Sequence[ProjectScan]) -> Mapping[str, int | None]:
        """Save the changes, and return the result of :func:`pypid.catalog.tables.save`."""
        updates = [self._update(scan) for scan in scans if scan.before is not UNKNOWN and scan.has_changed]
        return self.database.run(tables.save, updates, self.now()) if updates else {}

    def _update(self, scan: ProjectScan) -> tables.ProjectUpdate:
        tombstones = scan.stored.tombstones if scan.stored is not None else {}
        # Until serials are assigned, events are computed from scratch, not from the previous state.
        past = scan.before.content if scan.before.numbered else None
        content = scan.content
        events = journal_events(scan.name, past, content, tombstones)
        return tables.ProjectUpdate(scan.name, scan.before, content, events)


def assemble(scan: ProjectScan, serial: int) -> Project | None:
    """Return the project of a scan, or ``None`` if it does not exist. Its newest file gives the spelling."""
    stored = scan.stored
    if stored is None:
        return None
    keys = {version: version_key(version) for version in {row.version for row in scan.rows.values()}}
    described = [
        (keys[row.version], row.filename, row, row.description)
        for row in scan.rows.values()
        if row.description is not None and not row.is_withheld
    ]
    described.sort(key=lambda one: one[:2])
    files: list[File] = [row.to_file(description) for _, _, row, description in described]
    return Project(
        name=scan.name,
        display_name=described[-1][-1].display_name if described else scan.name,
        files=tuple(files),
        status=stored.record.status,
        status_reason=stored.record.reason,
        serial=serial,
        tombstones={filename: record.sha256 for filename, record in stored.tombstones.items()},
        withheld={name: _WITHHELD.format(name) for name, row in scan.rows.items() if row.is_withheld},
        is_founded=stored.is_founded,
        owners=stored.owners,
        maintainers=stored.record.maintainers,
    )
