"""The memory of right passwords, so that their owners are not treated as guessers."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from functools import partial
from hashlib import blake2b

from attrs import define, field

from pypid.model import Credentials

__all__ = ["KnownPasswords"]

MAX_REMEMBERED = 10_000
"""Largest number of remembered passwords."""
SIZE = 8
"""Size of the MAC of a password, in bytes: large enough that nobody finds a match by trying."""


@define(eq=False)
class KnownPasswords:
    """Remembers right passwords until the process ends. It does not sign anybody in.

    It keeps only a short MAC of each password. The key of the MACs is lost when the process ends.
    """

    _key: bytes = field(factory=partial(secrets.token_bytes, 32), init=False, repr=False)
    _known: OrderedDict[bytes, None] = field(factory=OrderedDict, init=False, repr=False)

    def __contains__(self, credentials: Credentials) -> bool:
        return self._mac(credentials) in self._known

    def remember(self, credentials: Credentials) -> None:
        """Remember a password that has just been right."""
        mac = self._mac(credentials)
        self._known[mac] = None
        self._known.move_to_end(mac)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, credentials: Credentials) -> None:
        """Forget a password, because it is no longer right."""
        self._known.pop(self._mac(credentials), None)

    def _mac(self, credentials: Credentials) -> bytes:
        username, password = (
            text.encode("utf-8", "surrogatepass") for text in (credentials.username, credentials.password)
        )
        parts = b"%d:%s%s" % (len(username), username, password)
        return blake2b(parts, key=self._key, digest_size=SIZE).digest()
