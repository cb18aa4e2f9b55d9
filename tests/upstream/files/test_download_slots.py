"""The number of downloads at the same time, and their order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pypid.testing.fakes import Synchronous
from pypid.upstream.files.download_slots import (
    LONG,
    MAX_FETCHES,
    MAX_OF_HOST,
    MAX_SHORT_OF_HOST,
    DownloadSlot,
    DownloadSlots,
)


class TurnsTests(Synchronous):
    """Turns, with a clock that is set by hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.slots = DownloadSlots(self.clock)

    def asking(self, host: str, times: int = 1) -> list[Deferred[DownloadSlot]]:
        """Ask for turns."""
        return [Deferred.fromCoroutine(self.slots.acquire(host)) for _ in range(times)]

    def granted(self, asking: list[Deferred[DownloadSlot]]) -> int:
        """Count those that were given."""
        return sum(one.called for one in asking)

    def test_in_order(self) -> None:
        """Who asks when there is none left waits for one that is given back, in the order of asking."""
        first = self.asking("slow", MAX_SHORT_OF_HOST)
        second, third = self.asking("slow", 2)
        self.assertEqual(self.granted(first), MAX_SHORT_OF_HOST)
        self.assertNoResult(second)
        self.slots.release(self.successResultOf(first[0]))
        self.successResultOf(second)
        self.assertNoResult(third)

    def test_fault_a6_hosts(self) -> None:
        """A host all of whose turns are taken holds up no other."""
        self.asking("slow", 10 * MAX_FETCHES)
        self.successResultOf(self.asking("fast")[0])

    def test_fault_a6_large_files(self) -> None:
        """Files that take long hold up no others of their host for more than a few seconds."""
        self.asking("host", MAX_SHORT_OF_HOST)
        small = self.asking("host")
        self.assertEqual(self.granted(small), 0)
        self.clock.advance(LONG)
        self.assertEqual(self.granted(small), 1)

    def test_bounded(self) -> None:
        """However long they take, there are so many of a host, and so many of all."""
        one, two = self.asking("one", 2 * MAX_FETCHES), self.asking("two", 2 * MAX_FETCHES)
        for _ in range(5):
            self.clock.advance(LONG)
        self.assertEqual(self.granted(one), MAX_OF_HOST)
        self.assertEqual(self.granted(one) + self.granted(two), MAX_FETCHES)

    def test_fault_a6_lent(self) -> None:
        """A turn in which nobody waits for anything is one for somebody else."""
        first = self.asking("host", MAX_SHORT_OF_HOST)
        waiting = self.asking("host", 2)
        slot = self.successResultOf(first[0])
        self.slots.lend(slot)
        self.assertEqual(self.granted(waiting), 1)
        self.slots.reclaim(slot)
        self.slots.release(slot)
        self.assertEqual(self.granted(waiting), 1)
        self.slots.release(self.successResultOf(first[1]))
        self.assertEqual(self.granted(waiting), 2)

    def test_given_up(self) -> None:
        """Who does not wait any more is passed over, and leaves nothing behind."""
        first = self.asking("host", MAX_SHORT_OF_HOST)
        second, third = self.asking("host", 2)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.slots.release(self.successResultOf(first[0]))
        slots = [self.successResultOf(third), *map(self.successResultOf, first[1:])]
        for slot in slots:
            self.slots.release(slot)
        self.assertEqual((self.slots._taken, len(self.slots._waiting)), (set(), 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=300))
    def test_nobody_is_forgotten(self, steps: list[tuple[str, int]]) -> None:
        """Whatever happens, all who still ask get a turn when all turns are given back."""
        clock = Clock()
        slots = DownloadSlots(clock)
        asking: list[Deferred[DownloadSlot]] = []
        for host, step in steps:
            if step == 0 and asking:
                asking.pop(len(asking) // 2).addErrback(lambda failure: failure.trap(CancelledError)).cancel()
            elif step == 1:
                clock.advance(LONG)
            asking.append(Deferred.fromCoroutine(slots.acquire(host)))
        given = 0
        while slots._taken:
            for slot in list(slots._taken):
                slots.release(slot)
                given += 1
        self.assertEqual(sum(one.called for one in asking), len(asking))
        self.assertEqual(len(slots._waiting), 0)
        self.assertGreaterEqual(given, len(asking))
