"""A limit on the number of wrong passwords, against guessing."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NoReturn

from attrs import define, field, frozen
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from pypid.errors import TooManyFailures

__all__ = ["LoginThrottle", "LoginSource"]

LIMIT = 10
"""Number of wrong passwords that are answered within the time window."""
WINDOW = 300.0
"""Length of the time window, in seconds: wrong passwords are forgotten after it."""
TELLING = 60.0
"""Shortest time between two log messages about the same guesser, in seconds."""
MAX_REMEMBERED = 10_000
"""Largest number of remembered guessers."""
MAX_NAME = 64
"""Number of characters of a user name that are remembered."""

_HARMLESS = re.compile(r"(?!pypid_)[A-Za-z0-9._@-]+")


@frozen
class LoginSource:
    """The source of sign-ins: a client address and a user name."""

    address: str
    """The client's IPv4 address, or the /64 network of its IPv6 address: one client can use all of that."""
    username: str
    """The user name, shortened to :data:`MAX_NAME` characters; empty for a token, which has no user name."""

    @classmethod
    def of(cls, address: IAddress, username: str) -> LoginSource:
        """Return the source for an address and a user name. All UNIX sockets count as one address."""
        return cls(_network(getattr(address, "host", "-")), username[:MAX_NAME])

    def __str__(self) -> str:
        # A user name may be anything, even a password or token that was entered in the wrong field.
        who = f'user "{self.username}"' if _HARMLESS.fullmatch(self.username) else "a user or token"
        return f"{who} from {self.address}"


@define
class _Guesses:
    """The times of the guesses of one guesser, and the time of the last log message about them."""

    times: list[float] = field(factory=list)
    told: float = -math.inf


@define
class LoginThrottle:
    """Counts wrong passwords for each pair of address and user name.

    So a guesser locks out neither the same user at another address nor other users at the same address.
    """

    _seconds: Callable[[], float] = time.monotonic
    _guesses: dict[LoginSource, _Guesses] = field(factory=dict, init=False)
    _log = Logger()

    def begin(self, guesser: LoginSource) -> None:
        """Count a guess before it is checked, so that guesses still being checked count too.

        :raises TooManyFailures: there were too many wrong passwords; the error says when to try again.
        """
        self.check(guesser)
        guesses, now = self._guesses.pop(guesser, None) or _Guesses(), self._seconds()
        if len(self._guesses) >= MAX_REMEMBERED:
            del self._guesses[next(iter(self._guesses))]
        guesses.times = [*guesses.times, now][-LIMIT:]
        self._guesses[guesser] = guesses

    def check(self, guesser: LoginSource) -> None:
        """Check that another guess is allowed. :raises TooManyFailures: see :meth:`begin`."""
        guesses, now = self._guesses.get(guesser), self._seconds()
        if guesses is not None and len(guesses.times) == LIMIT and now < guesses.times[0] + WINDOW:
            self._refuse(guesser, guesses, now)

    def take_back(self, guesser: LoginSource) -> None:
        """Uncount a guess, because its check did not complete."""
        guesses = self._guesses.get(guesser)
        if guesses is not None:
            del guesses.times[-1:]
            if not guesses.times:
                del self._guesses[guesser]

    def forget(self, guesser: LoginSource) -> None:
        """Forget the wrong passwords of a guesser, because the right one was sent."""
        self._guesses.pop(guesser, None)

    def _refuse(self, guesser: LoginSource, guesses: _Guesses, now: float) -> NoReturn:
        if now - guesses.told >= TELLING:
            guesses.told = now
            self._log.warn("too many wrong passwords for {guesser}", guesser=str(guesser))
        raise TooManyFailures(
            "too many wrong passwords; wait a few minutes, then try the right one",
            retry_after=math.ceil(guesses.times[0] + WINDOW - now),
        )


def _network(host: str) -> str:
    """Return the smallest network that surely belongs to one client; return a non-address unchanged."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    # A dual-stack socket reports IPv4 addresses as IPv4-mapped IPv6 addresses.
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))
