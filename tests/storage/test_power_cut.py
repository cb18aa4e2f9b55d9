"""Tests of what a power cut may leave of a publish: all that the rules of POSIX allow.

The system calls of one publish are replayed on a model of a disk. For a power cut after each,
every choice of what lasted is made into a real tree, and the storage is opened on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from attrs import frozen

from pypid.errors import StorageUnavailable
from pypid.model import FileRecord, StoredProject
from pypid.names import Sidecar
from pypid.storage.directory import DirectoryStorage
from pypid.storage.operations import Operations
from pypid.testing.disk import Call, Disk, Journal, Layout, lay_out
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now, publication

SDIST = "foo-1.0.tar.gz"
DATA = b"sdist" * 1000
METADATA = b"Name: foo"
ALL = (METADATA, b"signature", b"provenance")


class Impatient(Operations):
    """Operations that do not wait for a real disk."""

    def sync(self, descriptor: int) -> None:
        pass


@frozen
class Publish:
    """A publish that was done, and what the tree was like before."""

    before: Disk
    calls: Sequence[Call]
    record: FileRecord
    archive: int
    """The inode number of the archive."""
    sidecars: Sequence[bytes | None]
    """Its metadata, signature and provenance."""
    new_project: bool


@cache
def record_publish(
    new_project: bool = True, sidecars: tuple[bytes | None, ...] = ALL, opening: bool = False
) -> Publish:
    """Publish a file for real; the journal begins there, or with opening the storage."""
    root = Path(mkdtemp())
    try:
        storage = InlineStorage(DirectoryStorage(root))
        storage.open()
        storage.close()
        if not new_project:
            (root / "simple" / "foo").mkdir()
        before = Disk.of(root)
        journal = Journal()
        storage = InlineStorage(DirectoryStorage(root, journal))
        storage.open()
        if not opening:
            before = Disk.of(root)
            journal.calls.clear()
        staging = now(storage.stage())
        staging.write(DATA[:100])
        staging.write(DATA[100:])
        record = now(staging.publish(publication(SDIST, DATA, *sidecars)))
        archive = (root / "simple" / "foo" / SDIST).stat().st_ino
        calls = list(journal.calls)
        storage.close()
        return Publish(before, calls, record, archive, sidecars, new_project)
    finally:
        shutil.rmtree(root)


def layouts(publish: Publish, dropped: int | None = None) -> Iterator[tuple[Layout, bool]]:
    """Yield what power cuts may leave, each once, and whether the publish was acknowledged.

    :param dropped: leave out the fsync with this index among the calls.
    """
    names = {number: dict(entries) for number, entries in publish.before.names.items()}
    disk = Disk(publish.before.root, names, data=dict(publish.before.data))
    calls = [call for index, call in enumerate(publish.calls) if index != dropped]
    seen: set[Layout] = set()
    for call in calls:
        for layout in set(disk.after_power_cuts()) - seen:
            seen.add(layout)
            yield layout, False
        disk.do(call)
    for layout in set(disk.after_power_cuts()):
        yield layout, True


def violation(root: Path, publish: Publish, acknowledged: bool) -> str | None:
    """Open a storage on what a power cut left, and say what is wrong with it."""
    storage = InlineStorage(DirectoryStorage(root, Impatient()))
    storage.open()
    kept: StoredProject | None = now(storage.project("foo"))
    files = None if kept is None else kept.files
    problem = None
    if files:
        whole = (
            now(storage.read("foo", SDIST, lambda file: file.read())),
            tuple(now(storage.sidecar("foo", SDIST, sidecar)) for sidecar in Sidecar),
            files[0].record,
            files[0].untouched,
        )
        if whole != (DATA, publish.sidecars, publish.record, True):
            problem = "half a file"
    elif acknowledged:
        problem = "an acknowledged file is lost"
    elif files is not None or len(list(root.glob("simple/**/*"))) != (not publish.new_project):
        # A directory that nothing was published in yet is no project, and stays.
        problem = "something is left over"
    storage.close()
    if problem is None and list(root.glob(".pypid/staging/*")):
        problem = "staging is not swept"
    return problem


def violations(publish: Publish, scratch: Path, dropped: int | None = None) -> Iterator[str]:
    """Return the faults after each power cut."""
    for layout, acknowledged in layouts(publish, dropped):
        root = Path(mkdtemp(dir=scratch))
        lay_out(root, layout, {publish.archive: publish.record.modified_ns})
        try:
            problem = violation(root, publish, acknowledged)
        except StorageUnavailable:
            problem = "a record is damaged"
        shutil.rmtree(root)
        if problem is not None:
            yield problem


NONE = (None, None, None)
VARIANTS = [
    (True, ALL, False),
    (True, (METADATA, None, None), True),
    (True, NONE, False),
    (False, ALL, False),
]


@pytest.mark.slow
@pytest.mark.parametrize(("new_project", "sidecars", "opening"), VARIANTS)
def test_t65_b272_power_cut(
    new_project: bool, sidecars: tuple[bytes | None, ...], opening: bool, tmp_path: Path
) -> None:
    """Whatever lasts, an acknowledged file is there whole, any other whole or without a trace."""
    assert list(violations(record_publish(new_project, sidecars, opening), tmp_path)) == []


def test_many_states() -> None:
    """The model is worth something: a publish goes through many states."""
    assert len(list(layouts(record_publish()))) > 50


FSYNCS = [
    *("archive", "metadata", "signature", "provenance", "name of the project"),
    *("staging", "simple", "record", "staging again", "project before", "project after"),
]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(FSYNCS)), ids=FSYNCS)
def test_no_fsync_is_superfluous(number: int, tmp_path: Path) -> None:
    """Without any one of them there is a power cut that breaks the promise."""
    publish = record_publish()
    syncs = [index for index, call in enumerate(publish.calls) if call.name == "sync"]
    assert len(syncs) == len(FSYNCS)
    assert next(violations(publish, tmp_path, dropped=syncs[number]), None) is not None


def test_fsync_at_start_is_not_superfluous(tmp_path: Path) -> None:
    """Without that of the directory of staging directories, what is staged can be lost to the sweep."""
    publish = record_publish(opening=True)
    first = next(index for index, call in enumerate(publish.calls) if call.name == "sync")
    assert next(violations(publish, tmp_path, dropped=first), None) is not None
