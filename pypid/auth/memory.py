"""Users in memory, for tests and demonstrations."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from attrs import field, frozen
from zope.interface import implementer

from pypid.interfaces import IAuthenticator
from pypid.model import Credentials, Principal

__all__ = ["MemoryAuthenticator"]


@implementer(IAuthenticator)
@frozen
class MemoryAuthenticator:
    """Authenticates the users of a mapping."""

    users: Mapping[str, str] = field(repr=False)
    """The password of each user."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def is_usable(self) -> bool:
        """Return whether there is any user."""
        return bool(self.users)

    async def revision(self) -> None:
        """Return ``None``: a check takes no time."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the user if name and password are right, else ``None``."""
        expected = self.users.get(credentials.username)
        given = credentials.password.encode("utf-8", "surrogatepass")
        right = hmac.compare_digest((expected or "").encode(), given)
        return Principal(credentials.username) if right and expected is not None else None
