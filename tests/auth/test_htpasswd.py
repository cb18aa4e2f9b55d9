import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bcrypt
from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer

from pypid.auth.hashes import matches
from pypid.auth.htpasswd import HtpasswdAuthenticator
from pypid.interfaces import IAuthenticator, IWorkers
from pypid.model import Credentials, Principal
from pypid.testing.auth import AuthenticatorContract
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.web.permissions.sign_in_cache import SignInCache

ALICE = Principal("alice")


def hashed(password: str, cost: int = 5) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


class HtpasswdAuthenticatorTests(AuthenticatorContract, Synchronous):
    """Users of a password file."""

    def make_authenticator(self, users: Mapping[str, str]) -> IAuthenticator:
        path = Path(self.enterContext(TemporaryDirectory())) / "users"
        path.write_text("".join(f"{user}:{hashed(password)}\n" for user, password in users.items()))
        return HtpasswdAuthenticator(path, InlineWorkers(), Clock())


@implementer(IWorkers)
@define
class CountingWorkers:
    """Notes each check of a password; calls when :meth:`release` is called, or at once if not ``held``."""

    held: bool = False
    broken: bool = False
    checks: list[Sequence[Any]] = field(factory=list)
    _waiting: list[Deferred[None]] = field(factory=list)

    def run(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        if function is matches:
            self.checks.append(args)
        if self.broken:
            raise RuntimeError("no threads")
        if not self.held:
            return maybeDeferred(function, *args)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting.addCallback(lambda _: function(*args))

    def release(self) -> None:
        while self._waiting:
            self._waiting.pop(0).callback(None)


class CheckingTests(Synchronous):
    """How often bcrypt runs, and on what, behind the memory of successes."""

    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "users"
        self.path.write_text(f"alice:{hashed('right')}\nbob:{hashed('other', 6)}\n")
        self.workers = CountingWorkers()
        self.clock = Clock()
        self.authenticator = HtpasswdAuthenticator(self.path, self.workers, self.clock)
        self.authenticator.open()
        self.cache = SignInCache([self.authenticator], self.clock.seconds)

    def recall(self, username: str, password: str) -> Principal | None:
        return self.result(self.cache.recall(Credentials(username, password)))

    def start(self, username: str, password: str) -> Deferred[Principal | None]:
        return Deferred.fromCoroutine(self.cache.authenticate(Credentials(username, password)))

    def ask(self, username: str, password: str) -> Principal | None:
        return self.successResultOf(self.start(username, password))

    def test_t48_successes_are_remembered(self) -> None:
        """A success is good for five minutes; a failure is checked each time."""
        for _ in range(3):
            self.assertEqual(self.ask("alice", "right"), ALICE)
            self.assertIsNone(self.ask("alice", "wrong"))
        self.assertEqual(len(self.workers.checks), 1 + 3)
        self.clock.advance(300)
        self.assertEqual(self.ask("alice", "right"), ALICE)
        self.assertEqual(len(self.workers.checks), 1 + 3 + 1)

    def test_t48_changed_password(self) -> None:
        """After a change the old password fails and the new one is good, whatever was remembered."""
        self.ask("alice", "right")
        self.path.write_text(f"alice:{hashed('new')}\n")
        self.clock.advance(1)
        self.assertIsNone(self.recall("alice", "right"))
        self.assertIsNone(self.ask("alice", "right"))
        self.assertEqual(self.ask("alice", "new"), ALICE)

    def test_t48_a_check_that_ends_after_the_change(self) -> None:
        """Is good for those who asked before it, and for nobody later."""
        self.workers.held = True
        waiting = self.start("alice", "right")
        self.workers.held = False
        self.path.write_text(f"alice:{hashed('new')}\n")
        self.clock.advance(1)
        self.assertEqual(self.ask("alice", "new"), ALICE)
        self.workers.release()
        self.assertEqual(self.successResultOf(waiting), ALICE)
        self.assertIsNone(self.recall("alice", "right"))
        self.assertIsNone(self.ask("alice", "right"))

    def test_t48_a_user_who_is_removed(self) -> None:
        """Is known no longer, whatever was remembered."""
        self.ask("alice", "right")
        self.assertEqual(self.recall("alice", "right"), ALICE)
        self.path.write_text(f"bob:{hashed('other')}\n")
        os.utime(self.path, (0, 0))
        self.clock.advance(1)
        self.assertIsNone(self.recall("alice", "right"))
        self.assertIsNone(self.ask("alice", "right"))

    def test_t48_a_file_that_is_only_touched(self) -> None:
        """Changes nothing, and nobody is checked again."""
        self.ask("alice", "right")
        for seconds in (1, 2, 3):
            os.utime(self.path, (seconds, seconds))
            self.clock.advance(1)
            self.assertEqual(self.recall("alice", "right"), ALICE)
        self.assertEqual(len(self.workers.checks), 1)

    def test_t46_unknown_user(self) -> None:
        """An unknown user costs one check, as the dearest user does."""
        self.assertIsNone(self.ask("carol", "right"))
        ((password, against, decoys),) = self.workers.checks
        self.assertEqual((password, against), (b"right", None))
        self.assertEqual([decoy[:7] for decoy in decoys], [b"$2b$06$"])

    def test_b114_b115_b116_not_hashed(self) -> None:
        """What bcrypt does not take is not given to it; the log says why a user cannot get in."""
        with capturedLogs() as events:
            for password in ("a\0b", "x" * 73, "é" * 37, "x" * 12_000, "\udcff"):
                self.assertIsNone(self.recall("alice", password))
                self.assertIsNone(self.ask("alice", password))
                self.assertIsNone(self.ask("nobody\n", password))
        self.assertEqual(self.workers.checks, [])
        (text,) = {formatEvent(event) for event in events}
        self.assertEqual(
            text, 'user "alice": refused a password of more than 72 bytes, which bcrypt cannot check'
        )

    def test_t47_who_is_known_gets_in_while_others_wait(self) -> None:
        """Equal checks are one; who is known needs none."""
        self.ask("alice", "right")
        self.workers.held = True
        waiting = [self.start("alice", f"wrong {number // 2}") for number in range(100)]
        self.assertEqual(len(self.workers.checks), 1 + 50)
        self.assertEqual(self.ask("alice", "right"), ALICE)
        self.workers.release()
        for one in waiting:
            self.assertIsNone(self.successResultOf(one))

    def test_a_check_that_fails_is_no_answer(self) -> None:
        self.workers.broken = True
        self.failureResultOf(self.start("alice", "right"), RuntimeError)
        self.workers.broken = False
        self.assertEqual(self.ask("alice", "right"), ALICE)


class LegacyTests(Synchronous):
    """Users who come from elsewhere, with the hashes that they have."""

    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "users"
        self.path.write_text(
            "alice:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n"
            "bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n"
            f"carol:{hashed('other')}\n"
        )

    def known(self, legacy: bool) -> list[str]:
        """Return the users who can sign in."""
        authenticator = HtpasswdAuthenticator(self.path, InlineWorkers(), Clock(), legacy=legacy)
        authenticator.open()
        found = []
        for user, password in (("alice", "myPassword"), ("bob", "myPassword"), ("carol", "other")):
            self.assertIsNone(self.result(authenticator.authenticate(Credentials(user, "wrong"))))
            if self.result(authenticator.authenticate(Credentials(user, password))) is not None:
                found.append(user)
        return found

    def test_taken_on_demand(self) -> None:
        self.assertEqual(self.known(legacy=True), ["alice", "bob", "carol"])
        self.assertEqual(self.known(legacy=False), ["carol"])
