"""Several processes with one catalog: as many catalogs over one file and one storage."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pypid.catalog.sqlite import SqliteCatalog
from pypid.catalog.upkeep import SWEEP
from pypid.interfaces import ICatalog
from pypid.model import Project
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalog_steps import CatalogSteps
from pypid.testing.fakes import HeldWorkers, InlineWorkers, Synchronous


class SharingTests(CatalogSteps, Synchronous):
    """Two catalogs, and who writes what."""

    def setUp(self) -> None:
        self.root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.path = self.root / "catalog.sqlite"
        self.clock = Clock()
        super().setUp()

    def make_catalog(self, storage: ThreadedStorage, workers: Any = None) -> ICatalog:
        return SqliteCatalog(storage, self.path, workers or InlineWorkers(), self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def actions(self) -> Sequence[str]:
        return [change.action for change in self.changes()]

    def start(self, catalog: ICatalog) -> Deferred[Project | None]:
        return Deferred.fromCoroutine(catalog.project("foo"))

    def test_each_change_once(self) -> None:
        """Whoever comes second finds the change written down, and has the same serials."""
        other = self.open_catalog()
        for build in (sdist("foo", "1.0"), sdist("foo", "2.0")):
            self.publish(build)
            self.assertEqual(self.result(other.project("foo")), self.project("foo"))
        self.yank("foo", "foo-1.0.tar.gz", "broken")
        self.assertEqual(self.project("foo"), self.result(other.project("foo")))
        self.assertEqual(
            self.actions(),
            [
                "create",
                "new release",
                "add source file foo-1.0.tar.gz",
                "new release",
                "add source file foo-2.0.tar.gz",
                "yank release",
            ],
        )
        self.pass_time(SWEEP)
        self.assertEqual(self.result(other.projects()), self.result(self.catalog.projects()))
        self.assertEqual(self.result(other.last_serial()), self.last_serial())
        self.assertEqual(len(self.actions()), 6)

    def test_fault_a11_what_another_process_writes_is_heard_of_at_once(self) -> None:
        """Lists and serials show it when they are next asked for; nothing is read while it writes nothing."""
        for name in ("foo", "bar"):
            self.publish(sdist(name, "1.0"))
        workers = HeldWorkers()
        catalog = self.make_catalog(self.storage, workers)
        catalog.open()
        self.addCleanup(workers.work_all)
        self.addCleanup(catalog.close)
        self.pass_time(0)
        workers.work_all()
        waiting = Deferred.fromCoroutine(catalog.projects())
        workers.work_all()
        before = self.successResultOf(waiting)
        self.assertIs(self.result(catalog.projects()), before)
        self.assertEqual(self.result(catalog.last_serial()), max(before.values()))

        self.yank("foo", "foo-1.0.tar.gz", "broken")
        self.project("foo")
        waiting, serial = (
            Deferred.fromCoroutine(catalog.projects()),
            Deferred.fromCoroutine(catalog.last_serial()),
        )
        self.assertNoResult(waiting)
        workers.work_all()
        after = self.successResultOf(waiting)
        self.assertEqual(dict(after), {"bar": before["bar"], "foo": self.last_serial()})
        self.assertEqual(self.successResultOf(serial), self.last_serial())
        self.assertIs(self.result(catalog.projects()), after)

    def test_fault_a11_a_project_that_another_process_made(self) -> None:
        """It is there with its serial, and gone when that found it gone."""
        other = self.open_catalog()
        self.publish(sdist("foo", "1.0"))
        self.project("foo")
        self.assertEqual(self.result(other.projects()), {"foo": self.last_serial()})
        memory = self.storage.blocking
        assert isinstance(memory, MemoryStorage)
        memory._projects.pop("foo")
        memory._changes["foo"] += 1
        memory._changes[None] += 1
        self.assertIsNone(self.result(self.catalog.project("foo")))
        self.assertEqual(self.result(other.projects()), {})
        self.assertEqual(self.result(other.last_serial()), self.last_serial())

    def test_fault_a11_asked_for_while_news_are_read(self) -> None:
        """Who asks while others wait for what was written earlier hears of what was written since."""
        self.publish(sdist("foo", "1.0"))
        workers = HeldWorkers()
        catalog = self.make_catalog(self.storage, workers)
        self.addCleanup(workers.work_all)
        self.addCleanup(catalog.close)
        serials = []
        waiting = []
        for version in ("2.0", "3.0", "4.0"):
            self.publish(sdist("foo", version))
            serials.append(self.project("foo").serial)
            waiting.append(Deferred.fromCoroutine(catalog.last_serial()))
            workers.work()
        workers.work_all()
        for each, serial in zip(waiting, serials, strict=True):
            self.assertGreaterEqual(self.successResultOf(each), serial)

    def test_fault_a11_the_file_is_made_anew(self) -> None:
        """Another process's writing is heard of in the new file as well."""
        other = self.open_catalog()
        self.publish(sdist("foo", "1.0"))
        self.project("foo")
        self.assertEqual(self.result(other.last_serial()), self.last_serial())
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink()
        self.publish(sdist("foo", "2.0"))
        serial = self.project("foo").serial
        self.assertEqual(self.result(other.projects()), {"foo": serial})
        self.publish(sdist("foo", "3.0"))
        self.assertGreater(self.project("foo").serial, serial)
        self.assertEqual(self.result(other.last_serial()), self.last_serial())
        self.assertEqual(self.result(other.projects()), self.result(self.catalog.projects()))

    def test_old_listing(self) -> None:
        """An old listing does not undo what another process has written, however the steps fall."""
        journal = []
        for number, steps in enumerate(range(1, 10)):
            workers = HeldWorkers()
            slow = self.make_catalog(self.storage, workers)
            one = self.publish(wheel("foo", f"{number}.0"))
            waiting = self.start(slow)
            for _ in range(steps):
                workers.work()
            other = self.publish(wheel("foo", f"{number}.1"))
            self.project("foo")
            workers.work_all()
            found = self.successResultOf(waiting)
            assert found is not None
            self.assertTrue(found.file(one))
            waiting = self.start(slow)
            workers.work_all()
            self.assertEqual(self.successResultOf(waiting), self.project("foo"))
            for name in (one, other):
                journal += ["new release", f"add py3 file {name}"]
        self.assertEqual(self.actions(), ["create", *journal])

    def test_race(self) -> None:
        """Of two that look at the same change in step, one writes it."""
        workers = [HeldWorkers(), HeldWorkers()]
        catalogs = [self.make_catalog(self.storage, each) for each in workers]
        for build in (sdist("foo", "1.0"), wheel("foo", "1.0")):
            self.publish(build)
            waiting = [self.start(catalog) for catalog in catalogs]
            for _ in range(30):
                for each in workers:
                    each.work()
            one, other = map(self.successResultOf, waiting)
            self.assertEqual(one, other)
        self.assertEqual(len(self.actions()), 4)

    def test_race_for_a_new_catalog(self) -> None:
        """Two that begin at the same time put what is there into the journal once."""
        for name in ("foo", "bar"):
            self.publish(sdist(name, "1.0"))
        self.catalog.close()
        self.path.unlink()
        workers = [HeldWorkers(), HeldWorkers()]
        catalogs = [self.make_catalog(self.storage, each) for each in workers]
        for catalog in catalogs:
            catalog.open()
            self.addCleanup(catalog.close)
        self.pass_time(0)
        for _ in range(100):
            for each in workers:
                each.work()
        self.assertEqual(len(self.actions()), 6)
        lists = [Deferred.fromCoroutine(catalog.projects()) for catalog in catalogs]
        for each in workers:
            each.work_all()
        one, other = map(self.successResultOf, lists)
        self.assertEqual(one, other)
        self.assertGreater(min(one.values()), 0)

    def test_gone(self) -> None:
        """A project that is gone is told once, and comes back as a new one."""
        other = self.open_catalog()
        self.publish(sdist("foo", "1.0"))
        self.project("foo")
        self.result(other.project("foo"))
        memory = self.storage.blocking
        assert isinstance(memory, MemoryStorage)
        kept = memory._projects.pop("foo")
        memory._changes["foo"] += 1
        memory._changes[None] += 1
        for catalog in (self.catalog, other):
            self.assertIsNone(self.result(catalog.project("foo")))
            self.assertEqual(self.result(catalog.projects()), {})
        self.pass_time(SWEEP)
        self.assertEqual(self.result(other.last_serial()), self.last_serial())
        memory._set("foo", kept)
        for catalog in (self.catalog, other):
            self.assertEqual(self.result(catalog.projects()).keys(), {"foo"})
        self.assertEqual(self.actions()[3:], ["remove project", *self.actions()[:3]])

    def test_deleted_while_others_have_it_open(self) -> None:
        """Whoever makes the file anew does not share with them what SQLite keeps beside the old one."""
        other = self.open_catalog()
        self.publish(sdist("foo", "1.0"))
        self.project("foo")
        shared = self.path.with_name("catalog.sqlite-shm")
        before = shared.stat().st_ino
        self.path.unlink()
        self.publish(sdist("foo", "2.0"))
        self.project("foo")
        self.assertNotEqual(shared.stat().st_ino, before)
        self.assertEqual(self.result(other.project("foo")), self.project("foo"))
        self.assertEqual(len(self.changes(3)), 5)

    def test_readers(self) -> None:
        """While one writes, others read."""
        self.publish(sdist("foo", "1.0"))
        self.project("foo")
        writer = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(writer.close)
        writer.execute("BEGIN IMMEDIATE")
        other = self.open_catalog()
        self.assertEqual(self.result(other.project("foo")), self.project("foo"))
        self.assertEqual(len(self.result(other.changes(0, 10))), 3)
