"""How often somebody may be wrong."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from pypid.auth import failures
from pypid.auth.failures import LIMIT, WINDOW, Failures
from pypid.errors import TooManyFailures


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    clock = Clock()
    clock.advance(1_000_000)
    return clock


@pytest.fixture
def wrong(clock: Clock) -> Failures:
    """Give a count that is one short of too many."""
    found = Failures(clock)
    for _ in range(LIMIT - 1):
        found.note("192.0.2.1", "alice")
        clock.advance(1)
    return found


def refused(found: Failures, address: str = "192.0.2.1", username: str = "alice") -> int:
    """Give how long a guesser has to wait."""
    with pytest.raises(TooManyFailures, match="too many wrong passwords") as raised:
        found.check(address, username)
    return raised.value.retry_after


def test_t47_ten_may_be_wrong_and_no_more(wrong: Failures) -> None:
    wrong.check("192.0.2.1", "alice")
    wrong.note("192.0.2.1", "alice")
    assert refused(wrong) == WINDOW - (LIMIT - 1)


def test_others_are_not_held_up(wrong: Failures) -> None:
    """Neither the user from elsewhere nor another one from there."""
    wrong.note("192.0.2.1", "alice")
    wrong.check("192.0.2.2", "alice")
    wrong.check("192.0.2.1", "bob")


def test_after_the_time_it_tells_there_may_be_another_try(wrong: Failures, clock: Clock) -> None:
    wrong.note("192.0.2.1", "alice")
    clock.advance(refused(wrong) - 1)
    assert refused(wrong) == 1
    clock.advance(1)
    wrong.check("192.0.2.1", "alice")


def test_the_right_password_makes_good(wrong: Failures) -> None:
    wrong.forget("192.0.2.1", "alice")
    wrong.note("192.0.2.1", "alice")
    wrong.check("192.0.2.1", "alice")
    wrong.forget("192.0.2.1", "nobody")


def test_a_clock_that_was_set_back_keeps_nobody_out(wrong: Failures, clock: Clock) -> None:
    wrong.note("192.0.2.1", "alice")
    clock.rightNow = 10.0
    wrong.check("192.0.2.1", "alice")


def test_memory_does_not_grow_with_the_guessers(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was wrong longest ago is forgotten first."""
    monkeypatch.setattr(failures, "MAX_REMEMBERED", 3)
    found = Failures(clock)
    for _ in range(LIMIT):
        found.note("192.0.2.1", "alice")
    for number in range(2):
        found.note("192.0.2.1", f"guess-{number}")
    refused(found)
    found.note("192.0.2.1", "guess-2")
    found.check("192.0.2.1", "alice")
