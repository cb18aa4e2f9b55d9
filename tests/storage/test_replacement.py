"""Tests of replacing a file while processes die, disks fail and the power is cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import EIO, ENOSPC
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from attrs import evolve, frozen

from pypid.errors import OutOfSpace, StorageUnavailable
from pypid.model import FileRecord
from pypid.names import Sidecar
from pypid.storage import tree
from pypid.storage.directory import DirectoryStorage
from pypid.storage.operations import Operations
from pypid.storage.records import pending_name
from pypid.testing.disk import Disk, Journal, Layout, lay_out
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now, publication

WHEEL = "foo-1.0.dev1-py3-none-any.whl"
OLD, NEW = b"the old one", b"new"

Kept = tuple[bytes | None, ...]
"""The metadata, the signature and the provenance of a file."""

NONE: Kept = (None, None, None)
OLD_ALL: Kept = (b"Name: old", b"old signature", b"old provenance")
NEW_ALL: Kept = (b"Name: new", b"new signature", b"new provenance")
OLD_SIGNED: Kept = (None, b"old signature", None)
NEW_ATTESTED: Kept = (None, None, b"new provenance")
KINDS: dict[str, tuple[Kept, Kept]] = {
    "all": (OLD_ALL, NEW_ALL),
    "old": (OLD_ALL, NONE),
    "new": (NONE, NEW_ALL),
    "none": (NONE, NONE),
    "signed-attested": (OLD_SIGNED, NEW_ATTESTED),
    "attested-signed": ((b"Name: old", None, b"old provenance"), (b"Name: new", b"new signature", None)),
}
"""What lies beside the old file, and the new one."""
State = tuple[bytes, Kept, tuple[bool, bool], str, bool]


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


class Interrupted(Failing, Journal):
    """Operations that are written down, and fail right after the commit point."""

    def __init__(self, error: BaseException, *, for_good: bool) -> None:
        Failing.__init__(self, error, for_good=for_good)
        Journal.__init__(self)

    def rename(self, source: int, name: str, target: int, new_name: str) -> None:
        super().rename(source, name, target, new_name)
        if new_name == WHEEL and self.at < 0:
            self.at = self.count + 1


def open_storage(root: Path, operations: Operations | None = None) -> InlineStorage:
    storage = InlineStorage(DirectoryStorage(root, operations or Operations()))
    storage.open()
    return storage


def publish(storage: InlineStorage, data: bytes, kept: Kept, old: bytes | None) -> FileRecord:
    staging = now(storage.stage())
    staging.write(data)
    record: FileRecord = now(staging.publish(publication(WHEEL, data, *kept, replaces=old)))
    return record


def state(storage: InlineStorage) -> State:
    """Return the bytes, the sidecar files that are listed, the record's digest, and whether it is theirs."""
    [file] = now(storage.project("foo")).files
    assert file.record is not None
    data = now(storage.read("foo", WHEEL, lambda file: file.read()))
    kept = tuple(now(storage.sidecar("foo", WHEEL, sidecar)) for sidecar in Sidecar)
    return data, kept, (file.signed, file.provenance is not None), file.record.sha256, file.untouched


def whole(data: bytes, kept: Kept) -> State:
    """Return the state of a file that is there whole."""
    _, signature, provenance = kept
    listed = (signature is not None, provenance is not None)
    return data, kept, listed, publication(WHEEL, data).sha256, True


def names_of(kept: Kept) -> set[str]:
    """Name what there is in the directory of a file that was tidied up."""
    beside = {one.of(WHEEL) for one, data in zip(Sidecar, kept, strict=True) if data is not None}
    return {WHEEL, f".{WHEEL}.json"} | beside


def operations_of_a_replacing(root: Path, kept: Kept) -> range:
    """Replace for real, and number the operations of it."""
    counting = Failing()
    storage = open_storage(root, counting)
    first = counting.count + 1
    publish(storage, NEW, kept, OLD)
    last = counting.count
    storage.close()
    return range(first, last + 1)


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[Kept, Kept]:
    kind: tuple[Kept, Kept] = request.param
    return kind


