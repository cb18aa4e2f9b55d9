"""Tests of what a power cut may leave of a first start, a refused publish, an amendment and a removal.

As in the tests of a publish, each is replayed on a model of a disk, call by call.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext, suppress
from copy import deepcopy
from datetime import UTC, datetime
from errno import EIO
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import evolve, frozen

from pypid.errors import StorageUnavailable
from pypid.model import ProjectRecord, Status
from pypid.names import Sidecar
from pypid.storage.directory import DirectoryStorage
from pypid.storage.operations import Operations
from pypid.testing.disk import Call, Disk, Journal, Layout, lay_out
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now, publication

SDIST = "foo-1.0.tar.gz"
DATA = b"sdist" * 1000
METADATA = b"Name: foo"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where to make thousands of small trees: disks may be slow."""
LATER = datetime(2026, 11, 21, tzinfo=UTC)

View = tuple[Hashable, frozenset[str]]
"""What a storage shows of the project, and the names in its tree."""


class Flaky(Journal):
    """Fails at one fsync, and then no more."""

    until_failure: int | None = None
    """How many come before that."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[int, int] = {}
        """When each file was modified that was to last, by inode number."""

    def sync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self.times[status.st_ino] = status.st_mtime_ns
        if self.until_failure is not None:
            self.until_failure -= 1
            if self.until_failure == -1:
                raise OSError(EIO, "Input/output error")
        super().sync(descriptor)


class Impatient(Operations):
    """Operations that do not wait for a real disk."""

    def sync(self, descriptor: int) -> None:
        pass


@frozen
class Replay:
    """A change that was made, what the tree was like before, and what it may look like later."""

    before: Disk
    calls: Sequence[Call]
    times: dict[int, int]
    """When each file was modified, by inode number."""
    during: Sequence[View]
    """What may be seen after a power cut while it is made."""
    after: Sequence[View]
    """What may be seen after a later one."""


def publish(storage: InlineStorage, filename: str = SDIST) -> None:
    staging = now(storage.stage())
    staging.write(DATA)
    now(staging.publish(publication(filename, DATA, METADATA)))


def publish_another(storage: InlineStorage) -> None:
    publish(storage, "foo-2.0.tar.gz")


def amend(storage: InlineStorage) -> None:
    record = now(storage.project("foo")).files[0].record
    now(storage.amend("foo", SDIST, evolve(record, yanked="broken")))


def archive(storage: InlineStorage) -> None:
    now(storage.amend_project("foo", ProjectRecord(Status.ARCHIVED, "old")))


def remove(storage: InlineStorage) -> None:
    record = now(storage.project("foo")).files[0].record
    now(storage.remove("foo", SDIST, evolve(record, removed=LATER)))


def view(root: Path) -> View:
    """Open a storage on a tree, and say what it shows, and what lies there."""
    storage = InlineStorage(DirectoryStorage(root, Impatient()))
    storage.open()
    kept = now(storage.project("foo"))
    shown = None
    if kept is not None:
        files = [
            (
                file.filename,
                file.untouched,
                file.record and evolve(file.record, modified_ns=0),  # "untouched" says if that is right
                now(storage.read("foo", file.filename, lambda f: f.read())),
                tuple(now(storage.sidecar("foo", file.filename, one)) for one in Sidecar),
            )
            for file in kept.files
        ]
        shown = tuple(files), kept.record, tuple(kept.tombstones.items())
    storage.close()
    assert list(root.glob(".pypid/staging/*")) == []
    return shown, frozenset(path.name for path in root.glob("simple/**/*"))


def view_of_copy(root: Path) -> View:
    """Do so without touching the tree itself."""
    with TemporaryDirectory() as copy:
        return view(Path(shutil.copytree(root, Path(copy) / "root")))


def times(root: Path) -> dict[int, int]:
    return {path.stat().st_ino: path.stat().st_mtime_ns for path in root.rglob("*")}


@cache
def replay(
    change: Callable[[InlineStorage], None], *, first: bool = False, failing: int | None = None
) -> Replay:
    """Make a change for real.

    :param first: whether there is nothing before; then it includes the start.
    :param failing: the number of an fsync that fails.
    """
    with TemporaryDirectory() as directory:
        root = Path(directory)
        if change is not publish:
            storage = InlineStorage(DirectoryStorage(root))
            storage.open()
            publish(storage)
            storage.close()
        old, modified, before = view_of_copy(root), times(root), Disk.of(root)
        journal = Flaky()
        storage = InlineStorage(DirectoryStorage(root, journal))
        storage.open()
        if not first:
            modified, before = times(root), Disk.of(root)
            journal.calls.clear()
        journal.until_failure = failing
        with suppress(StorageUnavailable) if failing is not None else nullcontext():
            change(storage)
        calls, modified = list(journal.calls), modified | journal.times
        storage.close()
        if failing is not None:
            either = [old, replay(change).after[0]]
            return Replay(before, calls, modified, either, either)
        new = view_of_copy(root)
        return Replay(before, calls, modified, [old, new], [new])


def surprises(replay: Replay, dropped: int | None = None) -> Iterator[View]:
    """Yield what is seen after power cuts and must not be.

    :param dropped: leave out the fsync with this number.
    """
    syncs = [index for index, call in enumerate(replay.calls) if call.name == "sync"]
    left_out = None if dropped is None else syncs[dropped]
    disk = deepcopy(replay.before)
    seen: set[Layout] = set()
    # What lies about does not matter before all is over: nothing shows it.
    during = {shown for shown, _ in replay.during}
    for index, call in enumerate(replay.calls):
        for layout in set(disk.after_power_cuts()) - seen:
            seen.add(layout)
            if (found := found_after(layout, replay))[0] not in during:
                yield found
        if index != left_out:
            disk.do(call)
    for layout in set(disk.after_power_cuts()):
        if (found := found_after(layout, replay)) not in replay.after:
            yield found


def found_after(layout: Layout, replay: Replay) -> View:
    with TemporaryDirectory(dir=MEMORY) as root:
        # What no operation gave a time was changed by hand, long ago.
        times = dict.fromkeys((number for _, number, _ in layout), 0) | replay.times
        lay_out(Path(root), layout, times)
        try:
            return view(Path(root))
        except StorageUnavailable:  # a record is damaged
            return "unknown", frozenset()


FSYNCS = 9
"""How many fsyncs a publish has that makes a project."""
FSYNCS_LATER = 7
"""How many one has that does not."""
CHANGES = {
    "first": lambda: replay(publish, first=True),
    "amend": lambda: replay(amend),
    "amend project": lambda: replay(archive),
    "remove": lambda: replay(remove),
    **{f"refused {number}": lambda n=number: replay(publish, failing=n) for number in range(FSYNCS)},
    "refused another": lambda: replay(publish_another, failing=FSYNCS_LATER - 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_t65_b272_power_cut(change: str) -> None:
    """Whatever lasts, the tree is as before the change or as after it; after it, if that was told."""
    assert list(surprises(CHANGES[change]())) == []


NEEDED = {
    # That of the root comes twice, once for each directory that is made in it.
    # Two are of the mark that the project's directory is new. Without them an empty one may be left,
    # which is no project: it shows nothing, and only lies about.
    "first": [number for number in range(1, 4 + FSYNCS) if number not in (6, 7)],
    "amend": range(2),
    "amend project": range(2),
    "remove": range(3),
    # By these it is undone, after the last one has failed: the archive goes first and then, with all
    # that is in it, the directory of a new project.
    "refused 8": [8, 10],
    "refused another": [6, 7],
}
"""The numbers of those fsyncs of a change that nothing else stands in for."""


@pytest.mark.slow
@pytest.mark.parametrize("change", NEEDED)
def test_no_fsync_is_superfluous(change: str) -> None:
    """Without any one of them there is a power cut that breaks the promise."""
    made = CHANGES[change]()
    assert [number for number in NEEDED[change] if next(surprises(made, number), None) is None] == []


def test_every_fsync_is_known() -> None:
    """None is made that is not in the table above."""
    for change in NEEDED:
        syncs = sum(call.name == "sync" for call in CHANGES[change]().calls)
        undone = {"refused 8": FSYNCS + 2, "refused another": FSYNCS_LATER + 2}
        assert syncs == undone.get(change, NEEDED[change][-1] + 1), change


def test_fsync() -> None:
    """What is asked for is asked of the system: it refuses to do so for a pipe."""
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="Invalid argument"):
        Operations().sync(writing)
    os.close(reading)
    os.close(writing)
