"""Tests for :mod:`pypid.catalog.sqlite`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, BinaryIO, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pypid.catalog import first_journal, project_cache, upkeep
from pypid.catalog.first_journal import PATIENCE
from pypid.catalog.scanner import Scanner
from pypid.catalog.sqlite import FEW, SqliteCatalog
from pypid.catalog.upkeep import ROUND, SWEEP
from pypid.interfaces import ICatalog, IStorage
from pypid.model import Project, StoredProject
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalog import CatalogContract
from pypid.testing.catalog_steps import CatalogSteps
from pypid.testing.fakes import HeldWorkers, InlineWorkers, Synchronous
from pypid.testing.inline import InlineStorage

T = TypeVar("T")


class MemorySteps(CatalogSteps):
    """With tables in memory."""

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        self.clock = Clock()
        return SqliteCatalog(storage, None, InlineWorkers(), self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class MemoryTests(MemorySteps, CatalogContract, Synchronous):
    """What every catalog has to pass."""


class FileTests(MemorySteps, CatalogContract, Synchronous):
    """The same with tables in a file, and a directory that is not there yet."""

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        self.clock = Clock()
        root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        return SqliteCatalog(storage, root / ".pypid" / "catalog.sqlite", InlineWorkers(), self.clock)


class ClocklessTests(MemorySteps, CatalogContract, Synchronous):
    """The same without a clock, as the command has it: it looks when it is asked."""

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        return SqliteCatalog(storage, None, InlineWorkers())

    def pass_time(self, seconds: float) -> None:
        if not seconds:
            return
        for name in self.result(self.storage.projects()):
            self.result(self.catalog.project(name))


class WatchedStorage(MemoryStorage):
    """Records its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def fingerprint(self, project: str | None) -> Hashable:
        self.asked.append(f"fingerprint {project}")
        return super().fingerprint(project)

    def project(self, name: str) -> StoredProject | None:
        self.asked.append(f"project {name}")
        return super().project(name)

    def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        self.asked.append(f"read {filename}")
        return super().read(project, filename, function)