def make_old(root: Path, kept: Kept) -> Path:
    storage = open_storage(root)
    publish(storage, OLD, kept, None)
    storage.close()
    return root


@pytest.mark.slow
def test_t64_killed_at_each_operation(kind: tuple[Kept, Kept], tmp_path: Path) -> None:
    """It is the old file or the new one, at once for who runs already, and for who starts after it."""
    seen = []
    for at in operations_of_a_replacing(make_old(tmp_path / "whole", kind[0]), kind[1]):
        root = make_old(tmp_path / str(at), kind[0])
        watching = open_storage(root)
        dying = open_storage(root, Failing(Killed(), at, for_good=True))
        with pytest.raises(Killed):
            publish(dying, NEW, kind[1], OLD)
        os.close(dying.blocking._area.directory)
        found = state(watching)
        assert found in (whole(OLD, kind[0]), whole(NEW, kind[1])), at
        watching.close()
        after = open_storage(root)
        assert state(after) == found, at
        seen.append(found[0])
        after.close()
        assert {path.name for path in (root / "simple" / "foo").iterdir()} == names_of(found[1]), at
        assert list(root.glob(".pypid/staging/*")) == []
    assert seen == sorted(seen, reverse=True), "there is one moment at which it changes"
    assert {OLD, NEW} == set(seen)


@pytest.mark.slow
@pytest.mark.parametrize("code", [EIO, ENOSPC])
def test_b269_failed_at_each_operation(kind: tuple[Kept, Kept], code: int, tmp_path: Path) -> None:
    """A refused upload leaves the old file, with all that belongs to it, and nothing else."""
    for at in operations_of_a_replacing(make_old(tmp_path / "whole", kind[0]), kind[1]):
        root = make_old(tmp_path / str(at), kind[0])
        before = {path.name for path in (root / "simple" / "foo").iterdir()}
        storage = open_storage(root, Failing(OSError(code, os.strerror(code)), at))
        said = None
        with suppress(StorageUnavailable, OutOfSpace):
            said = publish(storage, NEW, kind[1], OLD)
        assert state(storage) == (whole(OLD, kind[0]) if said is None else whole(NEW, kind[1])), at
        storage.close()
        if said is None:
            assert {path.name for path in (root / "simple" / "foo").iterdir()} == before, at


def test_killed_before_tidying_and_yanked(kind: tuple[Kept, Kept], tmp_path: Path) -> None:
    """What a dead process did not tidy up is tidied up by who changes the file next."""
    root = make_old(tmp_path, kind[0])
    watching = open_storage(root)
    die(root, kind[1])
    [file] = now(watching.project("foo")).files
    now(watching.amend("foo", WHEEL, evolve(file.record, yanked="no good")))
    assert state(watching) == whole(NEW, kind[1])
    assert {path.name for path in (root / "simple" / "foo").iterdir()} == names_of(kind[1])
    watching.close()


