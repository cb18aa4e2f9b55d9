"""The sign-ins that succeeded recently, so that slow checks are not repeated with every request.

Clients send their credentials with every request. Of a password only a MAC is remembered, under a random
key that exists in this process alone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from hashlib import blake2b

from attrs import define, field, frozen

from pypid.interfaces import IAuthenticator
from pypid.model import Credentials, Principal
from pypid.runtime.lru import WeightedLRU
from pypid.runtime.single_flight import SingleFlight

__all__ = ["LIFETIME", "LIMIT", "SignInCache"]

LIFETIME = 300.0
"""Time for which a success is remembered, in seconds."""
LIMIT = 10_000
"""Largest number of remembered successes."""


@frozen
class _Success:
    """A sign-in that succeeded."""

    principal: Principal
    """Its principal."""
    revision: Hashable
    """The revision of the authenticator before the check."""
    checked_at: float
    """The time of the check, in seconds."""


@define(eq=False)
class SignInCache:
    """Authenticators, asked in order, and their recent successes. For the reactor's thread."""

    _authenticators: Sequence[IAuthenticator]
    _seconds: Callable[[], float] = time.monotonic
    """The clock by which successes expire."""
    _key: bytes = field(factory=partial(secrets.token_bytes, 32), init=False, repr=False)
    _successes: WeightedLRU[_Success] = field(factory=lambda: WeightedLRU(LIMIT), init=False, repr=False)
    _checks: SingleFlight[Principal | None] = field(factory=SingleFlight, init=False)

    async def recall(self, credentials: Credentials) -> Principal | None:
        """Return the principal of some credentials if no slow check is needed for that, else ``None``."""
        mac = self._mac(credentials)
        for number, authenticator in enumerate(self._authenticators):
            revision = await authenticator.revision()
            if revision is None:
                principal = await authenticator.authenticate(credentials)
            else:
                principal = self._remembered((number, mac), revision)
            if principal is not None:
                return principal
        return None

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the principal of credentials for which :meth:`recall` returned ``None``.

        Simultaneous requests with the same credentials share one check.

        :returns: ``None`` if the credentials are wrong.
        :raises StorageUnavailable: an authenticator cannot check them now.
        """
        mac = self._mac(credentials)
        for number, authenticator in enumerate(self._authenticators):
            revision = await authenticator.revision()
            if revision is None:
                continue  # the answer is known
            # Another request may have succeeded while this one waited for its turn.
            principal = self._remembered((number, mac), revision)
            if principal is None:
                principal = await self._checks.run(
                    (number, mac, revision), partial(self._check, number, mac, revision, credentials)
                )
            if principal is not None:
                return principal
        return None

    async def _check(
        self, number: int, mac: bytes, revision: Hashable, credentials: Credentials
    ) -> Principal | None:
        principal = await self._authenticators[number].authenticate(credentials)
        if principal is not None:
            # If the users changed during the check, the next request finds another revision.
            self._successes.put((number, mac), _Success(principal, revision, self._seconds()), 1)
        return principal

    def _remembered(self, key: Hashable, revision: Hashable) -> Principal | None:
        success = self._successes.get(key)
        if success is None or success.revision != revision:
            return None
        # The age is negative if the clock was set back; by how much is unknown.
        return success.principal if 0 <= self._seconds() - success.checked_at < LIFETIME else None

    def _mac(self, credentials: Credentials) -> bytes:
        """Return a MAC of credentials. BLAKE2 with a key is a MAC (RFC 7693, section 2.9), and fast."""
        username, password = (
            text.encode("utf-8", "surrogatepass") for text in (credentials.username, credentials.password)
        )
        parts = b"%d:%s%s" % (len(username), username, password)
        return blake2b(parts, key=self._key, digest_size=32).digest()
