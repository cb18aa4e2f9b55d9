"""What happened to a project, told from what it was and what it is, in the words of PyPI's journal."""

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
    """Something that happened, before it has a serial."""

    time: datetime
    """When it did, as far as what is there tells."""
    version: str | None
    """The version that it happened to, if not to the project as a whole."""
    action: str
    """What it was."""


def journal_events(
    project: str, before: Content | None, after: Content | None, tombstones: Mapping[str, FileRecord]
) -> Sequence[JournalEvent]:
    """Tell what happened between two states of a project; ``None`` is its absence.

    A file that is withheld, as its bytes are not those that were published, is removed as far as
    anybody can tell who asks for it: pages do not show it, so the serial must move.

    :param tombstones: the records of files that were removed. They tell what happened before
        anybody kept a journal.
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
    """Return a project with the files that are not withheld."""
    return evolve(content, rows={name: row for name, row in content.rows.items() if not row.is_withheld})


def _is_other(was: Row, now: Row) -> bool:
    """Tell whether pages show a file as another one, apart from its yank and its sidecars."""
    if was.description is None or now.description is None:
        return False  # it was not shown yet
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
    """Tell which releases were yanked, or un-yanked, as a whole, and which files alone."""
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
    """Tell which files that were shown have another signature or provenance than before, or none.

    :param other: the names of files that are new altogether.
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
    """Tell who has come to own or maintain it, or does not any more."""
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