def test_tidied_up_while_it_is_looked_at(
    kind: tuple[Kept, Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks finds the file whole also if all gets its own name just between two looks."""
    for looks in count():
        root = make_old(tmp_path / str(looks), kind[0])
        watching = open_storage(root)
        die(root, kind[1])
        left = [looks]

        def look(name: str, root: Path = root, left: list[int] = left) -> str:
            left[0] -= 1
            if left[0] == -1:
                open_storage(root).close()
            return pending_name(name)

        with monkeypatch.context() as patch:
            patch.setattr(tree, "pending_name", look)
            assert state(watching) == whole(NEW, kind[1]), looks
        watching.close()
        if left[0] >= 0:
            break
    assert looks > 3


def die(root: Path, kept: Kept) -> None:
    """Die in a replacing, before anything was tidied up."""
    dying = open_storage(root, Interrupted(Killed(), for_good=True))
    with pytest.raises(Killed):
        publish(dying, NEW, kept, OLD)
    os.close(dying.blocking._area.directory)


@frozen
class Replacing:
    """A replacing that was done, and what the tree was like before."""

    before: Disk
    journal: Journal
    times: dict[int, int]
    """The times of modification of the archives, by inode number."""


def record_replacing(root: Path, kind: tuple[Kept, Kept]) -> Replacing:
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


class Impatient(Operations):
    """Operations that do not wait for a real disk."""

    def sync(self, descriptor: int) -> None:
        pass


def states(
    replacing: Replacing, scratch: Path, dropped: int | None = None
) -> Iterator[tuple[State | str, bool]]:
    """Yield what is there after each power cut, or what is wrong with it, and whether somebody was told."""
    syncs = [index for index, call in enumerate(replacing.journal.calls) if call.name == "sync"]
    for layout, acknowledged in layouts(replacing, None if dropped is None else syncs[dropped]):
        root = Path(mkdtemp(dir=scratch))
        lay_out(root, layout, replacing.times)
        storage = open_storage(root, Impatient())
        try:
            yield state(storage), acknowledged
        except (AssertionError, ValueError, StorageUnavailable) as error:
            yield repr(error), acknowledged
        storage.close()
        shutil.rmtree(root)


def violations(kind: tuple[Kept, Kept], scratch: Path, dropped: int | None = None) -> Iterator[str]:
    replacing = record_replacing(scratch / "real", kind)
    for found, acknowledged in states(replacing, scratch, dropped):
        allowed = [whole(NEW, kind[1])] + [whole(OLD, kind[0])] * (not acknowledged)
        if found not in allowed:
            yield f"{found!r} {acknowledged}"


@pytest.mark.slow
def test_t65_power_cut(kind: tuple[Kept, Kept], tmp_path: Path) -> None:
    """Whatever lasts, it is the old file, whole, or the new one; the new one once that was said."""
    assert list(violations(kind, tmp_path)) == []


def record_interrupted(root: Path, kind: tuple[Kept, Kept], error: BaseException) -> Replacing:
    """Replace a file, and fail or die before it lasts; who failed tidies up, or who comes after the dead."""
    path = make_old(root, kind[0]) / "simple" / "foo" / WHEEL
    times = {path.stat().st_ino: path.stat().st_mtime_ns}
    dies = isinstance(error, Killed)
    interrupted = Interrupted(error, for_good=dies)
    storage = open_storage(root, interrupted)
    before = Disk.of(root)
    interrupted.calls.clear()
    staging = now(storage.stage())
    staging.write(NEW)
    staged = root / ".pypid" / "staging" / storage.blocking._area.name / "0"
    times[staged.stat().st_ino] = staged.stat().st_mtime_ns
    with pytest.raises((Killed, StorageUnavailable)):
        now(staging.publish(publication(WHEEL, NEW, *kind[1], replaces=OLD)))
    journal = Journal()
    if dies:
        os.close(storage.blocking._area.directory)
        open_storage(root, journal).close()
    else:
        storage.close()
    journal.calls = interrupted.calls + journal.calls
    return Replacing(before, journal, times)


@pytest.mark.slow
@pytest.mark.parametrize("error", [Killed(), OSError(EIO, "Input/output error")], ids=["killed", "failed"])
@pytest.mark.parametrize("kind", [(OLD_SIGNED, NONE), (NONE, NEW_ATTESTED)], ids=["old", "new"])
def test_t65_power_cut_while_it_is_tidied_up(
    kind: tuple[Kept, Kept], error: BaseException, tmp_path: Path
) -> None:
    """Before it is certain which file lasts, nothing goes that tells which sidecar files are its own."""
    replacing = record_interrupted(tmp_path / "real", kind, error)
    found = {found for found, _ in states(replacing, tmp_path)}
    assert found == {whole(OLD, kind[0]), whole(NEW, kind[1])}


# The others, of the staging directory and of the directory of projects, matter to new files only.
FSYNCS = dict(enumerate(("archive", "metadata", "signature", "provenance")))
FSYNCS |= {5: "record", 7: "before", 8: "commit", 9: "sidecars moved"}


@pytest.mark.slow
@pytest.mark.parametrize("number", FSYNCS, ids=FSYNCS.values())
def test_no_fsync_is_superfluous(number: int, tmp_path: Path) -> None:
    """Without any one of them there is a power cut that breaks the promise."""
    assert next(violations(KINDS["all"], tmp_path, dropped=number), None) is not None
