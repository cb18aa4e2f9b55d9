"""Tests for :mod:`pypid.catalog.scanner`: scans of many projects, some of which fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from pypid.catalog import scanner
from pypid.catalog.sqlite import SqliteCatalog
from pypid.catalog.upkeep import ROUND, SWEEP
from pypid.errors import StorageUnavailable
from pypid.interfaces import ICatalog, IStorage
from pypid.model import StoredProject
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalog_steps import CatalogSteps
from pypid.testing.fakes import HeldWorkers, InlineWorkers, Synchronous
from pypid.testing.inline import InlineStorage

T = TypeVar("T")


class FailingStorage(MemoryStorage):
    """Remembers what is read, and may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.read_files: list[str] = []
        self.failures: dict[str, Exception] = {}

    def project(self, name: str) -> StoredProject | None:
        if name in self.failures:
            raise self.failures[name]
        return super().project(name)

    def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        self.read_files.append(filename)
        if filename in self.failures:
            raise self.failures[filename]
        return super().read(project, filename, function)


class HeldStorage(InlineStorage):
    """Counts what is read, and has who looks through many projects wait until they may go on."""

    def __init__(self) -> None:
        memory = FailingStorage()
        super().__init__(memory)
        self.held: list[Deferred[None]] | None = None
        self.visits = 0
        self.read_files, self.failures = memory.read_files, memory.failures

    async def scan(self, function: Callable[[IStorage], T]) -> T:
        self.visits += 1
        outcome = await super().scan(function)
        if self.held is not None:
            self.held.append(Deferred())
            await self.held[-1]
        return outcome


