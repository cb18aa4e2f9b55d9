"""The limit on wrong passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from pypid.errors import TooManyFailures
from pypid.web.permissions import login_throttle
from pypid.web.permissions.login_throttle import LIMIT, MAX_NAME, WINDOW, LoginSource, LoginThrottle

ALICE = LoginSource("192.0.2.1", "alice")


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def wrong(clock: Clock) -> LoginThrottle:
    """Return a count that is one short of too many."""
    found = LoginThrottle(clock.seconds)
    for _ in range(LIMIT - 1):
        found.count_attempt(ALICE)
        clock.advance(1)
    return found


def refused(found: LoginThrottle, source: LoginSource = ALICE) -> int:
    """Return how long a guesser has to wait."""
    with pytest.raises(TooManyFailures, match="too many wrong passwords") as raised:
        found.count_attempt(source)
    return raised.value.retry_after


def test_t47_ten_may_be_wrong_and_no_more(wrong: LoginThrottle) -> None:
    wrong.count_attempt(ALICE)
    assert refused(wrong) == WINDOW - (LIMIT - 1)


def test_others_are_not_held_up(wrong: LoginThrottle) -> None:
    """Neither the user from elsewhere nor another one from there."""
    wrong.count_attempt(ALICE)
    for _ in range(LIMIT):
        wrong.count_attempt(LoginSource("192.0.2.2", "alice"))
        wrong.count_attempt(LoginSource("192.0.2.1", "bob"))


def test_after_the_time_it_tells_there_may_be_another_try(wrong: LoginThrottle, clock: Clock) -> None:
    """One, in place of the one that was longest ago."""
    wrong.count_attempt(ALICE)
    clock.advance(refused(wrong) - 0.5)
    assert refused(wrong) == 1
    clock.advance(0.5)
    wrong.count_attempt(ALICE)
    assert refused(wrong) == 1


def test_a_try_that_came_to_nothing_is_taken_back(wrong: LoginThrottle) -> None:
    for _ in range(LIMIT):
        wrong.count_attempt(ALICE)
        wrong.forgive(ALICE)
    wrong.count_attempt(ALICE)
    refused(wrong)
    wrong.forgive(LoginSource("192.0.2.1", "nobody"))


def test_fault_a9_what_came_to_nothing_leaves_nothing(clock: Clock) -> None:
    """A place that is kept for it would be another guesser's."""
    found = LoginThrottle(clock.seconds)
    found.count_attempt(ALICE)
    found.forgive(ALICE)
    assert not found._attempts
    found.check(ALICE)
    assert not found._attempts


def test_the_right_password_makes_good(wrong: LoginThrottle) -> None:
    wrong.clear(ALICE)
    for _ in range(LIMIT):
        wrong.count_attempt(ALICE)
    refused(wrong)
    wrong.clear(LoginSource("192.0.2.1", "nobody"))


def test_memory_does_not_grow_with_the_guessers(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was wrong longest ago is forgotten first, and of long names a part is kept."""
    monkeypatch.setattr(login_throttle, "MAX_REMEMBERED", 3)
    found = LoginThrottle(clock.seconds)
    for _ in range(LIMIT):
        found.count_attempt(ALICE)
    for number in range(2):
        found.count_attempt(LoginSource("192.0.2.1", f"guess-{number}"))
    refused(found)
    found.count_attempt(LoginSource("192.0.2.1", "guess-2"))
    found.count_attempt(ALICE)
    assert len(LoginSource.of(IPv4Address("TCP", "192.0.2.1", 1), "x" * 8000).username) == MAX_NAME


def test_the_log_has_one_line_a_minute(wrong: LoginThrottle, clock: Clock) -> None:
    """About each guesser, however often it is refused; and nothing of a name that may be a secret."""
    secret, odd = LoginSource("192.0.2.1", "pypid_canary"), LoginSource("192.0.2.1", "a b\ncanary")
    wrong.count_attempt(ALICE)
    for _ in range(LIMIT):
        wrong.count_attempt(secret)
        wrong.count_attempt(odd)
    with capturedLogs() as events:
        for seconds in (0, 0, 59, 1, 30):
            clock.advance(seconds)
            refused(wrong)
        refused(wrong, secret)
        refused(wrong, odd)
    assert [formatEvent(event) for event in events] == [
        'too many wrong passwords for user "alice" from 192.0.2.1',
        'too many wrong passwords for user "alice" from 192.0.2.1',
        "too many wrong passwords for a user or token from 192.0.2.1",
        "too many wrong passwords for a user or token from 192.0.2.1",
    ]


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("-", "-"),
    ],
)
def test_an_ipv6_address_counts_with_its_network(host: str, network: str) -> None:
    """Whoever has one has 2 to the power of 64 of them; and IPv4 is the same in each guise."""
    assert LoginSource.of(IPv6Address("TCP", host, 50000), "alice") == LoginSource(network, "alice")


def test_all_who_come_over_a_socket_file_come_from_one_place() -> None:
    assert LoginSource.of(UNIXAddress(b"/run/pypid.sock"), "alice") == LoginSource("-", "alice")


@given(st.ip_addresses().map(str) | st.text(max_size=40), st.text())
def test_any_address_and_name_is_a_line_of_the_log(host: str, username: str) -> None:
    source = LoginSource.of(IPv4Address("TCP", host, 1), username)
    assert len(f"{source}".removesuffix(source.address).splitlines()) == 1
