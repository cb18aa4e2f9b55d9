"""Tests of replacing a file while processes die, disks fail and the power is cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import EIO, ENOSPC
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from attrs import evolve, frozen

from pypid.errors import OutOfSpace, StorageUnavailable
from pypid.model import Record
from pypid.storage.directory import DirectoryStorage
from pypid.storage.operations import Operations
from pypid.testing.disk import Disk, Journal, Layout
from pypid.testing.fakes import InlineWorkers
from pypid.testing.steps import now, publication

WHEEL = "foo-1.0.dev1-py3-none-any.whl"
OLD, NEW = b"the old one", b"new"
OLD_METADATA, NEW_METADATA = b"Name: old", b"Name: new"
KINDS = [(OLD_METADATA, NEW_METADATA), (OLD_METADATA, None), (None, NEW_METADATA), (None, None)]
"""What metadata the old file has, and the new one."""


class Killed(BaseException):
    """The process is dead."""


class Failing(Operations):
    """Operations of which, from a certain one on, one or all fail."""

    def __init__(self, error: BaseException | None = None, at: int = -1, *, for_good: bool = False) -> None:
        self.error, self.at, self.for_good = error, at, for_good
        self.count = -1

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        if name not in Operations.__dict__ or name.startswith("_"):
            return method
        return lambda *args: self.run(method, *args)

    def run(self, method: Callable[..., Any], *args: Any) -> Any:
        self.count += 1
        if self.error is not None and (
            self.count == self.at or (self.for_good and self.count > self.at >= 0)
        ):
            raise self.error
        return method(*args)


def open_storage(root: Path, operations: Operations | None = None) -> DirectoryStorage:
    storage = DirectoryStorage(root, InlineWorkers(), operations or Operations())
    storage.open()
    return storage


def publish(storage: DirectoryStorage, data: bytes, metadata: bytes | None, old: bytes | None) -> Record:
    staging = now(storage.stage())
    staging.write(data)
    record: Record = now(staging.publish(publication(WHEEL, data, metadata, replaces=old)))
    return record


def state(root: Path, storage: DirectoryStorage) -> tuple[bytes, bytes | None, str, bool]:
    """Give the bytes, the metadata and the record's digest that are there, and whether it describes them."""
    [file] = now(storage.project("foo")).files
    assert file.record is not None
    data = now(storage.read("foo", WHEEL, lambda file: file.read()))
    return data, now(storage.metadata("foo", WHEEL)), file.record.sha256, file.untouched


def whole(data: bytes, metadata: bytes | None) -> tuple[bytes, bytes | None, str, bool]:
    """Give the state of a file that is there whole."""
    return data, metadata, publication(WHEEL, data).sha256, True


def operations_of_a_replacing(root: Path, metadata: bytes | None) -> range:
    """Replace for real, and number the operations of it."""
    counting = Failing()
    storage = open_storage(root, counting)
    first = counting.count + 1
    publish(storage, NEW, metadata, OLD)
    last = counting.count
    storage.close()
    return range(first, last + 1)


@pytest.fixture(params=KINDS, ids=["both", "old", "new", "none"])
def kind(request: pytest.FixtureRequest) -> tuple[bytes | None, bytes | None]:
    kind: tuple[bytes | None, bytes | None] = request.param
    return kind


def make_old(root: Path, metadata: bytes | None) -> Path:
    storage = open_storage(root)
    publish(storage, OLD, metadata, None)
    storage.close()
    return root


def test_t64_killed_at_each_operation(kind: tuple[bytes | None, bytes | None], tmp_path: Path) -> None:
    """It is the old file or the new one, at once for who runs already, and for who starts after it."""
    seen = []
    for at in operations_of_a_replacing(make_old(tmp_path / "whole", kind[0]), kind[1]):
        root = make_old(tmp_path / str(at), kind[0])
        watching = open_storage(root)
        dying = open_storage(root, Failing(Killed(), at, for_good=True))
        with pytest.raises(Killed):
            publish(dying, NEW, kind[1], OLD)
        os.close(dying._area.directory)
        found = state(root, watching)
        assert found in (whole(OLD, kind[0]), whole(NEW, kind[1])), at
        watching.close()
        after = open_storage(root)
        assert state(root, after) == found, at
        seen.append(found[0])
        after.close()
        kept = {path.name for path in (root / "simple" / "foo").iterdir()}
        metadata = {f"{WHEEL}.metadata"} if found[1] is not None else set()
        assert kept == {WHEEL, f".{WHEEL}.json"} | metadata, at
        assert list(root.glob(".pypid/staging/*")) == []
    assert seen == sorted(seen, reverse=True), "there is one moment at which it changes"
    assert {OLD, NEW} == set(seen)


