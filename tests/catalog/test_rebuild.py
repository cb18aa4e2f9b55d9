"""A catalog of a directory tree: made anew, restored, and changed by hand."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from pypid.catalog.sqlite import SqliteCatalog
from pypid.catalog.upkeep import SWEEP
from pypid.interfaces import ICatalog
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.change_detector import SETTLED_NS, ChangeDetector
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalog_steps import CatalogSteps
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.inline import InlineStorage


class TreeTests(CatalogSteps, Synchronous):
    """A tree, and a catalog in it."""

    def setUp(self) -> None:
        self.root = Path(mkdtemp())
        self.simple = self.root / "simple"
        self.addCleanup(shutil.rmtree, self.root)
        self.now: Callable[[], int] = time.time_ns
        self.clock = Clock()
        super().setUp()

    def make_storage(self, root: Path | None = None) -> InlineStorage:
        return InlineStorage(DirectoryStorage(root or self.root, detector=ChangeDetector(lambda: self.now())))

    def make_catalog(self, storage: ThreadedStorage, workers: Any = None) -> ICatalog:
        assert isinstance(storage.blocking, DirectoryStorage)
        path = storage.blocking.root / ".pypid" / "catalog.sqlite"
        return SqliteCatalog(storage, path, workers or InlineWorkers(), self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def settle(self) -> None:
        """Let everything that was done so far be long ago."""
        self.now = lambda: time.time_ns() + 5 * SETTLED_NS

    def put(self, build: tuple[str, bytes], directory: str, days_ago: int = 0) -> Path:
        """Put a file into the tree, as cp -p does."""
        target = self.simple / directory / build[0]
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(build[1])
        moment = time.time() - days_ago * 86400
        os.utime(target, (moment, moment))
        return target

    def fill(self) -> None:
        """Fill the tree in many ways, one after the other."""
        self.publish(sdist("foo", "1.0"))
        self.publish(wheel("bar", "1.0"))
        provenance = b'{"version":1,"attestation_bundles":[{}]}'
        self.publish(wheel("foo", "1.0"), signature=b"signature", provenance=provenance)
        self.publish(sdist("baz", "1.0"))
        self.publish(sdist("baz", "2.0"))
        self.publish(sdist("bar", "2.0"))
        self.yank("foo", "foo-1.0.tar.gz", "broken")
        self.remove("baz", "baz-2.0.tar.gz")
        self.put(sdist("old", "1.0"), "Old", 2000)
        (self.simple / "empty").mkdir()

    def rebuild(self) -> None:
        """Delete the catalog, and have it made anew."""
        self.catalog.close()
        shutil.rmtree(self.root / ".pypid")
        self.catalog = self.open_catalog()

    def order(self, catalog: ICatalog) -> list[str]:
        projects = self.result(catalog.projects())
        self.assertNotIn(0, projects.values())
        return sorted(projects, key=lambda name: projects[name])

    def test_order_of_publication(self) -> None:
        """What is there is put into the journal in the order in which it was published."""
        self.fill()
        self.pass_time(SWEEP)
        rows = self.changes()
        files = [row.action.split()[-1] for row in rows if row.action.startswith("add ")]
        self.rebuild()
        again = [row.action.split()[-1] for row in self.changes() if row.action.startswith("add ")]
        self.assertEqual(
            again,
            [
                "old-1.0.tar.gz",
                "foo-1.0.tar.gz",
                "bar-1.0-py3-none-any.whl",
                "foo-1.0-py3-none-any.whl",
                "baz-1.0.tar.gz",
                "bar-2.0.tar.gz",
            ],
        )
        self.assertEqual(sorted(again), sorted(files))
        self.assertEqual(
            [(row.project, row.action) for row in self.changes() if "remove" in row.action],
            [("baz", "remove file baz-2.0.tar.gz")],
        )
        [first] = [row for row in self.changes() if row.action == "add py3 file bar-1.0-py3-none-any.whl"]
        self.assertEqual(first.time, self.project("bar").files[0].upload_time)

    def test_sidecars_by_hand(self) -> None:
        """A signature and provenance that are put beside a file, changed or removed, are news of it."""
        self.publish(sdist("foo", "1.0"))
        self.put(sdist("foo", "2.0"), "foo", 1)
        self.project("foo")
        for filename in ("foo-1.0.tar.gz", "foo-2.0.tar.gz"):
            self.settle()
            self.news("foo")
            signature = self.put((f"{filename}.asc", b"signature"), "foo")
            self.assertEqual(self.news("foo"), [f"change signature of {filename}"])
            digests = set()
            for bundles in ("[{}]", "[{},{}]"):
                data = b'{"version":1,"attestation_bundles":%s}' % bundles.encode()
                provenance = self.put((f"{filename}.new", data), "foo")
                provenance = provenance.rename(provenance.with_suffix(".provenance"))
                self.assertEqual(self.news("foo"), [f"change provenance of {filename}"])
                [file] = [one for one in self.project("foo").files if one.filename == filename]
                self.assertTrue(file.signed)
                self.assertEqual(file.provenance, sha256(data).hexdigest())
                digests.add(file.provenance)
            self.assertEqual(len(digests), 2)
            provenance.write_bytes(b"no provenance")
            self.catalog.forget("foo")
            self.assertEqual(self.news("foo"), [f"change provenance of {filename}"])
            provenance.unlink()
            self.assertEqual(self.news("foo"), [])
            signature.unlink()
            self.assertEqual(self.news("foo"), [f"change signature of {filename}"])

    def test_restored_copy(self) -> None:
        """A copy of the tree elsewhere, without the catalog: same pages, same order, same yanks."""
        self.fill()
        self.rebuild()
        root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        shutil.copytree(self.root / "simple", root / "simple")
        storage = self.make_storage(root)
        storage.open()
        self.addCleanup(storage.close)
        other = self.make_catalog(storage)
        other.open()
        self.addCleanup(other.close)
        self.assertEqual(self.order(other), self.order(self.catalog))
        for name in self.result(self.catalog.projects()):
            self.assertEqual(self.result(other.project(name)), self.project(name))
        self.assertEqual(self.project("foo").file("foo-1.0.tar.gz").yanked, "broken")
        actions = [(row.project, row.action) for row in self.changes()]
        self.assertEqual([(row.project, row.action) for row in self.result(other.changes(0, 999))], actions)

    def test_p11_nothing_is_read_at_a_start(self) -> None:
        """With a catalog at hand, a start reads no archive, and takes up where the last one ended."""
        self.fill()
        self.pass_time(SWEEP)
        pages = {name: self.project(name) for name in self.result(self.catalog.projects())}
        rows = self.changes()
        self.catalog.close()
        self.patch(DirectoryStorage, "read", None)
        self.catalog = self.open_catalog()
        self.pass_time(SWEEP)
        self.assertEqual({name: self.project(name) for name in pages}, pages)
        self.assertEqual(self.changes(), rows)
        self.assertEqual(
            self.result(self.catalog.projects()), {name: page.serial for name, page in pages.items()}
        )

    def test_changed_while_the_daemon_was_away(self) -> None:
        """What was done to the tree meanwhile is in the journal after the start, once."""
        self.fill()
        self.pass_time(SWEEP)
        last = self.last_serial()
        self.catalog.close()
        shutil.rmtree(self.simple / "foo")
        self.put(sdist("new", "1.0"), "new")
        (self.simple / "Old" / "old-1.0.tar.gz").unlink()
        self.catalog = self.open_catalog()
        self.pass_time(SWEEP)
        self.assertEqual(
            sorted((row.project, row.action) for row in self.changes(last)),
            [
                ("foo", "remove project"),
                ("new", "add source file new-1.0.tar.gz"),
                ("new", "create"),
                ("new", "new release"),
                ("old", "remove project"),
            ],
        )

    def test_changed_by_hand(self) -> None:
        """What is done by hand shows on the next request, also within one tick of the clock, and is told."""
        self.put(sdist("foo", "1.0"), "foo")
        self.assertEqual(self.news("foo"), ["create", "new release", "add source file foo-1.0.tar.gz"])
        self.clock.advance(time.time())
        tick = time.time_ns()
        for payload in (b"1", b"2", b"3"):
            path = self.put(sdist("foo", "1.0", payload=payload), "foo")
            os.utime(path, ns=(tick, tick))
            self.assertEqual(
                self.news("foo"), ["remove file foo-1.0.tar.gz", "add source file foo-1.0.tar.gz"]
            )
        path.unlink()
        self.assertEqual(self.news("foo"), ["remove project"])
        path.parent.rmdir()
        self.assertEqual(self.news("foo"), [])
        self.assertIsNone(self.result(self.catalog.project("foo")))

    def test_touched(self) -> None:
        """A file that is copied over by itself with its times is read again, and not in the journal."""
        path = self.put(sdist("foo", "1.0"), "foo", 3)
        self.news("foo")
        copy = path.with_name("copy")
        shutil.copy2(path, copy)
        copy.rename(path)
        self.assertEqual(self.news("foo"), [])

    def test_copied_without_times(self) -> None:
        """A record holds for the very same bytes, also when they were copied without their times."""
        self.fill()
        self.rebuild()
        pages = {name: self.project(name) for name in self.result(self.catalog.projects())}
        order = self.order(self.catalog)
        for path in self.simple.glob("*/[!.]*.*"):
            if path.name != "old-1.0.tar.gz":
                os.utime(path)
        for _ in range(2):
            for name, page in pages.items():
                files = [evolve(file, modified_ns=None) for file in self.project(name).files]
                self.assertEqual(files, [evolve(file, modified_ns=None) for file in page.files])
            self.assertEqual(self.order(self.catalog), order)
            self.rebuild()

    def test_fault_b2_other_bytes_than_were_published(self) -> None:
        """They are withheld, loudly, until the right ones are back; nothing takes the name meanwhile."""
        build = sdist("foo", "1.0")
        one = self.publish(build, signature=b"signature")
        other = self.publish(wheel("foo", "2.0"))
        self.settle()
        self.assertEqual(len(self.project("foo").files), 2)
        self.news("foo")
        path = self.simple / "foo" / one
        changed = sdist("foo", "1.0", payload=b"other")[1]
        with capturedLogs() as logs:
            path.write_bytes(changed)
            os.utime(path, (1_000_000_000, 1_000_000_000))
            self.catalog.forget("foo")
            self.assertEqual(self.news("foo"), [f"remove file {one}", "remove release"])
            for _ in range(3):
                project = self.project("foo")
                self.assertEqual([file.filename for file in project.files], [other])
                reason = f"{one} is withheld: its bytes are not those that were published here"
                self.assertEqual(project.withheld, {one: reason})
                self.settle()
                self.catalog.forget("foo")
            self.assertEqual(self.news("foo"), [])
        said = [log["log_format"].format(**log) for log in logs if log["log_level"] is LogLevel.error]
        old, new = (sha256(data).hexdigest() for data in (build[1], changed))
        self.assertEqual(len(said), 1, said)
        self.assertTrue(said[0].startswith(f"{one} is withheld: its bytes were changed on disk. "), said)
        self.assertIn(f"{old}, and has {new} now", said[0])
        self.rebuild()
        self.assertEqual([file.filename for file in self.project("foo").files], [other])
        path.write_bytes(build[1])  # without its time, as cp does
        os.utime(path, (1_100_000_000, 1_100_000_000))
        self.catalog.forget("foo")
        self.assertEqual(self.news("foo"), ["new release", f"add source file {one}"])
        file = self.project("foo").file(one)
        assert file is not None
        self.assertEqual((file.hashes, file.signed), ({"sha256": old}, True))

    def test_fault_b2_only_touched(self) -> None:
        """A file of which only the time is another one is hashed once, and stays what it was."""
        one = self.publish(sdist("foo", "1.0"))
        self.settle()
        before = self.project("foo").file(one)
        assert before is not None
        os.utime(self.simple / "foo" / one, (1_000_000_000, 1_000_000_000))
        self.catalog.forget("foo")
        self.assertEqual(self.news("foo"), [])
        after = self.project("foo").file(one)
        assert after is not None
        self.assertEqual((after.hashes, after.upload_time), (before.hashes, before.upload_time))

    def test_fault_b2_copied_over_by_hand(self) -> None:
        """What was never published here is what lies there."""
        path = self.put(sdist("foo", "1.0"), "foo", days_ago=2)
        self.project("foo")
        self.put(sdist("foo", "1.0", payload=b"other"), "foo", days_ago=1)
        self.settle()
        self.catalog.forget("foo")
        file = self.project("foo").file(path.name)
        assert file is not None
        self.assertEqual(file.hashes["sha256"], sha256(path.read_bytes()).hexdigest())
