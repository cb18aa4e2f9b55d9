"""The number of times that a slow check runs."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pypid.auth.checks import MAX_WAITING, Checks, encode
from pypid.auth.successes import Successes
from pypid.errors import StorageUnavailable
from pypid.model import Credentials
from pypid.testing.fakes import Synchronous


class ChecksTests(Synchronous):
    """Checks that end when they are told to."""

    def setUp(self) -> None:
        self.checks = Checks(Successes(Clock()))
        self.under_way: list[Deferred[bool]] = []

    def start(self, *parts: bytes) -> Deferred[bool]:
        """Ask for a check."""

        def check() -> Deferred[bool]:
            self.under_way.append(Deferred())
            return self.under_way[-1]

        outcome = self.checks.run(self.checks.mac(*parts), check)
        assert isinstance(outcome, Deferred)
        return outcome

    def test_what_was_right_is_remembered_and_what_was_wrong_is_not(self) -> None:
        for right in (True, False):
            mac = self.checks.mac(b"alice", b"%d" % right)
            self.start(b"alice", b"%d" % right)
            self.assertNotIn(mac, self.checks)
            self.under_way.pop().callback(right)
            self.assertIs(mac in self.checks, right)
        self.checks.forget()
        self.assertNotIn(self.checks.mac(b"alice", b"1"), self.checks)

    def test_equal_checks_are_one(self) -> None:
        """Who asks the same at the same time shares the answer, also when the first one goes away."""
        first, second = self.start(b"alice", b"right"), self.start(b"alice", b"right")
        other = self.start(b"alice", b"other")
        self.assertEqual(len(self.under_way), 2)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.under_way[0].callback(True)
        self.assertTrue(self.successResultOf(second))
        self.assertNoResult(other)
        self.under_way[1].callback(False)
        self.assertFalse(self.successResultOf(other))

    def test_t47_so_many_may_wait(self) -> None:
        """One more is told to try again; and whoever failed in whatever way leaves the place to others."""
        waiting = [self.start(b"alice", b"%d" % number) for number in range(MAX_WAITING)]
        error = self.failureResultOf(self.start(b"bob", b"x"), StorageUnavailable)
        self.assertEqual(error.getErrorMessage(), "too many sign-ins at once; try again")
        self.assertEqual(len(self.under_way), MAX_WAITING)
        self.under_way[0].errback(RuntimeError("no threads"))
        self.failureResultOf(waiting[0], RuntimeError)
        self.start(b"bob", b"x")
        self.assertEqual(len(self.under_way), MAX_WAITING + 1)

    def test_t48_no_two_processes_have_the_same_macs(self) -> None:
        """Nor two different checks; and the key is shown to nobody."""
        other = Checks(Successes(Clock()))
        self.assertNotEqual(self.checks.mac(b"alice", b"x"), other.mac(b"alice", b"x"))
        self.assertNotEqual(self.checks.mac(b"ali", b"cex"), self.checks.mac(b"alice", b"x"))
        self.assertNotIn("key", repr(self.checks))


def test_t50_encoded() -> None:
    assert encode(Credentials("zoë", "a:b")) == ("zoë".encode(), b"a:b")
    for odd in ("a\0b", "\udcff"):
        assert encode(Credentials("alice", odd)) is None
        assert encode(Credentials(odd, "x")) is None
