"""The memory of recent sign-ins, in front of all authenticators."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pypid.model import Credentials, Principal
from pypid.testing.fakes import Synchronous
from pypid.web.permissions import sign_in_cache
from pypid.web.permissions.sign_in_cache import LIFETIME, LIMIT, SignInCache

ALICE = Principal("alice")
RIGHT = Credentials("alice", "right")
WRONG = Credentials("alice", "wrong")


@define(eq=False)
class SlowChecks:
    """Checks that end when they are told to, or at once: one password is right."""

    version: Hashable = 0
    password: str = field(default="right", repr=False)
    held: bool = False
    checks: list[Deferred[None]] = field(factory=list)

    async def revision(self) -> Hashable:
        """Return the version."""
        return self.version

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Wait, and answer."""
        self.checks.append(Deferred())
        if self.held:
            await self.checks[-1]
        return Principal(credentials.username) if credentials.password == self.password else None


class CacheTests(Synchronous):
    """How often an authenticator is asked."""

    def setUp(self) -> None:
        self.slow, self.clock = SlowChecks(), Clock()
        self.cache = SignInCache([self.slow], self.clock.seconds)

    def recall(self, credentials: Credentials = RIGHT) -> Principal | None:
        return self.result(self.cache.recall(credentials))

    def start(self, credentials: Credentials = RIGHT) -> Deferred[Principal | None]:
        return Deferred.fromCoroutine(self.cache.authenticate(credentials))

    def ask(self, credentials: Credentials = RIGHT) -> Principal | None:
        return self.successResultOf(self.start(credentials))

    def test_t48_successes_are_remembered(self) -> None:
        """A success is good for five minutes from its check on; a failure is checked each time."""
        self.assertIsNone(self.recall())
        for _ in range(3):
            self.assertEqual(self.ask(), ALICE)
            self.assertIsNone(self.ask(WRONG))
        self.assertEqual(len(self.slow.checks), 1 + 3)
        self.clock.advance(LIFETIME - 1)
        self.assertEqual(self.recall(), ALICE)
        self.clock.advance(1)
        self.assertIsNone(self.recall())
        self.assertEqual(self.ask(), ALICE)
        self.assertEqual(len(self.slow.checks), 1 + 3 + 1)

    def test_only_those_very_credentials_are_recalled(self) -> None:
        self.ask()
        for other in (WRONG, Credentials("bob", "right"), Credentials("alic", "eright"), Credentials("", "")):
            self.assertIsNone(self.recall(other))
        self.assertEqual(self.recall(), ALICE)
        self.assertEqual(len(self.slow.checks), 1)

    def test_t48_a_change_ends_it(self) -> None:
        """Whatever the users were before."""
        self.ask()
        self.slow.version = 1
        self.assertIsNone(self.recall())
        self.ask()
        self.assertEqual(self.recall(), ALICE)
        self.slow.version = 0
        self.assertIsNone(self.recall())

    def test_t48_a_check_that_ends_after_the_change(self) -> None:
        """Is good for those who asked before it, and for nobody later."""
        self.slow.held = True
        waiting = self.start()
        self.slow.version = 1
        self.slow.checks[0].callback(None)
        self.assertEqual(self.successResultOf(waiting), ALICE)
        self.assertIsNone(self.recall())

    def test_t48_who_asks_after_the_change_does_not_share_the_check(self) -> None:
        self.slow.held = True
        before = self.start()
        self.slow.version = 1
        after = self.start()
        self.assertEqual(len(self.slow.checks), 2)
        self.slow.checks[0].callback(None)
        self.assertEqual(self.successResultOf(before), ALICE)
        self.assertNoResult(after)
        self.slow.checks[1].callback(None)
        self.assertEqual(self.successResultOf(after), ALICE)
        self.assertEqual(self.recall(), ALICE)

    def test_equal_checks_are_one(self) -> None:
        """Who asks the same at the same time shares the answer, also when the first one goes away."""
        self.slow.held = True
        first, second, other = self.start(), self.start(), self.start(WRONG)
        self.assertEqual(len(self.slow.checks), 2)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.slow.checks[0].callback(None)
        self.assertEqual(self.successResultOf(second), ALICE)
        self.assertNoResult(other)
        self.slow.checks[1].callback(None)
        self.assertIsNone(self.successResultOf(other))

    def test_a_check_that_fails_is_no_answer(self) -> None:
        self.slow.held = True
        waiting = self.start()
        self.slow.checks[0].errback(RuntimeError("no threads"))
        self.failureResultOf(waiting, RuntimeError)
        self.slow.held = False
        self.assertEqual(self.ask(), ALICE)

    def test_one_who_wants_nothing_remembered(self) -> None:
        """Gives another revision each time."""
        for _ in range(3):
            self.slow.version = object()
            self.assertIsNone(self.recall())
            self.assertEqual(self.ask(), ALICE)
        self.assertEqual(len(self.slow.checks), 3)

    def test_one_who_needs_no_memory(self) -> None:
        """Is asked each time, and not once more by those who wait for the others."""
        quick = SlowChecks(version=None)
        self.cache = SignInCache([quick, self.slow], self.clock.seconds)
        for number in range(1, 4):
            self.assertEqual(self.recall(), ALICE)
            self.assertEqual(len(quick.checks), number)
        self.assertIsNone(self.recall(WRONG))
        self.assertIsNone(self.ask(WRONG))
        self.assertEqual((len(quick.checks), len(self.slow.checks)), (4, 1))

    def test_what_one_knows_another_does_not(self) -> None:
        """A success is that of one authenticator, and ends with its own changes."""
        other = SlowChecks(password="other")
        self.cache = SignInCache([self.slow, other], self.clock.seconds)
        for one, password in ((self.slow, "right"), (other, "other")):
            credentials = Credentials("alice", password)
            self.ask(credentials)
            for each in (self.slow, other):
                if each is not one:
                    each.version = object()
            self.assertEqual(self.recall(credentials), ALICE)
            one.version = object()
            self.assertIsNone(self.recall(credentials))

    def test_b276_clock_set_back(self) -> None:
        """A clock that was set back makes nothing last longer."""
        self.clock.advance(3600)
        self.ask()
        self.clock.rightNow -= 1800
        self.assertIsNone(self.recall())
        self.ask()
        self.assertEqual(self.recall(), ALICE)

    def test_t48_limit(self) -> None:
        """Of more than ten thousand successes the oldest go first."""
        for number in range(LIMIT + 1):
            self.ask(Credentials(f"user-{number}", "right"))
        self.assertIsNone(self.recall(Credentials("user-0", "right")))
        for number in (1, LIMIT):
            self.assertIsNotNone(self.recall(Credentials(f"user-{number}", "right")))

    def test_t48_no_password_is_kept(self) -> None:
        """What is remembered has neither name nor password in it, and differs between processes."""
        self.ask()
        others = SignInCache([self.slow], self.clock.seconds)
        self.assertNotEqual(self.cache._mac(RIGHT), others._mac(RIGHT))
        self.assertEqual(len(self.cache._mac(RIGHT)), 32)
        for secret in ("right", "key", self.cache._key.hex(), repr(self.cache._key)):
            self.assertNotIn(secret, repr(self.cache))
        kept = repr(self.cache._successes)
        self.assertIn(repr(self.cache._mac(RIGHT)), kept)
        self.assertNotIn("right", kept)

    def test_b114_impossible_credentials_are_asked_about_like_others(self) -> None:
        for text in ("a\0b", "\udcff", ""):
            self.assertIsNone(self.recall(Credentials(text, text)))
            self.assertIsNone(self.ask(Credentials(text, text)))


def test_five_minutes() -> None:
    """As it is documented."""
    assert (sign_in_cache.LIFETIME, sign_in_cache.LIMIT) == (300, 10_000)
