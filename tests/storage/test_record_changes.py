"""Tests of changing records and removing files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve

from pypid.errors import OutOfSpace, StorageUnavailable
from pypid.interfaces import IStorage
from pypid.model import FileRecord, ProjectRecord, Status
from pypid.storage.directory import DirectoryStorage
from pypid.storage.memory import MemoryStorage
from pypid.storage.operations import Operations
from pypid.testing.fakes import Synchronous
from pypid.testing.locked_project import SDIST, LockedProjectContract

REMOVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class TestMemoryAmending(LockedProjectContract, Synchronous):
    """Memory keeps the promises."""

    def make_storage(self) -> IStorage:
        return MemoryStorage()


class FailingOperations(Operations):
    """Operations that fail from the n-th on, with an error."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.error = OSError(28, "No space left on device")

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if name not in ("create", "write", "sync", "rename", "unlink", "link"):
            return found

        def call(*args: object) -> object:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise self.error
            return found(*args)

        return call


class TestDirectoryAmending(LockedProjectContract, Synchronous):
    """A directory keeps the promises, also when the disk does not."""

    def make_storage(self) -> IStorage:
        self.root = Path(self.enterContext(TemporaryDirectory()))
        self.operations = FailingOperations()
        return DirectoryStorage(self.root, self.operations)

    def fail_at_every_call(self, change: Callable[[], object]) -> int:
        """Make a change with the first, second... call failing, until it succeeds."""
        for calls in range(100):
            self.operations.left = calls
            outcome = change()
            self.operations.left = None
            if outcome is None:
                return calls
        raise AssertionError("it never succeeded")

    def attempt(self, coroutine: object) -> BaseException | None:
        from twisted.internet.defer import Deferred

        outcomes: list[object] = []
        Deferred.fromCoroutine(coroutine).addBoth(outcomes.append)  # type: ignore[arg-type]
        return getattr(outcomes[0], "value", None)

    def test_a_record_is_the_old_or_the_new_one(self) -> None:
        record = self.publish(SDIST, b"one")
        for yanked in ("first", "second"):
            old = self.kept().files[0].record
            new = evolve(record, yanked=yanked)

            def change(new: FileRecord = new, old: FileRecord | None = old) -> BaseException | None:
                error = self.attempt(self.storage.amend("foo", SDIST, new))
                self.assertIn(self.kept().files[0].record, (old, new))
                if error is not None:
                    self.assertIsInstance(error, (OutOfSpace, StorageUnavailable))
                return error

            self.assertGreater(self.fail_at_every_call(change), 3)
            self.assertEqual(self.kept().files[0].record, new)
        self.assertEqual(list((self.root / ".pypid" / "staging").rglob("*.tar.gz")), [])

    def test_a_removal_cut_short_is_one_or_none(self) -> None:
        record = self.publish(SDIST, b"one", b"metadata")
        tombstone = evolve(record, removed=REMOVED)

        def change() -> BaseException | None:
            if not self.kept().files:
                return None
            error = self.attempt(self.storage.remove("foo", SDIST, tombstone))
            kept = self.kept()
            self.assertEqual(bool(kept.files), not kept.tombstones)
            return error

        self.fail_at_every_call(change)
        self.assertEqual((self.names("foo"), self.kept().tombstones), ([], {SDIST: tombstone}))

    def test_records_are_small_hidden_files_beside_the_archives(self) -> None:
        """With a file all goes that lies beside it, but the tombstone."""
        record = self.publish(SDIST, b"one", b"metadata", b"signature", b"provenance")
        self.result(self.storage.amend_project("foo", ProjectRecord(Status.DEPRECATED, "use bar")))
        self.result(self.storage.remove("foo", SDIST, evolve(record, removed=REMOVED)))
        names = sorted(path.name for path in (self.root / "simple" / "foo").iterdir())
        self.assertEqual(names, [f".{SDIST}.json", ".pypid.json"])

    def test_a_file_copied_over_a_tombstone_is_there(self) -> None:
        record = self.publish(SDIST, b"one")
        self.result(self.storage.remove("foo", SDIST, evolve(record, removed=REMOVED)))
        (self.root / "simple" / "foo" / SDIST).write_bytes(b"other")
        self.assertEqual(self.names("foo"), [SDIST])
        self.assertEqual(self.kept().tombstones, {})

    def test_fault_b1_broken_project_records_are_not_passed_over(self) -> None:
        """Else a quarantined project would be offered again."""
        self.publish(SDIST, b"one")
        for data in (
            b"",
            b"[]",
            b'{"status": "other"}',
            b'{"status": 1}',
            b"[" * 50_000,
            b'{"status": "active", "reason": "\\ud800"}',
        ):
            (self.root / "simple" / "foo" / ".pypid.json").write_bytes(data)
            self.failure(self.storage.project("foo"), StorageUnavailable)
