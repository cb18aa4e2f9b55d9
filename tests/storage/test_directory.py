"""Tests of storage in a directory tree: the contracts, opening and closing."""

from __future__ import annotations

import os
import stat
import time
from errno import EACCES, EIO, EXDEV
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred

from pypid.errors import CannotStart, InvalidFilename
from pypid.interfaces import IStorage, IWorkers
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.directory import DirectoryStorage
from pypid.storage.operations import Operations
from pypid.testing.fakes import HeldWorkers, Synchronous
from pypid.testing.staging import StagingContract
from pypid.testing.steps import StorageSteps, publication, scratch
from pypid.testing.storage import StorageContract

SDIST = "foo-1.0.tar.gz"


class NoLinks(Operations):
    """A disk that will not link."""

    def __init__(self, code: int) -> None:
        self.code = code

    def link(self, source: int, name: str, target: int, new_name: str) -> None:
        raise OSError(self.code, os.strerror(self.code))


class TestDirectoryStorage(StorageContract, Synchronous):
    """A directory keeps the promises of a storage."""

    ahead = 0

    def make_storage(self) -> IStorage:
        detector = ChangeDetector(lambda: time.time_ns() + self.ahead)
        return DirectoryStorage(scratch(self) / "root", detector=detector)

    def settle(self) -> None:
        self.ahead += 10_000_000_000


class TestDirectoryStaging(StagingContract, Synchronous):
    """A directory keeps the promises of a staging."""

    def make_storage(self) -> IStorage:
        return DirectoryStorage(scratch(self) / "root")

    def test_t12_publication_is_vetted(self) -> None:
        """Even a publication that nobody validated gets nowhere."""
        staging = self.stage(b"sdist")
        said = publication(SDIST, b"sdist")
        object.__setattr__(said, "filename", "../../foo-1.0.tar.gz")
        self.failure(staging.publish(said), InvalidFilename)
        self.result(staging.discard())

    def test_what_a_publisher_that_died_left_founds_nothing(self) -> None:
        """A record without its file, and without a removal, is of a file that never was there."""
        assert isinstance(self.storage.blocking, DirectoryStorage)
        self.result(self.stage(b"one").publish(publication(SDIST, b"one", founder="eve")))
        (self.storage.blocking.root / "simple" / "foo" / SDIST).unlink()
        self.result(self.stage(b"one").publish(publication(SDIST, b"one", founder="ann")))
        [file] = self.files("foo")
        assert file.record is not None
        self.assertEqual(file.record.founder, "ann")


class TestCancelling(StorageSteps, Synchronous):
    """Who waits may give up at any time."""

    def make_storage(self) -> IStorage:
        self.root = scratch(self) / "root"
        return DirectoryStorage(self.root)

    def make_workers(self) -> IWorkers:
        self.workers = HeldWorkers()
        return self.workers

    def staged(self) -> list[Path]:
        return list(self.root.glob(".pypid/staging/*/*"))

    def test_publish(self) -> None:
        """A publish goes on to its end, and discarding the staging meanwhile changes nothing."""
        staging = Deferred.fromCoroutine(self.storage.stage())
        self.workers.work_all()
        staged = self.successResultOf(staging)
        staged.write(b"sdist")
        publishing = Deferred.fromCoroutine(staged.publish(publication(SDIST, b"sdist")))
        publishing.cancel()
        self.failureResultOf(publishing, CancelledError)
        self.result(staged.discard())
        self.workers.work_all()
        self.assertEqual((self.root / "simple" / "foo" / SDIST).read_bytes(), b"sdist")
        self.assertEqual(self.staged(), [])

    def test_stage(self) -> None:
        """Nothing is staged for somebody who did not wait for it."""
        staging = Deferred.fromCoroutine(self.storage.stage())
        staging.cancel()
        self.workers.work_all()
        self.failureResultOf(staging, CancelledError)
        self.assertEqual(self.staged(), [])

    def test_content(self) -> None:
        """A file that was opened for somebody who did not wait for it is closed."""
        (self.root / "simple" / "foo").mkdir()
        path = self.root / "simple" / "foo" / SDIST
        path.write_bytes(b"sdist")
        content = Deferred.fromCoroutine(self.storage.content("foo", SDIST))
        content.cancel()
        self.failureResultOf(content, CancelledError)
        self.workers.work_all()
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        self.assertNotIn(path.absolute(), [link.readlink() for link in links])


