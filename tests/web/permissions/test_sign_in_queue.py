"""Sign-ins take turns by client address."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from pypid.errors import StorageUnavailable
from pypid.web.permissions import sign_in_queue
from pypid.web.permissions.sign_in_queue import (
    MAX_ACTIVE,
    MAX_ACTIVE_EACH,
    MAX_WAITING_EACH,
    SignInQueue,
)


@define
class Checks:
    """Checks that end when it is said."""

    queue: SignInQueue = field(factory=SignInQueue)
    active: list[tuple[Hashable, Deferred[None]]] = field(factory=list)
    refused: list[Hashable] = field(factory=list)

    def begin(self, share: Hashable) -> Deferred[None]:
        """Ask for a check; note when it begins, or that it is refused."""

        async def check() -> None:
            async with self.queue.turn(share):
                done: Deferred[None] = Deferred()
                self.active.append((share, done))
                await done

        def refused(failure: Failure) -> None:
            failure.trap(StorageUnavailable)
            self.refused.append(share)

        outcome = Deferred.fromCoroutine(check())
        outcome.addErrback(refused)
        return outcome

    def end(self, number: int = 0) -> Hashable:
        """End one that has begun; return whose it was."""
        share, done = self.active.pop(number)
        done.callback(None)
        return share

    def end_all(self) -> None:
        """End all, and those that begin then; see that nothing is left."""
        while self.active:
            self.end()
        assert not self.queue._active
        assert not self.queue._waiting


def test_fault_a9_one_address_has_its_share_and_no_more() -> None:
    checks = Checks()
    for _ in range(100):
        checks.begin("guesser")
    assert len(checks.active) == MAX_ACTIVE_EACH
    assert len(checks.refused) == 100 - MAX_ACTIVE_EACH - MAX_WAITING_EACH
    assert checks.queue.is_full("guesser")
    checks.begin("alice")
    assert checks.active[-1][0] == "alice"
    assert not checks.queue.is_full("alice")
    checks.end_all()


def test_fault_a9_shares_take_turns() -> None:
    """Whoever has waited with one does not wait for those who have many."""
    checks = Checks()
    for guesser in ("one", "two"):
        for _ in range(20):
            checks.begin(guesser)
    assert len(checks.active) == MAX_ACTIVE
    checks.begin("alice")
    checks.begin("bob")
    for _ in range(4):
        checks.end()
    assert {"alice", "bob"} <= {share for share, _ in checks.active}
    checks.end_all()


def test_fault_a9_who_has_most_places_gives_one_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the last place is not had by whoever came first; and when all have one there is none."""
    monkeypatch.setattr(sign_in_queue, "MAX_WAITING", 6)
    checks = Checks()
    for share in ("a", "b"):
        for _ in range(MAX_ACTIVE_EACH):
            checks.begin(share)
    for share in ("a", "a", "a", "b", "b", "b"):
        checks.begin(share)
    for share in ("c", "d", "e"):
        checks.begin(share)
    assert len(checks.refused) == 3
    assert not {"c", "d", "e"} & set(checks.refused)
    checks.begin("f")
    checks.begin("g")
    assert checks.refused[-1] == "g"
    assert checks.queue.is_full("g")
    checks.end_all()


def test_fault_a9_one_that_is_cancelled_leaves_its_place() -> None:
    checks = Checks()
    waiting = [checks.begin("guesser") for _ in range(MAX_ACTIVE_EACH + 2)]
    for one in waiting[-2:]:
        one.addErrback(lambda failure: failure.trap(CancelledError) and None)
        one.cancel()
    checks.end_all()


@given(st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.integers(0, 9)), max_size=200))
def test_fault_a9_bounds_hold_and_nobody_is_forgotten(steps: list[tuple[str, int]]) -> None:
    checks = Checks()
    outcomes = []
    for share, action in steps:
        if action == 0 and checks.active:
            checks.end(len(steps) % len(checks.active))
        else:
            outcomes.append(checks.begin(share))
        shares = [one for one, _ in checks.active]
        assert len(shares) <= MAX_ACTIVE
        assert max(map(shares.count, shares), default=0) <= MAX_ACTIVE_EACH
    checks.end_all()
    assert all(outcome.called for outcome in outcomes)