class CostTests(MemorySteps, Synchronous):
    """What is not done."""

    def make_storage(self) -> InlineStorage:
        self.watched = WatchedStorage()
        return InlineStorage(self.watched)

    def asked(self) -> list[str]:
        """Return the calls of the storage since the last call of this method."""
        asked, self.watched.asked = self.watched.asked, []
        return asked

    def read(self) -> list[str]:
        """Return the files that were read since the last call of this or of :meth:`asked`."""
        return [what.removeprefix("read ") for what in self.asked() if what.startswith("read ")]

    def test_p1_unchanged_project(self) -> None:
        """A project that did not change costs one fingerprint, and so does one that is not there."""
        self.publish(sdist("foo", "1.0"))
        for name in ("foo", "bar"):
            self.result(self.catalog.project(name))
            self.asked()
            self.result(self.catalog.project(name))
            self.assertEqual(self.asked(), [f"fingerprint {name}"])

    def test_read_once(self) -> None:
        """Only files that are new are read, whatever else changes."""
        one, other = sdist("foo", "1.0"), wheel("foo", "1.0")
        self.publish(one)
        self.project("foo")
        self.asked()
        self.publish(other)
        self.project("foo")
        self.assertEqual(self.read(), [other[0]])
        self.yank("foo", one[0], "broken")
        self.remove("foo", other[0])
        self.catalog.forget("foo")
        self.project("foo")
        self.assertEqual(self.read(), [])

    def test_sweep_looks_at_fingerprints_first(self) -> None:
        """A round or a sweep costs one fingerprint a project while nothing changes; what changes is read."""
        self.publish(sdist("foo", "1.0"))
        self.publish(sdist("bar", "1.0"))
        self.pass_time(SWEEP)
        self.asked()
        for seconds in (SWEEP, ROUND):
            self.pass_time(seconds)
            self.assertEqual(self.asked(), ["fingerprint None", "fingerprint bar", "fingerprint foo"])
        self.publish(sdist("foo", "2.0"))
        self.pass_time(ROUND)
        self.assertEqual(self.read(), ["foo-2.0.tar.gz"])
        self.result(self.catalog.project("foo"))
        self.assertEqual(self.read(), [])

    def test_p11_sweep_does_not_fill_the_memory(self) -> None:
        """What only a sweep looks at is not kept; of what is asked for, so much."""
        self.patch(project_cache, "MAX_FILES", 6)
        for name in ("a", "b", "c", "d"):
            self.publish(sdist(name, "1.0"))
        self.pass_time(SWEEP)
        kept = {name: self.project(name) for name in ("a", "b", "c")}
        self.assertIs(self.project("a"), kept["a"])
        self.project("d")
        for name in ("a", "b", "c", "d"):
            self.watched._changes[name] += 1
        self.pass_time(SWEEP)
        self.assertIs(self.project("a"), kept["a"])
        self.assertIsNot(self.project("b"), kept["b"])
        self.assertEqual(self.project("b"), kept["b"])

    def test_p13_a_round_lets_others_work(self) -> None:
        """Fingerprints of many projects are taken in a thread, some at a time."""
        lookout = HeldWorkers()
        self.catalog.close()
        self.catalog = SqliteCatalog(self.storage, None, InlineWorkers(), self.clock, lookout)
        self.patch(upkeep, "SLICE", 10)
        for number in range(25):
            self.publish(sdist(f"p{number:03}", "1.0"))
        self.catalog.open()
        self.addCleanup(self.catalog.close)
        self.pass_time(0)
        self.asked()
        lookout.work_all()
        asked = [what.partition(" ")[0] for what in self.asked()]
        self.assertEqual(asked[:10], ["fingerprint"] * 10)
        self.assertEqual(asked.count("read"), 25)

    def test_list_of_many_new_projects(self) -> None:
        """Many new projects are listed at once, and looked at later."""
        names = [f"p{number:02}" for number in range(FEW + 1)]
        for name in names:
            self.publish(sdist(name, "1.0"))
        projects = self.result(self.catalog.projects())
        self.assertEqual(projects, dict.fromkeys(names, 0))
        self.assertEqual(self.read(), [])
        self.pass_time(SWEEP)
        serials = self.result(self.catalog.projects()).values()
        self.assertEqual(len(set(serials) - {0}), len(names))

    def test_fault_a11_many_that_went(self) -> None:
        """They are in the list until it is seen that each has gone, which is soon."""
        memory = self.storage.blocking
        names = [f"p{number:02}" for number in range(FEW + 5)]
        for name in names:
            self.publish(sdist(name, "1.0"))
        self.pass_time(SWEEP)
        self.assertEqual(list(self.result(self.catalog.projects())), names)
        for name in names[1:]:
            memory._projects.pop(name)
            memory._changes[name] += 1
        memory._changes[None] += 1
        self.result(self.catalog.projects())
        self.pass_time(ROUND)
        self.assertEqual(list(self.result(self.catalog.projects())), names[:1])
        memory._projects.pop(names[0])
        memory._changes[names[0]] += 1
        memory._changes[None] += 1
        self.assertEqual(self.result(self.catalog.projects()), {})

    def test_many_ask_at_once(self) -> None:
        """All who want a project that has to be looked at share one look, and one may go away."""
        workers = HeldWorkers()
        catalog = SqliteCatalog(self.storage, None, workers, Clock())
        self.publish(sdist("foo", "1.0"))
        waiting = [Deferred.fromCoroutine(catalog.project("foo")) for _ in range(3)]
        waiting[0].cancel()
        workers.work_all()
        self.failureResultOf(waiting[0])
        self.assertIs(self.successResultOf(waiting[1]), self.successResultOf(waiting[2]))
        self.assertEqual(self.read(), ["foo-1.0.tar.gz"])

    def test_nothing_changed_after_all(self) -> None:
        """When a fingerprint moves for nothing, the very same object is given."""
        self.publish(sdist("foo", "1.0"))
        project = self.project("foo")
        self.watched._changes["foo"] += 1
        self.asked()
        self.assertIs(self.project("foo"), project)
        self.assertIn("project foo", self.asked())

    def test_forgotten(self) -> None:
        """A project that was forgotten is looked at by the next sweep, too."""
        self.publish(sdist("foo", "1.0"))
        self.project("foo")
        self.catalog.forget("foo")
        self.asked()
        self.pass_time(SWEEP)
        self.assertIn("project foo", self.asked())

    def test_closed_meanwhile(self) -> None:
        """A sweep ends when the catalog is closed."""
        for name in ("a", "b", "c"):
            self.publish(sdist(name, "1.0"))
        read = WatchedStorage.read

        def close_and_read(storage: WatchedStorage, *args: Any) -> Any:
            self.catalog.close()
            return read(storage, *args)

        self.patch(WatchedStorage, "read", close_and_read)
        self.asked()
        self.pass_time(SWEEP)
        self.assertEqual(self.read(), ["a-1.0.tar.gz"])

    def test_opened(self) -> None:
        """Nothing is begun before the reactor runs, lest a start that fails has to wait for its end."""
        self.asked()
        catalog = self.make_catalog(self.storage)
        catalog.open()
        self.assertEqual(self.asked(), [])
        catalog.close()
        self.pass_time(SWEEP)
        self.assertEqual(self.asked(), [])

    def test_closed(self) -> None:
        """Once it is closed, nothing is looked at."""
        self.publish(sdist("foo", "1.0"))
        self.asked()
        self.catalog.close()
        self.pass_time(10 * SWEEP)
        self.assertEqual(self.asked(), [])


