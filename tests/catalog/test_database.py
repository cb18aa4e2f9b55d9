"""Damage to the database file of the catalog, after which pages are right all the same."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from pypid.catalog import schema, upkeep
from pypid.catalog.database import RESPITE
from pypid.catalog.sqlite import SqliteCatalog
from pypid.catalog.upkeep import SWEEP
from pypid.errors import StorageUnavailable
from pypid.interfaces import ICatalog
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalog_steps import CatalogSteps
from pypid.testing.fakes import InlineWorkers, Synchronous

SIDES = ("", "-wal", "-shm")


class DatabaseTests(CatalogSteps, Synchronous):
    """A catalog in a file that does not stay as it was."""

    def setUp(self) -> None:
        self.root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.path = self.root / ".pypid" / "catalog.sqlite"
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        super().setUp()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        self.publish(sdist("foo", "1.0"))
        self.publish(sdist("bar", "1.0"))
        self.publish(sdist("foo", "2.0"))
        self.pass_time(SWEEP)

    def observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("pypid.catalog"):
            self.lines.append(event["log_format"])

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        return SqliteCatalog(storage, self.path, InlineWorkers(), self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def assert_right(self, catalog: ICatalog | None = None) -> None:
        """Check that all pages are right, whatever the serials are."""
        catalog = catalog or self.catalog
        for name in ("foo", "bar"):
            project = self.result(catalog.project(name))
            stored = self.result(self.storage.project(name))
            assert project is not None and stored is not None
            files = sorted(project.files, key=lambda file: file.filename)
            self.assertEqual([file.filename for file in files], [file.filename for file in stored.files])
            for file, kept in zip(files, stored.files, strict=True):
                assert kept.record is not None
                self.assertEqual(file.hashes["sha256"], kept.record.sha256)
                self.assertEqual(file.yanked, kept.record.yanked)
        self.assertEqual(list(self.result(catalog.projects())), ["bar", "foo"])

    def delete(self, sides: Sequence[str] = SIDES) -> None:
        """Delete the file, and what lies beside it."""
        for side in sides:
            self.path.with_name(self.path.name + side).unlink(missing_ok=True)

    def order(self) -> list[str]:
        """Return the projects in the order of their last changes."""
        projects = self.result(self.catalog.projects())
        return sorted(projects, key=lambda name: projects[name])

    def assert_begins_anew(self, damage: Callable[[], object]) -> None:
        """Check that damage to the file does no harm; serials grow, and their order is the same."""
        before = self.result(self.catalog.projects())
        last = self.last_serial()
        damage()
        self.publish(wheel("foo", "2.0"))
        self.assert_right()
        self.pass_time(SWEEP)
        self.assert_right()
        for name, serial in self.result(self.catalog.projects()).items():
            self.assertGreater(serial, before[name])
            self.assertEqual(self.project(name).serial, serial)
        with closing(sqlite3.connect(self.path)) as tables:
            self.assertEqual(
                tables.execute("SELECT count(*) FROM files WHERE sha256 IS NULL").fetchall(), [(0,)]
            )
        self.assertGreater(self.last_serial(), last)
        self.assertEqual(self.order(), ["bar", "foo"])
        self.assertEqual(
            [change.project for change in self.changes(last) if change.action == "create"], ["foo", "bar"]
        )
        self.assertTrue(self.path.exists())

    def test_deleted(self) -> None:
        """It is deleted while the daemon runs, with what lies beside it or without."""
        for sides in (SIDES, SIDES[:1]):
            self.assert_begins_anew(lambda sides=sides: self.delete(sides))
            self.remove("foo", "foo-2.0-py3-none-any.whl")

    def test_deleted_unnoticed(self) -> None:
        """It is deleted, and nobody asks for anything: the next sweep makes it anew, whole."""
        self.delete()
        self.pass_time(SWEEP)
        with closing(sqlite3.connect(self.path)) as tables:
            files = tables.execute("SELECT count(*), count(sha256) FROM files").fetchall()
            self.assertEqual(files, [(3, 3)])
            self.assertEqual(tables.execute("SELECT count(*) FROM journal").fetchall(), [(8,)])

    def test_directory_deleted(self) -> None:
        """The whole directory is deleted while the daemon runs."""
        self.assert_begins_anew(lambda: shutil.rmtree(self.path.parent))

    def test_replaced(self) -> None:
        """It is replaced by garbage."""

        def garbage() -> None:
            self.delete()
            self.path.write_bytes(b"garbage" * 1000)

        self.assert_begins_anew(garbage)

    def test_emptied(self) -> None:
        """It is replaced by an empty file."""

        def empty() -> None:
            self.delete()
            self.path.touch()

        self.assert_begins_anew(empty)

    def test_other_version(self) -> None:
        """It is one that another version of pypid, or something else, has made."""
        self.catalog.close()
        with closing(sqlite3.connect(self.path)) as tables:
            tables.executescript(
                f"BEGIN; UPDATE files SET sha256 = 'x'; PRAGMA user_version = {schema.VERSION + 1}; COMMIT;"
            )
        self.assert_made_anew()
        self.catalog.close()
        self.delete()
        with closing(sqlite3.connect(self.path)) as tables:
            tables.execute("CREATE TABLE projects (name)")
        self.assert_made_anew()

    def assert_made_anew(self) -> None:
        """Check that the file is made anew at the start."""
        self.lines.clear()
        self.catalog = self.open_catalog()
        self.assert_right()
        self.assertEqual(len(self.changes()), 8)
        with closing(sqlite3.connect(self.path)) as tables:
            self.assertEqual(tables.execute("PRAGMA user_version").fetchall(), [(schema.VERSION,)])
        self.assertEqual(self.lines, [])

    def test_overwritten(self) -> None:
        """Its pages are overwritten in place."""
        self.catalog.close()
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (self.path.stat().st_size - 4096))
        self.catalog = self.open_catalog()
        self.assert_right()
        self.assertEqual(len(self.changes()), 8)

    def test_truncated(self) -> None:
        """It is cut off while it is not open."""
        for length in (0, 50, 5000):
            self.catalog.close()
            with self.path.open("r+b") as file:
                file.truncate(length)
            self.catalog = self.open_catalog()
            self.assert_right()
            self.assertEqual(len(self.changes()), 8)

    @contextmanager
    def unusable(self) -> Iterator[None]:
        """Check that pages are right although the file is damaged, and that one message says so."""
        self.lines.clear()
        last = self.last_serial()
        yield
        self.yank("foo", "foo-1.0.tar.gz", "broken")
        self.publish(wheel("foo", "2.0"))
        self.assert_right()
        self.publish(wheel("bar", "2.0"))
        self.assert_right()
        self.pass_time(SWEEP)
        self.assert_right()
        self.assertEqual(self.last_serial(), last)
        self.assertEqual(self.lines, ["{path} cannot be used, so pages are made without it: {error}"])

    def assert_heals(self) -> None:
        """Check that changes which were not recorded in the meantime are recorded now."""
        last = self.last_serial()
        self.pass_time(max(SWEEP, RESPITE))
        self.assertEqual(self.lines[1:], ["{path} can be used again"])
        self.assertEqual(
            sorted(change.action for change in self.changes(last)),
            [
                "add py3 file bar-2.0-py3-none-any.whl",
                "add py3 file foo-2.0-py3-none-any.whl",
                "new release",
                "yank release",
            ],
        )
        self.assert_right()

    def test_locked(self) -> None:
        """Another process is writing for long, and readers may go on."""
        self.patch(schema, "BUSY", 0)
        self.catalog.close()
        self.catalog = self.open_catalog()
        other = sqlite3.connect(self.path, isolation_level=None)
        with self.unusable():
            other.execute("BEGIN IMMEDIATE")
        other.close()
        self.assert_heals()

    def test_locked_for_all(self) -> None:
        """Another process has it for itself."""
        self.patch(schema, "BUSY", 0)
        self.catalog.close()
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        self.catalog = self.open_catalog()
        self.assert_right()
        other.close()
        self.pass_time(SWEEP)
        self.assert_right()
        self.assertEqual(len(self.changes()), 8)

    def test_t67_disk_full(self) -> None:
        """There is no room for it to grow."""
        self.catalog.close()
        connect = schema.connect

        def cramped(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            [[pages]] = connection.execute("PRAGMA page_count")
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        self.catalog = self.open_catalog()
        self.patch(schema, "connect", cramped)
        for number in range(200):
            self.publish(sdist("foo", f"3.{number}"))
        self.project("foo")
        self.catalog.close()
        self.catalog = self.open_catalog()
        for number in range(200):
            self.publish(sdist("foo", f"4.{number}"))
        self.assert_right()
        self.pass_time(SWEEP)
        self.patch(schema, "connect", connect)
        self.pass_time(SWEEP)
        self.assert_right()
        self.assertEqual(len(self.changes()), 8 + 800)

    def block(self) -> None:
        """Put a file where its directory should be."""
        shutil.rmtree(self.path.parent)
        self.path.parent.touch()

    def test_fault_b1_no_directory(self) -> None:
        """There is a file where its directory should be: it is not tried for each page."""
        tried = []
        connect = schema.connect
        self.patch(schema, "connect", lambda path: (tried.append(path), connect(path))[1])
        self.block()
        self.catalog.close()
        self.catalog = self.open_catalog()
        self.assert_right()
        # That nothing happened would be false: mirrors and feeds hear that it cannot be told.
        for asked in (self.catalog.changes(0, 1), self.catalog.latest(1, first_only=False)):
            self.failure(asked, StorageUnavailable)
        self.assertEqual(len(tried), 1)
        self.assertEqual(self.lines, ["{path} cannot be used, so pages are made without it: {error}"])
        self.path.parent.unlink()
        self.pass_time(SWEEP)
        self.assert_right()
        self.assertEqual(len(self.changes()), 8)

    def test_serials_do_not_fall(self) -> None:
        """While it cannot be used, pages have the serials that they had."""
        serial = self.project("foo").serial
        self.block()
        self.publish(wheel("foo", "2.0"))
        self.assertEqual((len(self.project("foo").files), self.project("foo").serial), (3, serial))

    def test_sweep_gives_up(self) -> None:
        """A sweep does not go on to read files when there is nowhere to write to any more."""
        self.patch(upkeep, "SLICE", 1)
        for number in range(3):
            self.publish(sdist(f"new{number}", "1.0"))
        reads = []
        read = MemoryStorage.read

        def block_and_read(storage: MemoryStorage, project: str, *args: Any) -> Any:
            reads.append(project)
            self.block()
            return read(storage, project, *args)

        self.patch(MemoryStorage, "read", block_and_read)
        self.pass_time(SWEEP)
        self.assertEqual(set(reads), {"new0"})
