"""Tests for :mod:`pypid.catalog.parallel`."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from pypid.catalog import parallel
from pypid.testing.fakes import Synchronous


class ParallelTests(Synchronous):
    """Two at a time."""

    def setUp(self) -> None:
        self.patch(parallel, "LANES", 2)
        self.begun: list[int] = []
        self.waiting: list[Deferred[None]] = []

    async def work(self, item: int) -> None:
        self.begun.append(item)
        self.waiting.append(Deferred())
        await self.waiting[-1]

    def test_all(self) -> None:
        """The next one begins when one ends."""
        done = Deferred.fromCoroutine(parallel.in_parallel(iter(range(3)), self.work))
        self.assertEqual(self.begun, [0, 1])
        self.waiting[1].callback(None)
        self.assertEqual(self.begun, [0, 1, 2])
        self.waiting[0].callback(None)
        self.assertNoResult(done)
        self.waiting[2].callback(None)
        self.successResultOf(done)

    def test_failure(self) -> None:
        """After a failure no more is begun; it is raised when the others have ended, also with failures."""
        done = Deferred.fromCoroutine(parallel.in_parallel(range(9), self.work))
        self.waiting[0].errback(ValueError("first"))
        self.assertNoResult(done)
        self.waiting[1].errback(KeyError("second"))
        self.assertEqual(str(self.failureResultOf(done, ValueError).value), "first")
        self.assertEqual(self.begun, [0, 1])
