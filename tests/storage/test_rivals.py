"""Tests of threads and processes that meet at bad moments."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from errno import EIO
from fcntl import LOCK_EX, flock
from pathlib import Path
from threading import Event
from unittest import SkipTest

from pypid.errors import FileExists, StorageUnavailable
from pypid.interfaces import IStorage
from pypid.storage.directory import DirectoryStorage
from pypid.storage.operations import Operations
from pypid.testing.fakes import Synchronous
from pypid.testing.inline import admit_all
from pypid.testing.steps import StorageSteps, publication, scratch

SDIST = "foo-1.0.tar.gz"


class Interrupted(Operations):
    """Operations into which somebody else comes."""

    def __init__(self) -> None:
        self.after_mkdir: Callable[[], object] | None = None
        self.before_link: Callable[[], object] | None = None
        self.writing: Event | None = None
        self.go_on = Event()

    def mkdir(self, directory: int, name: str) -> None:
        try:
            super().mkdir(directory, name)
        finally:
            interruption, self.after_mkdir = self.after_mkdir, None
            if interruption is not None:
                interruption()

    def link(self, source: int, name: str, target: int, new_name: str) -> None:
        if self.before_link is not None and new_name == SDIST:
            self.before_link()
        super().link(source, name, target, new_name)

    def write(self, file: int, data: bytes) -> None:
        writing, self.writing = self.writing, None
        if writing is not None:
            writing.set()
            assert self.go_on.wait(10)
        super().write(file, data)


def locked(directory: Path) -> int:
    """Lock a directory, as a publisher or a sweeper does."""
    descriptor = os.open(directory, os.O_RDONLY)
    flock(descriptor, LOCK_EX)
    return descriptor


def wait_for_rival(lock: int) -> None:
    """Wait until somebody waits for a lock."""
    locks = Path("/proc/locks")
    if not locks.exists():
        raise SkipTest("needs /proc/locks, to see that somebody waits for a lock")
    inode = f":{os.fstat(lock).st_ino} "
    deadline = time.monotonic() + 10
    while not any("->" in line and inode in line for line in locks.read_text().splitlines()):
        assert time.monotonic() < deadline


def leads_to(link: Path, directory: Path) -> bool:
    """Return whether something is a symbolic link to a directory, now."""
    return link.is_symlink() and link.readlink() == directory


class TestRivals(StorageSteps, Synchronous):
    """Whoever comes second waits, or tries again."""

    def make_storage(self) -> IStorage:
        self.root = scratch(self) / "root"
        self.interrupted = Interrupted()
        self.pool = ThreadPoolExecutor(2)
        self.addCleanup(self.pool.shutdown)
        return DirectoryStorage(self.root, self.interrupted)

    def test_directory_is_withdrawn_before_it_is_opened(self) -> None:
        """The directory of a new project may go away again, when another publisher of it fails."""
        directory = self.root / "simple" / "foo"
        directory.mkdir()
        self.interrupted.after_mkdir = directory.rmdir
        self.publish(SDIST, b"sdist")
        self.assertEqual(self.bytes_of("foo", SDIST), b"sdist")

    def test_directory_is_withdrawn_while_it_is_locked(self) -> None:
        """It may go away also while one waits for its lock."""
        directory = self.root / "simple" / "foo"
        directory.mkdir()
        lock = locked(directory)
        publishing = self.pool.submit(self.publish, SDIST, b"sdist")
        wait_for_rival(lock)
        directory.rmdir()
        os.close(lock)
        publishing.result(10)
        self.assertEqual(self.bytes_of("foo", SDIST), b"sdist")

    def test_withdrawing(self) -> None:
        """A publisher that failed leaves the directory to another one that has the lock by now."""
        directory = self.root / "simple" / "foo"

        def rival(lock: int) -> bool:
            wait_for_rival(lock)
            (directory / "foo-2.0.tar.gz").write_bytes(b"rival")
            os.close(lock)
            return True

        def fail() -> None:
            # A copy of the descriptor has the lock as well, and keeps it.
            [held] = [link for link in Path("/proc/self/fd").iterdir() if leads_to(link, directory)]
            rivals.append(self.pool.submit(rival, os.dup(int(held.name))))
            raise OSError(EIO, "Input/output error")

        rivals: list[Future[bool]] = []
        self.interrupted.before_link = fail
        staging = self.stage(b"sdist")
        self.failure(staging.publish(publication(SDIST, b"sdist")), StorageUnavailable)
        self.assertTrue(rivals[0].result(10))
        self.assertEqual([path.name for path in directory.iterdir()], ["foo-2.0.tar.gz"])

    def test_copied_in_the_last_moment(self) -> None:
        """A file that somebody copies in while another one is published stays."""
        path = self.root / "simple" / "foo" / SDIST
        self.interrupted.before_link = lambda: path.write_bytes(b"copied")
        self.failure(self.stage(b"sdist").publish(publication(SDIST, b"sdist")), FileExists)
        self.assertEqual([path.name for path in path.parent.iterdir()], [SDIST])
        self.assertEqual(self.bytes_of("foo", SDIST), b"copied")

    def test_swept_while_it_is_locked(self) -> None:
        """A process that starts may wait for one that is just sweeping what it made."""
        staging = self.root / ".pypid" / "staging"
        locks: list[int] = []

        def lock() -> None:
            [made] = [path for path in staging.iterdir() if path.name != self.storage.blocking._area.name]  # type: ignore[attr-defined]
            locks.append(locked(made))

        interrupted = Interrupted()
        interrupted.after_mkdir = lock
        other = DirectoryStorage(self.root, interrupted)
        opening = self.pool.submit(other.open)
        while not locks:
            assert not opening.done()
        wait_for_rival(locks[0])
        Path(f"/proc/self/fd/{locks[0]}").readlink().rmdir()
        os.close(locks[0])
        opening.result(10)
        self.addCleanup(other.close)
        self.assertEqual(len(list(staging.iterdir())), 2)

    def test_two_start(self) -> None:
        """A process that starts may sweep what another one has made and not locked yet."""
        interrupted = Interrupted()
        interrupted.after_mkdir = self.storage.blocking._area.sweep  # type: ignore[attr-defined]
        other = DirectoryStorage(self.root, interrupted)
        other.open()
        self.addCleanup(other.close)
        self.assertIsNone(interrupted.after_mkdir)
        self.assertEqual(len(list((self.root / ".pypid" / "staging").iterdir())), 2)

    def slow_write(self) -> tuple[object, Future[None]]:
        staging = self.stage(b"begun").blocking
        begun = self.interrupted.writing = Event()
        writing = self.pool.submit(staging.write, b" and written")
        assert begun.wait(10)
        return staging, writing

    def test_discarded_while_written(self) -> None:
        """A file that is discarded while a worker writes to it is closed only after that."""
        staging, writing = self.slow_write()
        discarding = self.pool.submit(staging.discard)  # type: ignore[attr-defined]
        self.assertRaises(TimeoutError, discarding.result, 0.2)
        self.interrupted.go_on.set()
        self.assertIsNone(writing.result(10))
        discarding.result(10)
        self.assertRaises(StorageUnavailable, staging.write, b"more")  # type: ignore[attr-defined]
        self.assertEqual(list(self.root.glob(".pypid/staging/*/*")), [])

    def test_published_while_written(self) -> None:
        """A file that is published has all that was being written to it."""
        staging, writing = self.slow_write()
        said = publication(SDIST, b"begun and written")
        publishing = self.pool.submit(staging.publish, said, admit_all)  # type: ignore[attr-defined]
        self.assertRaises(TimeoutError, publishing.result, 0.2)
        self.interrupted.go_on.set()
        writing.result(10)
        publishing.result(10)
        self.assertEqual(self.bytes_of("foo", SDIST), b"begun and written")
        self.assertEqual(self.files("foo")[0].size, len(b"begun and written"))