class SerialTests(MemorySteps, Synchronous):
    """Serials, and the clock."""

    def test_above_the_seconds_since_2026(self) -> None:
        """No serial is below the seconds since 2026 began, and time that goes back does no harm."""
        self.clock.advance(1_767_225_600 + 5_000_000)
        self.publish(sdist("foo", "1.0"))
        self.news("foo")
        self.assertEqual([change.serial for change in self.changes()], [5_000_000, 5_000_001, 5_000_002])
        self.clock.rightNow += 100
        self.publish(sdist("foo", "2.0"))
        self.news("foo")
        self.assertEqual([change.serial for change in self.changes()][3:], [5_000_100, 5_000_101])
        self.clock.rightNow -= 10_000
        self.publish(sdist("foo", "3.0"))
        self.news("foo")
        self.assertEqual([change.serial for change in self.changes()][5:], [5_000_102, 5_000_103])

    def test_c176_below_the_limit_of_xmlrpc(self) -> None:
        """A clock that is wrong by centuries leaves room for serials of 31 bits."""
        self.clock.advance(1_767_225_600 + 2**33)
        self.publish(sdist("foo", "1.0"))
        self.news("foo")
        self.assertEqual(self.last_serial(), 2_000_000_002)

    def test_the_end_of_serials(self) -> None:
        """When there are no serials left, pages go on to be right."""
        assert isinstance(self.catalog, SqliteCatalog)
        self.publish(sdist("foo", "1.0"))
        self.news("foo")
        self.catalog._reconciler.database.run(
            lambda connection: connection.execute("UPDATE journal SET serial = 2147483646 WHERE serial = 3")
        )
        self.publish(sdist("foo", "2.0"))
        self.assertEqual(len(self.project("foo").files), 2)
        self.assertEqual(self.last_serial(), 3)


