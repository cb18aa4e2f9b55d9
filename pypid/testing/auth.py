"""The contract suite of authenticators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from pypid.interfaces import IAuthenticator
from pypid.model import Credentials, Principal
from pypid.testing.fakes import Synchronous

__all__ = ["AuthenticatorContract"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is not a test case
    _Base = object

USERS = {"alice": "correct horse", "bob": "Zoë's battery: staple"}


class AuthenticatorContract(_Base):
    """The promises of :class:`pypid.interfaces.IAuthenticator`."""

    def make_authenticator(self, users: Mapping[str, str]) -> IAuthenticator:
        """Return the provider under test, not opened yet.

        :param users: the passwords of the users, by name.
        """
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the provider."""
        super().setUp()
        self.authenticator = self.make_authenticator(USERS)
        self.authenticator.open()
        self.addCleanup(self.authenticator.close)

    def authenticate(self, username: str, password: str) -> Principal | None:
        """Return the provider's answer."""
        return self.result(self.authenticator.authenticate(Credentials(username, password)))

    def test_interface(self) -> None:
        """The provider provides the interface."""
        self.assertTrue(verifyObject(IAuthenticator, self.authenticator))

    def test_right(self) -> None:
        """The right password gives a principal of the user's name, also the second time."""
        for username, password in [*USERS.items(), *USERS.items()]:
            self.assertEqual(self.authenticate(username, password), Principal(username))

    def test_wrong(self) -> None:
        """A wrong password gives no principal, also right after the right one."""
        self.authenticate("alice", USERS["alice"])
        for password in ("", " ", "correct hors", "correct horse ", "Correct horse", USERS["bob"]):
            self.assertIsNone(self.authenticate("alice", password), password)

    def test_revision(self) -> None:
        """A revision can be compared and kept as a key, and is ``None`` always or never."""
        first, second = (self.result(self.authenticator.revision()) for _ in range(2))
        self.assertEqual(len({first, second}), 1 if first == second else 2)
        self.assertIs(first is None, second is None)

    def test_unknown(self) -> None:
        """An unknown user gives no principal, whatever the password."""
        for username in ("", "carol", "Alice", "alice ", "alice\0", "alice:correct horse", "__token__"):
            for password in ("", USERS["alice"]):
                self.assertIsNone(self.authenticate(username, password), username)

    def test_b112_b113_b114_b115_b116_strange(self) -> None:
        """Impossible credentials give no principal, and raise nothing."""
        strange = ["\0", "a\0b", "\n", "a:b", "é" * 36, "x" * 72, "x" * 73, "x" * 12_000]
        strange += ["\udcff\udcfe", "\ud800", "😀" * 40, USERS["alice"] + "\0", "\ufeff"]
        for text in strange:
            self.assertIsNone(self.authenticate("alice", text), ascii(text))
            self.assertIsNone(self.authenticate(text, USERS["alice"]), ascii(text))