class ScanningTests(CatalogSteps, Synchronous):
    """Sweeps over a few projects, of which nothing is known at first."""

    storage: HeldStorage

    def make_storage(self) -> InlineStorage:
        return HeldStorage()

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        self.clock = Clock()
        return SqliteCatalog(storage, None, InlineWorkers(), self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def setUp(self) -> None:
        super().setUp()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        for name in ("a", "b", "c", "d"):
            self.publish(sdist(name, "1.0"))
            self.publish(wheel(name, "1.0"))

    def observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("pypid.catalog"):
            self.lines.append(event["log_format"].format(**event))

    def assert_right(self) -> None:
        """Check that each file is known and in the journal once, and that nothing more is read."""
        self.storage.read_files.clear()
        for name in ("a", "b", "c", "d"):
            project = self.project(name)
            self.assertEqual(len(project.files), 2)
            self.assertGreater(project.serial, 0)
        self.assertEqual(self.storage.read_files, [])
        self.assertEqual(len(self.changes()), 4 * 4)

    def test_p12_many_in_one_visit(self) -> None:
        """Small projects are listed and read together."""
        self.storage.visits = 0
        self.pass_time(SWEEP)
        self.assertEqual(self.storage.visits, 1)
        self.assertEqual(len(self.storage.read_files), 8)
        self.assert_right()

    def test_few_files_at_a_time(self) -> None:
        """What has many files is looked at in several steps, and what is large is read in several pieces."""
        self.patch(scanner, "MAX_FILES", 3)
        self.storage.visits = 0
        self.pass_time(SWEEP)
        self.assertEqual(self.storage.visits, 2)
        self.assert_right()
        self.patch(scanner, "LARGE", 1)
        self.publish(sdist("e", "1.0"))
        self.publish(wheel("e", "1.0"))
        self.storage.visits = 0
        self.pass_time(SWEEP)
        self.assertEqual(self.storage.visits, 1)
        self.assertEqual(len(self.project("e").files), 2)

    def test_the_first_listing_in_several_steps(self) -> None:
        """A new journal begins with all of them."""
        self.patch(scanner, "MAX_FILES", 3)
        self.catalog = self.open_catalog()
        self.assert_right()

    def test_asked_for_meanwhile(self) -> None:
        """Who asks for a page does not wait for the others; what was found is written down once."""
        self.storage.held = []
        self.pass_time(SWEEP)
        [sweep], self.storage.held = self.storage.held, None
        project = self.project("b")
        sweep.callback(None)
        self.assertIs(self.project("b"), project)
        self.assertEqual(self.storage.read_files.count("b-1.0.tar.gz"), 2)
        self.assert_right()

    def test_changed_meanwhile(self) -> None:
        """What is published while others are looked at is not undone by their being written down."""
        self.storage.held = []
        self.pass_time(SWEEP)
        [sweep], self.storage.held = self.storage.held, None
        other = SqliteCatalog(self.storage, None, InlineWorkers())
        other._reconciler = self.catalog._reconciler
        other._scanner = self.catalog._scanner
        self.publish(sdist("b", "2.0"))
        self.result(other.project("b"))
        sweep.callback(None)
        self.assertEqual(len(self.changes()), 4 * 4 + 2)
        self.assertEqual(len(self.project("b").files), 3)
        self.assertEqual(self.catalog.validator("b")[1], self.project("b").serial)

    def test_found_out_meanwhile(self) -> None:
        """What was found out for somebody who asked is newer, and stays."""
        self.pass_time(SWEEP)
        self.storage.blocking._changes["b"] += 1
        self.storage.held = []
        self.pass_time(SWEEP)
        [sweep], self.storage.held = self.storage.held, None
        self.publish(sdist("b", "2.0"))
        project = self.project("b")
        validator = self.catalog.validator("b")
        sweep.callback(None)
        self.assertIsNotNone(validator)
        self.assertEqual(self.catalog.validator("b"), validator)
        self.assertIs(self.project("b"), project)

    def test_one_cannot_be_listed(self) -> None:
        """It is named, and the others are looked at together."""
        self.storage.failures["b"] = StorageUnavailable("Input/output error")
        self.pass_time(SWEEP)
        self.assertEqual(self.lines, ["b cannot be looked at: Input/output error"])
        self.assertEqual(len(self.changes()), 3 * 4)
        self.storage.failures.clear()
        self.pass_time(SWEEP)
        self.assert_right()

    def test_fault_a11_what_fails_is_not_tried_every_second(self) -> None:
        """It is named once, and looked at again by sweeps; once it can be, every round sees it change."""
        self.pass_time(ROUND)
        self.storage.failures["b"] = StorageUnavailable("Input/output error")
        self.publish(sdist("b", "2.0"))
        self.pass_time(ROUND)
        self.storage.visits = 0
        for _ in range(10):
            self.pass_time(ROUND)
        self.assertEqual(self.storage.visits, 0)
        self.pass_time(SWEEP)
        self.assertEqual(self.lines, ["b cannot be looked at: Input/output error"])
        self.storage.failures.clear()
        self.pass_time(SWEEP)
        self.assertEqual(len(self.changes()), 4 * 4 + 2)
        self.publish(sdist("b", "3.0"))
        self.pass_time(ROUND)
        self.assertEqual(len(self.changes()), 4 * 4 + 4)

    def test_one_cannot_be_listed_at_first(self) -> None:
        """The journal begins without it."""
        self.storage.failures["b"] = StorageUnavailable("Input/output error")
        self.catalog = self.open_catalog()
        self.assertEqual(set(self.lines), {"b cannot be looked at: Input/output error"})
        self.storage.failures.clear()
        self.pass_time(SWEEP)
        self.assert_right()

    def test_a_defect_with_one_file(self) -> None:
        """Its project alone is not looked at."""
        self.storage.failures["b-1.0.tar.gz"] = RecursionError("defect")
        self.pass_time(SWEEP)
        self.assertEqual(self.lines, ["b cannot be looked at"])
        self.assertEqual(len(self.flushLoggedErrors(RecursionError)), 1)
        self.assertEqual(len(self.changes()), 3 * 4)
        self.storage.failures.clear()
        self.pass_time(SWEEP)
        self.assert_right()


class HashingTests(CatalogSteps, Synchronous):
    """Large files that nobody knows yet."""

    def make_storage(self) -> InlineStorage:
        storage = InlineStorage(MemoryStorage())
        storage._hashing = self.hashing = HeldWorkers()
        return storage

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        return SqliteCatalog(storage, None, InlineWorkers())

    def pass_time(self, seconds: float) -> None:
        """Nothing is done but what is asked for."""

    def test_fault_a8_large_files_are_read_apart(self) -> None:
        """Neither pages of small files nor downloads wait for them, only the page that they are on."""
        large = self.publish(wheel("large", "1.0", payload=bytes(range(256)) * (scanner.LARGE // 256)))
        small = self.publish(wheel("small", "1.0"))
        waiting = Deferred.fromCoroutine(self.catalog.project("large"))
        self.assertNoResult(waiting)
        self.assertEqual(len(self.project("small").files), 1)
        for name, filename in (("large", large), ("small", small)):
            self.result(self.storage.content(name, filename)).close()
        self.hashing.work_all()
        project = self.successResultOf(waiting)
        assert project is not None
        self.assertEqual([file.filename for file in project.files], [large])