class TestOpen(Synchronous):
    """A storage gets ready, or says in one line why it cannot."""

    def open(self, root: Path, operations: Operations | None = None) -> DirectoryStorage:
        storage = DirectoryStorage(root, operations or Operations())
        storage.open()
        self.addCleanup(storage.close)
        return storage

    def refusal(self, root: Path, operations: Operations | None = None) -> str:
        with self.assertRaises(CannotStart) as caught:
            self.open(root, operations)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        return message

    def test_makes_root(self) -> None:
        """A missing root is made, with its parents, as a directory that others may read."""
        root = scratch(self) / "a" / "b"
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        self.open(root)
        self.assertEqual(stat.S_IMODE((root / "simple").stat().st_mode), 0o755)
        self.assertEqual(list((root / "simple").iterdir()), [])

    def test_again(self) -> None:
        """Opening a root that was used before changes nothing in it."""
        root = scratch(self) / "root"
        self.open(root).close()
        before = sorted(root.rglob("*"))
        self.open(root).close()
        self.assertEqual(sorted(root.rglob("*")), before)

    def test_root_is_a_file(self) -> None:
        """A root that is a file, or in one, is refused."""
        root = scratch(self) / "root"
        root.write_bytes(b"")
        for path in (root, root / "deeper"):
            self.assertIn("is not a directory", self.refusal(path))

    def test_simple_is_a_file(self) -> None:
        """So is a root in which a file is in the way."""
        root = scratch(self) / "root"
        root.mkdir()
        (root / "simple").write_bytes(b"")
        self.assertIn("is not a directory", self.refusal(root))

    def test_other_file_system(self) -> None:
        """Staging on another file system than the files is refused."""
        self.assertIn("must be on one file system", self.refusal(scratch(self) / "root", NoLinks(EXDEV)))

    def test_not_writable(self) -> None:
        """A root that may not be written to is refused."""
        root = scratch(self) / "root"
        self.assertIn(f"cannot write to {root}", self.refusal(root, NoLinks(EACCES)))

    def test_defect(self) -> None:
        """Any other reason is given as the system gives it."""
        root = scratch(self) / "root"
        self.assertEqual(self.refusal(root, NoLinks(EIO)), f"cannot use {root}: Input/output error")

    def test_refusal_leaves_no_litter(self) -> None:
        """A storage that could not be opened leaves no staging directory, and may be closed."""
        root = scratch(self) / "root"
        storage = DirectoryStorage(root, NoLinks(EIO))
        self.assertRaises(CannotStart, storage.open)
        self.assertEqual(list(root.glob(".pypid/staging/*")), [])
        self.assertEqual(list(root.glob("simple/*")), [])
        storage.close()


class TestModes(StorageSteps, Synchronous):
    """Another server may serve the tree, if the umask lets it."""

    def make_storage(self) -> IStorage:
        self.root = scratch(self) / "root"
        return DirectoryStorage(self.root)

    def test_modes(self) -> None:
        """Files and directories are readable for all, less what the umask takes away."""
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        for umask, filename in ((0o002, SDIST), (0o022, "baz-1.zip"), (0o077, "bar-1.0.tar.gz")):
            os.umask(umask)
            self.publish(filename, b"sdist", b"Name: foo")
            directory = self.root / "simple" / filename[:3]
            self.assertEqual(stat.S_IMODE(directory.stat().st_mode), 0o755 & ~umask)
            for path in (directory / filename, directory / f"{filename}.metadata"):
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o644 & ~umask)