@pytest.mark.parametrize("code", [EIO, ENOSPC])
def test_b269_failed_at_each_operation(
    kind: tuple[bytes | None, bytes | None], code: int, tmp_path: Path
) -> None:
    """A refused upload leaves the old file, with all that belongs to it, and nothing else."""
    for at in operations_of_a_replacing(make_old(tmp_path / "whole", kind[0]), kind[1]):
        root = make_old(tmp_path / str(at), kind[0])
        before = {path.name for path in (root / "simple" / "foo").iterdir()}
        storage = open_storage(root, Failing(OSError(code, os.strerror(code)), at))
        said = None
        with suppress(StorageUnavailable, OutOfSpace):
            said = publish(storage, NEW, kind[1], OLD)
        assert state(root, storage) == (whole(OLD, kind[0]) if said is None else whole(NEW, kind[1])), at
        storage.close()
        if said is None:
            assert {path.name for path in (root / "simple" / "foo").iterdir()} == before, at


def test_killed_before_tidying_and_yanked(tmp_path: Path) -> None:
    """What a dead process did not tidy up is tidied up by who changes the file next."""
    root = make_old(tmp_path, OLD_METADATA)
    watching = open_storage(root)
    at = 0
    while state(root, watching)[0] == OLD:  # until the first moment after the commit
        die(root, at)
        at += 1
    [file] = now(watching.project("foo")).files
    now(watching.amend("foo", WHEEL, evolve(file.record, yanked="no good")))
    assert state(root, watching) == whole(NEW, NEW_METADATA)
    assert len(list((root / "simple" / "foo").iterdir())) == 3
    watching.close()


def die(root: Path, at: int) -> None:
    """Die in a replacing, after so many operations of it."""
    operations = Failing()
    dying = open_storage(root, operations)
    operations.error, operations.at, operations.for_good = Killed(), operations.count + 1 + at, True
    with pytest.raises(Killed):
        publish(dying, NEW, NEW_METADATA, OLD)
    os.close(dying._area.directory)


@frozen
class Replacing:
    """A replacing that was done, and what the tree was like before."""

    before: Disk
    journal: Journal
    times: dict[int, int]
    """The times of modification of the archives, by inode number."""


def record_replacing(root: Path, kind: tuple[bytes | None, bytes | None]) -> Replacing:
    path = make_old(root, kind[0]) / "simple" / "foo" / WHEEL
    times = {path.stat().st_ino: path.stat().st_mtime_ns}
    journal = Journal()
    storage = open_storage(root, journal)
    before = Disk.of(root)
    journal.calls.clear()
    publish(storage, NEW, kind[1], OLD)
    times[path.stat().st_ino] = path.stat().st_mtime_ns
    calls = Journal()
    calls.calls = list(journal.calls)
    storage.close()
    return Replacing(before, calls, times)


def layouts(replacing: Replacing, dropped: int | None = None) -> Iterator[tuple[Layout, bool]]:
    names = {number: dict(entries) for number, entries in replacing.before.names.items()}
    disk = Disk(replacing.before.root, names, data=dict(replacing.before.data))
    seen: set[Layout] = set()
    for index, call in enumerate(replacing.journal.calls):
        for layout in set(disk.after_power_cuts()) - seen:
            seen.add(layout)
            yield layout, False
        if index != dropped:
            disk.do(call)
    for layout in set(disk.after_power_cuts()):
        yield layout, True


def rebuild(root: Path, layout: Layout, times: dict[int, int]) -> None:
    made: dict[int, Path] = {}
    for path, number, data in sorted(layout, key=lambda item: item[0]):
        target = root / path
        if data is None:
            target.mkdir()
        elif number in made:
            target.hardlink_to(made[number])
        else:
            target.write_bytes(data)
            made[number] = target
            if number in times:
                os.utime(target, ns=(0, times[number]))


class Impatient(Operations):
    """Operations that do not wait for a real disk."""

    def sync(self, descriptor: int) -> None:
        pass


def violations(
    kind: tuple[bytes | None, bytes | None], scratch: Path, dropped: int | None = None
) -> Iterator[str]:
    replacing = record_replacing(scratch / "real", kind)
    syncs = [index for index, call in enumerate(replacing.journal.calls) if call.name == "sync"]
    for layout, acknowledged in layouts(replacing, None if dropped is None else syncs[dropped]):
        root = Path(mkdtemp(dir=scratch))
        rebuild(root, layout, replacing.times)
        storage = open_storage(root, Impatient())
        try:
            found: object = state(root, storage)
        except (AssertionError, ValueError) as error:
            found = error
        allowed = [whole(NEW, kind[1])] + [whole(OLD, kind[0])] * (not acknowledged)
        if found not in allowed:
            yield f"{found!r} {acknowledged}"
        storage.close()
        shutil.rmtree(root)


def test_t65_power_cut(kind: tuple[bytes | None, bytes | None], tmp_path: Path) -> None:
    """Whatever lasts, it is the old file, whole, or the new one; the new one once that was said."""
    assert list(violations(kind, tmp_path)) == []


# The others, of the staging directory and of the directory of projects, matter to new files only.
FSYNCS = {0: "archive", 1: "record", 2: "metadata", 5: "before", 6: "commit", 7: "metadata moved"}


@pytest.mark.parametrize("number", FSYNCS, ids=FSYNCS.values())
def test_no_fsync_is_superfluous(number: int, tmp_path: Path) -> None:
    """Without any one of them there is a power cut that breaks the promise."""
    assert next(violations(KINDS[0], tmp_path, dropped=number), None) is not None
