"""An authenticator that knows whom a function knows, for tests."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from zope.interface import implementer

from pypid.interfaces import IAuthenticator
from pypid.model import Credentials, Principal

__all__ = ["FunctionAuthenticator"]


@implementer(IAuthenticator)
@frozen
class FunctionAuthenticator:
    """Asks a function, at once."""

    function: Callable[[Credentials], Principal | None]
    """Gives the principal whose credentials some are, if they are anybody's."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def recall(self, credentials: Credentials) -> Principal | None:
        """Ask the function."""
        return self.function(credentials)

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Ask the function."""
        return self.function(credentials)
