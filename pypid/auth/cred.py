"""Users known to one of Twisted's credentials checkers; any that is installed as a Twisted plugin will do."""

from __future__ import annotations

from typing import Any

from twisted.cred import strcred
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from pypid.auth.utf8_credentials import encode
from pypid.errors import ConfigurationError, StorageUnavailable
from pypid.interfaces import IAuthenticator
from pypid.model import Credentials, Principal

__all__ = ["CredAuthenticator", "make_checker"]


def make_checker(description: str) -> ICredentialsChecker:
    """Make a checker of user names and passwords from a description of :mod:`twisted.cred.strcred`.

    :raises ConfigurationError: there is no such checker, or it refuses its argument.
    """
    kind = description.partition(":")[0]
    known = {
        factory.authType: factory
        for factory in strcred.findCheckerFactories()
        if IUsernamePassword in factory.credentialInterfaces
    }
    if kind not in known:
        raise ConfigurationError(
            f"there is no checker {kind[:80]!a} of passwords; there are: {', '.join(known)}"
        )
    try:
        checker: ICredentialsChecker = strcred.makeChecker(description)
    except Exception as error:  # each kind of checker has errors of its own; they may quote a password
        raise ConfigurationError(
            f"the checker {kind} cannot be made of what follows it: {type(error).__name__}"
        ) from error
    return checker


@implementer(IAuthenticator)
class CredAuthenticator:
    """Asks a credentials checker.

    :param checker: checks user names and passwords; it may answer later, by a Deferred.
    """

    _log = Logger()

    def __init__(self, checker: ICredentialsChecker) -> None:
        self._checker: Any = checker

    def open(self) -> None:
        """Do nothing: a checker needs no start."""

    def close(self) -> None:
        """Do nothing: a checker needs no end."""

    def is_usable(self) -> bool:
        """Return ``True``: a checker cannot be asked whether it has any users."""
        return True

    @property
    def summary(self) -> str:
        """Who can sign in, for the log at start."""
        return f"whom Twisted's {type(self._checker).__name__} knows"

    async def revision(self) -> int:
        """Return a constant: a checker cannot be asked whether its users have changed."""
        return 0

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the user if name and password are right, else ``None``.

        :raises StorageUnavailable: the checker failed.
        """
        encoded = encode(credentials)
        if encoded is None or not await self._check(*encoded):
            return None
        return Principal(credentials.username)

    async def _check(self, username: bytes, password: bytes) -> bool:
        try:
            await maybeDeferred(self._checker.requestAvatarId, UsernamePassword(username, password))
        except UnauthorizedLogin:
            return False
        except Exception as error:
            self._log.failure("The checker of passwords failed")
            raise StorageUnavailable("passwords cannot be checked now; try again later") from error
        return True
