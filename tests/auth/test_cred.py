"""Users of Twisted's own credentials checkers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred

from pypid.auth.cred import CredAuthenticator, make_checker
from pypid.errors import ConfigurationError, StorageUnavailable
from pypid.interfaces import IAuthenticator
from pypid.model import Credentials, Principal
from pypid.testing.auth import AuthenticatorContract
from pypid.testing.fakes import Synchronous


class CredAuthenticatorTests(AuthenticatorContract, Synchronous):
    """A checker that knows users of a mapping."""

    def make_authenticator(self, users: Mapping[str, str]) -> IAuthenticator:
        checker = InMemoryUsernamePasswordDatabaseDontUse(
            **{name: password.encode() for name, password in users.items()}
        )
        return CredAuthenticator(checker)


class Checker:
    """Counts how often it is asked, and fails on demand."""

    failure: Exception | None = None
    answer: bytes | Deferred[bytes] = b"somebody"

    def __init__(self) -> None:
        self.asked = 0

    def requestAvatarId(self, credentials: object) -> bytes | Deferred[bytes]:
        """Know everybody."""
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.answer


class CheckerTests(Synchronous):
    """How a checker is asked."""

    def setUp(self) -> None:
        self.checker = Checker()
        self.authenticator = CredAuthenticator(self.checker)

    def authenticate(self) -> Principal | None:
        return self.result(self.authenticator.authenticate(Credentials("alice", "secret")))

    def test_a_success_may_be_remembered(self) -> None:
        """For five minutes, as the checker does not tell of changes; and not failures."""
        self.assertEqual([self.result(self.authenticator.revision()) for _ in range(2)], [0, 0])

    def test_a_checker_that_fails_is_not_a_no(self) -> None:
        self.checker.failure = OSError("the directory server is down; the password is canary")
        said = self.failure(
            self.authenticator.authenticate(Credentials("alice", "secret")), StorageUnavailable
        )
        self.assertNotIn("canary", said)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


@pytest.mark.filterwarnings("ignore:'spwd':DeprecationWarning")
def test_made_of_a_description() -> None:
    checker = make_checker("memory:alice:secret")
    assert isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse)


@pytest.mark.parametrize("description", ["", "nothing", "sshkey:", "anonymous"])
def test_no_checker_of_passwords(description: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no checker .* of passwords; there are: .*memory"):
        make_checker(description)


def test_a_wrong_argument_is_not_quoted() -> None:
    """It may be a password."""
    with pytest.raises(
        ConfigurationError, match=r"^the checker memory cannot be made of what follows it: "
    ) as raised:
        make_checker("memory:canary")
    assert "canary" not in str(raised.value)
