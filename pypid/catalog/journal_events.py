"""The events between two states of a project, in the words of PyPI's journal."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from attrs import evolve, frozen

from pypid.catalog.rows import EPOCH, Content, Row
from pypid.model import FileRecord, ProjectRecord
from pypid.names import parse_filename, python_version

__all__ = ["JournalEvent", "journal_events"]


@frozen
class JournalEvent:
    """An event that has no serial yet."""

    time: datetime
    """The time of the event, as far as it is known; otherwise the epoch."""
    version: str | None
    """The version concerned; ``None`` if it is the project as a whole."""
    action: str
    """The action, such as ``"new release"``."""


def journal_events(
    project: str, before: Content | None, after: Content | None, tombstones: Mapping[str, FileRecord]
) -> Sequence[JournalEvent]:
    """Return the events between two states of a project; ``None`` is its absence.

    A file that is withheld, since its bytes are not the published ones, counts as removed: pages do not
    show it, so the serial must change.

    :param tombstones: the records of removed files. They yield the events from before the journal
        began.
    """
    if after is None:
        return [] if before is None else [JournalEvent(EPOCH, None, "remove project")]
    was, now = _offered(before or Content()), _offered(after)
    other = {name for name in was.rows.keys() & now.rows.keys() if _is_other(was.rows[name], now.rows[name])}
    lost = [was.rows[name] for name in sorted((was.rows.keys() - now.rows.keys()) | other)]
    new = sorted((now.rows[name] for name in (now.rows.keys() - was.rows.keys()) | other), key=_age)
    events = [*_removed(lost, now), *_added(new, was), *_yanked(was, now), *_accompanied(was, now, other)]
    if before is None:
        events += [
            JournalEvent(record.removed or record.upload_time, version, f"remove file {name}")
            for name, record in tombstones.items()
            for version in [parse_filename(name, project).version]
        ]
        events.sort(key=lambda event: event.time)
        began = events[0].time if events else EPOCH
        events[:0] = [
            JournalEvent(began, None, action) for action in ("create", *_people(was.record, now.record))
        ]
    latest = max((event.time for event in events), default=EPOCH)
    if (was.record.status, was.record.reason) != (now.record.status, now.record.reason):
        events.append(JournalEvent(latest, None, f"change status to {now.record.status.value}"))
    if before is not None:
        events += [JournalEvent(latest, None, action) for action in _people(was.record, now.record)]
    return events


def _offered(content: Content) -> Content:
    """Return a project without its withheld files."""
    return evolve(content, rows={name: row for name, row in content.rows.items() if not row.is_withheld})


def _is_other(was: Row, now: Row) -> bool:
    """Return whether two rows are of different files for pages, apart from yanks and sidecars."""
    if was.description is None or now.description is None:
        return False  # pages have not shown it yet
    read = evolve(was.description, provenance=now.description.provenance)
    return (
        evolve(was, fingerprint=now.fingerprint, yanked=now.yanked, signed=now.signed, description=read)
        != now
    )


def _removed(lost: Sequence[Row], now: Content) -> Iterator[JournalEvent]:
    versions = {row.version for row in now.rows.values()}
    for row in lost:
        yield JournalEvent(EPOCH, row.version, f"remove file {row.filename}")
    for version in dict.fromkeys(row.version for row in lost):
        if version not in versions:
            yield JournalEvent(EPOCH, version, "remove release")


def _added(new: Sequence[Row], was: Content) -> Iterator[JournalEvent]:
    versions = {row.version for row in was.rows.values()}
    for row in new:
        if row.version not in versions:
            versions.add(row.version)
            yield JournalEvent(row.upload_time, row.version, "new release")
        python = python_version(row.filename, row.kind)
        yield JournalEvent(row.upload_time, row.version, f"add {python} file {row.filename}")


def _yanked(was: Content, now: Content) -> Iterator[JournalEvent]:
    """Yield events for releases that were yanked or un-yanked as a whole, and for single files."""
    for version, release in groupby(sorted(now.rows.values(), key=_release), key=lambda row: row.version):
        rows = list(release)
        changed = [row for row in rows if row.yanked != _yank(was, row.filename)]
        verbs = ["unyank" if row.yanked is None else "yank" for row in changed]
        if changed == rows and len(set(verbs)) == 1:
            yield JournalEvent(rows[-1].upload_time, version, f"{verbs[0]} release")
            continue
        for verb, row in zip(verbs, changed, strict=True):
            yield JournalEvent(row.upload_time, version, f"{verb} file {row.filename}")


def _accompanied(was: Content, now: Content, other: Container[str]) -> Iterator[JournalEvent]:
    """Yield events for visible files whose signature or provenance has changed.

    :param other: the names of files that were replaced by other ones.
    """
    for row in now.rows.values():
        before = was.rows.get(row.filename) if row.filename not in other else None
        if before is None or before.description is None or row.description is None:
            continue
        if before.signed != row.signed:
            yield JournalEvent(row.upload_time, row.version, f"change signature of {row.filename}")
        if before.description.provenance != row.description.provenance:
            yield JournalEvent(row.upload_time, row.version, f"change provenance of {row.filename}")


def _people(was: ProjectRecord, now: ProjectRecord) -> Iterator[str]:
    """Yield the actions for owners and maintainers who were added or removed."""
    for role, before, after in (
        ("Owner", was.owners or (), now.owners or ()),
        ("Maintainer", was.maintainers, now.maintainers),
    ):
        yield from (f"add {role} {name}" for name in after if name not in before)
        yield from (f"remove {role} {name}" for name in before if name not in after)


def _yank(content: Content, filename: str) -> str | None:
    row = content.rows.get(filename)
    return row.yanked if row is not None else None


def _age(row: Row) -> tuple[datetime, str]:
    return row.upload_time, row.filename


def _release(row: Row) -> tuple[str, datetime, str]:
    return row.version, row.upload_time, row.filename
