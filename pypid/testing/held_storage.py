"""The contract suite of storages for clients that go away before the answer arrives."""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from pypid.interfaces import IContent, IWorkers
from pypid.model import ProjectRecord
from pypid.testing.content import LONG, MemoryConsumer
from pypid.testing.inline import InlineStaged
from pypid.testing.steps import StorageSteps, publication
from pypid.testing.workers import HeldWorkers, Holdings, abandon, holdings

__all__ = ["HeldStorageContract"]

T = TypeVar("T")
SDIST = "foo-1.0.tar.gz"


class HeldStorageContract(StorageSteps):
    """Nothing stays open, staged or locked for a client that has gone, at whatever moment it went."""

    def places(self) -> Sequence[Path]:
        """Return the directories, if any, in which the provider stages files."""
        return ()

    def make_workers(self) -> IWorkers:
        """Return workers that work only on command."""
        self.workers = HeldWorkers()
        return self.workers

    def setUp(self) -> None:
        """Publish a file."""
        super().setUp()
        self.numbers: Iterator[int] = count(2)
        self.done(self.publish_next(SDIST))
        self.before = self.held()

    def done(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        """Run a coroutine to its end, and return its result."""
        waiting = Deferred.fromCoroutine(coroutine)
        self.workers.work_all()
        return self.successResultOf(waiting)

    def held(self) -> Holdings:
        """Return the resources that this process holds."""
        gc.collect()  # garbage of earlier tests must not count
        return holdings(*self.places())

    def abandon(
        self, start: Callable[[], Coroutine[Deferred[Any], Any, T]], release: Callable[[T], object] = repr
    ) -> int:
        """Make a request, and go away at each moment in turn. Nothing may be left.

        :param start: makes the request.
        :param release: releases the result of a request that was not abandoned.
        :returns: the number of moments.
        """

        def after() -> None:
            self.assertEqual(self.held(), self.before)

        moments = abandon(self.workers, start, after, release=release)
        after()
        return moments

    async def publish_next(self, filename: str | None = None) -> str:
        """Publish a file as an upload does, discard the staging in any case, and return the file's name."""
        filename = filename or f"foo-{next(self.numbers)}.0.tar.gz"
        staging = await self.storage.stage()
        try:
            staging.write(LONG)
            await staging.publish(publication(filename, LONG, b"Name: foo"))
        finally:
            await staging.discard()
        return filename

    def test_fault_a1_content(self) -> None:
        """A file that was opened for a client that has gone is closed."""
        moments = self.abandon(lambda: self.storage.content("foo", SDIST), _close)
        self.assertGreaterEqual(moments, 2)

    def test_stage(self) -> None:
        """Nothing stays staged for a client that has gone."""

        def discard(staging: InlineStaged) -> None:
            self.done(staging.discard())

        self.assertGreaterEqual(self.abandon(self.storage.stage, discard), 2)

    def test_publish(self) -> None:
        """A file is published or not; in both cases it is no longer staged, and nothing is locked."""
        self.assertGreaterEqual(self.abandon(self.publish_next), 4)
        kept = self.done(self.storage.project("foo"))
        assert kept is not None
        for file in kept.files:
            self.assertTrue(file.untouched)
            self.assertEqual(self.done(self.storage.read("foo", file.filename, _length)), len(LONG))
        # Where publishing had begun before the client went, or the client stayed, it was completed.
        self.assertGreaterEqual(len(kept.files), 3)

    def test_changes(self) -> None:
        """A change that has begun is completed, and then the lock is free."""

        def change() -> Coroutine[Deferred[Any], Any, None]:
            record = ProjectRecord(owners=(f"user{next(self.numbers)}",))
            return self.storage.amend_project("foo", record)

        self.assertGreaterEqual(self.abandon(change), 2)
        with self.storage.blocking.changing("foo") as locked:
            self.assertEqual(len(locked.project.owners), 1)

    def test_reading(self) -> None:
        """Nothing that was only read stays open."""
        self.abandon(lambda: self.storage.read("foo", SDIST, _length))
        self.abandon(self.storage.projects)
        self.abandon(lambda: self.storage.project("foo"))

    def test_closed_while_it_is_read(self) -> None:
        """A worker may still be reading for a client that has gone. When it is done, the file is closed."""
        content: IContent = self.done(self.storage.content("foo", SDIST))
        consumer = MemoryConsumer()
        sending = Deferred.fromCoroutine(content.send_to(consumer, 0, len(LONG)))
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        content.close()
        self.workers.work_all()
        self.assertEqual((consumer.data, self.held()), (b"", self.before))


def _length(file: Any) -> int:
    """Read a file to its end, and return its length."""
    return len(file.read())


def _close(content: IContent) -> None:
    content.close()
