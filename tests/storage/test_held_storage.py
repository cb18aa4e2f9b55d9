"""Tests of storages whose callers go away, and of their threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from pypid.errors import StorageUnavailable
from pypid.interfaces import IOpenFile, IStorage
from pypid.runtime.threaded_content import ThreadedContent
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.directory import DirectoryStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.content import LONG, MemoryConsumer
from pypid.testing.fakes import Synchronous
from pypid.testing.held_storage import SDIST, HeldStorageContract
from pypid.testing.steps import scratch
from pypid.testing.workers import HeldWorkers


@pytest.mark.slow
class TestMemoryAbandoned(HeldStorageContract, Synchronous):
    """Memory lets go."""

    def make_storage(self) -> IStorage:
        return MemoryStorage()


@pytest.mark.slow
class TestDirectoryAbandoned(HeldStorageContract, Synchronous):
    """A directory lets go of descriptors, of what is staged, and of locks."""

    def make_storage(self) -> IStorage:
        self.root = scratch(self)
        return DirectoryStorage(self.root)

    def places(self) -> Sequence[Path]:
        return [self.root / ".pypid" / "staging"]


class SlowFile:
    """A file of which one piece is read when it may be."""

    length, modified_ns = len(LONG), 1

    def __init__(self) -> None:
        self.begun, self.go_on = Event(), Event()
        self.said: list[str] = []

    def read(self, offset: int, length: int) -> bytes:
        self.begun.set()
        assert self.go_on.wait(60)
        self.said.append("read")
        return LONG[offset : offset + length]

    def close(self) -> None:
        self.said.append("closed")


class TestThreads(Synchronous):
    """What one thread does while another one works."""

    def test_fault_a10_closed_by_the_worker_that_still_reads(self) -> None:
        """A descriptor that is closed under a reader's hands may be another file's by then."""
        from twisted.internet.threads import deferToThreadPool
        from twisted.python.threadpool import ThreadPool

        pool = ThreadPool(0, 1)
        pool.start()
        self.addCleanup(pool.stop)
        arrived = Event()

        class Reactor:
            """Takes note of what threads have to say."""

            def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
                arrived.set()

        class Workers:
            def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
                return deferToThreadPool(Reactor(), pool, function, *args)

        file = SlowFile()
        content = ThreadedContent(file, Workers())
        sending = Deferred.fromCoroutine(content.send_to(MemoryConsumer(), 0, len(LONG)))
        self.assertTrue(file.begun.wait(60))
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        content.close()
        self.assertEqual(file.said, [])
        file.go_on.set()
        self.assertTrue(arrived.wait(60))
        self.assertEqual(file.said, ["read", "closed"])

    def test_a_release_that_fails_is_told(self) -> None:
        """What cannot be let go of is in the log, and is nobody's failure."""

        class Stuck(MemoryStorage):
            def open_file(self, project: str, filename: str) -> IOpenFile:
                return StuckFile()

        class StuckFile(SlowFile):
            def close(self) -> None:
                raise StorageUnavailable("it is stuck")

        workers = HeldWorkers()
        opening = Deferred.fromCoroutine(ThreadedStorage(Stuck(), workers, workers).content("foo", SDIST))
        workers.finish()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        workers.work_all()
        self.assertEqual([str(one.value) for one in self.flushLoggedErrors()], ["it is stuck"])

    def test_each_purpose_has_its_workers(self) -> None:
        """Who reads does not wait for those who change, nor they for who looks through many projects."""
        reading, changing, scanning = HeldWorkers(), HeldWorkers(), HeldWorkers()
        storage = ThreadedStorage(MemoryStorage(), reading, changing, scanning)
        for ask, workers in (
            (storage.projects(), reading),
            (storage.run(lambda _: get_ident()), reading),
            (storage.change(lambda _: get_ident()), changing),
            (storage.stage(), changing),
            (storage.scan(lambda _: get_ident()), scanning),
        ):
            asked = Deferred.fromCoroutine(ask)
            for others in {reading, changing, scanning} - {workers}:
                self.assertTrue(others.is_idle)
            workers.work_all()
            self.successResultOf(asked)
