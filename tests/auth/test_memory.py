from collections.abc import Mapping

from pypid.auth.memory import MemoryAuthenticator
from pypid.interfaces import IAuthenticator
from pypid.testing.auth import AuthenticatorContract
from pypid.testing.fakes import Synchronous


class MemoryAuthenticatorTests(AuthenticatorContract, Synchronous):
    """Users from a mapping."""

    def make_authenticator(self, users: Mapping[str, str]) -> IAuthenticator:
        return MemoryAuthenticator(users)

    def test_no_password_in_repr(self) -> None:
        self.assertNotIn("correct horse", repr(self.authenticator))