class SlowStorage(InlineStorage):
    """Lists projects when it is told to."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self.disk = HeldWorkers()

    async def project(self, name: str) -> StoredProject | None:
        await self.disk.run(lambda: None)
        return await super().project(name)

    async def scan(self, function: Callable[[IStorage], T]) -> T:
        await self.disk.run(lambda: None)
        return await super().scan(function)


class BeginningTests(MemorySteps, Synchronous):
    """The first look at a big tree, which takes long."""

    storage: SlowStorage

    def make_storage(self) -> InlineStorage:
        return SlowStorage()

    def setUp(self) -> None:
        super().setUp()
        for name in ("foo", "bar"):
            self.publish(sdist(name, "1.0"))
        self.noting = HeldWorkers()
        note = Scanner.save_listings

        async def held(scanner: Scanner, names: Sequence[str]) -> Sequence[str]:
            await self.noting.run(lambda: None)
            return await note(scanner, names)

        self.patch(Scanner, "save_listings", held)
        self.catalog = self.open_catalog()

    def ask(self) -> Deferred[Project | None]:
        return Deferred.fromCoroutine(self.catalog.project("foo"))

    def finish(self) -> None:
        """Let the journal begin."""
        self.noting.work_all()
        self.storage.disk.work_all()

    def page(self) -> Project:
        """Ask for a project that is there, without waiting for the journal."""
        waiting = self.ask()
        self.storage.disk.work_all()
        self.pass_time(PATIENCE)
        self.storage.disk.work_all()
        project = self.successResultOf(waiting)
        assert project is not None
        return project

    def test_a_moment(self) -> None:
        """A page waits for a moment, and has its serial if the journal begins in it."""
        waiting = self.ask()
        self.storage.disk.work_all()
        self.pass_time(PATIENCE / 2)
        self.assertNoResult(waiting)
        self.finish()
        project = self.successResultOf(waiting)
        assert project is not None
        self.assertGreater(project.serial, 0)

    def test_p12_right_without_a_serial(self) -> None:
        """Pages are right after that moment, and the ones after do not wait; serials come later."""
        page = self.page()
        self.assertEqual(([file.filename for file in page.files], page.serial), (["foo-1.0.tar.gz"], 0))
        self.yank("foo", "foo-1.0.tar.gz", "broken")
        waiting = self.ask()
        self.storage.disk.work_all()
        self.pass_time(0)
        self.storage.disk.work_all()
        page = self.successResultOf(waiting)
        assert page is not None
        self.assertEqual((page.files[0].yanked, page.serial), ("broken", 0))
        self.finish()
        self.assertGreater(self.page().serial, 0)
        self.assertEqual(
            [change.action for change in self.changes() if change.project == "foo"],
            ["create", "new release", "add source file foo-1.0.tar.gz", "yank release"],
        )

    def test_p12_many_projects(self) -> None:
        """With many projects nobody waits for their journal."""
        self.patch(first_journal, "MANY", 1)
        waiting = self.ask()
        self.storage.disk.work_all()
        self.pass_time(0)
        self.storage.disk.work_all()
        page = self.successResultOf(waiting)
        assert page is not None
        self.assertEqual((len(page.files), page.serial), (1, 0))
        self.finish()
        self.assertGreater(self.page().serial, 0)

    def test_begun(self) -> None:
        """Once the journal has begun, no page is given without a serial."""
        self.assertEqual(self.page().serial, 0)
        self.noting.work_all()
        for _ in ("foo", "bar"):
            self.storage.disk.work()
        self.assertGreater(self.page().serial, 0)

    def test_begun_meanwhile(self) -> None:
        """A page that was looked up before the journal began is not kept without its serial."""
        self.page()
        self.catalog.forget("foo")
        waiting = self.ask()
        self.pass_time(0)
        disk, self.storage.disk = self.storage.disk, HeldWorkers()
        self.finish()
        self.assertNoResult(waiting)
        disk.work_all()
        self.successResultOf(waiting)
        self.assertGreater(self.result(self.catalog.projects())["foo"], 0)
        self.assertGreater(self.page().serial, 0)

    def yank(self, name: str, filename: str, reason: str | None) -> None:
        disk, self.storage.disk = self.storage.disk, InlineWorkers()
        super().yank(name, filename, reason)
        self.storage.disk = disk
