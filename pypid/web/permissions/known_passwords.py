"""Passwords that were right before, so that whoever has one is not taken for somebody who guesses."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from functools import partial
from hashlib import blake2b

from attrs import define, field

from pypid.model import Credentials

__all__ = ["KnownPasswords"]

MAX_REMEMBERED = 10_000
"""How many passwords are remembered."""
SIZE = 8
"""Bytes that are kept of each: enough that nobody comes upon one by trying."""


@define(eq=False)
class KnownPasswords:
    """Remembers which passwords were right, for as long as the process lives; it lets nobody in.

    All that is kept is a short MAC under a key that dies with the process.
    """

    _key: bytes = field(factory=partial(secrets.token_bytes, 32), init=False, repr=False)
    _known: OrderedDict[bytes, None] = field(factory=OrderedDict, init=False, repr=False)

    def __contains__(self, credentials: Credentials) -> bool:
        return self._mac(credentials) in self._known

    def remember(self, credentials: Credentials) -> None:
        """Note that a password was right just now."""
        mac = self._mac(credentials)
        self._known[mac] = None
        self._known.move_to_end(mac)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, credentials: Credentials) -> None:
        """Note that a password is right no more."""
        self._known.pop(self._mac(credentials), None)

    def _mac(self, credentials: Credentials) -> bytes:
        username, password = (
            text.encode("utf-8", "surrogatepass") for text in (credentials.username, credentials.password)
        )
        parts = b"%d:%s%s" % (len(username), username, password)
        return blake2b(parts, key=self._key, digest_size=SIZE).digest()
