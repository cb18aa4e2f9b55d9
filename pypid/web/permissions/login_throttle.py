"""A limit to guessing: how often somebody may be wrong."""

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
"""How many wrong passwords are answered."""
WINDOW = 300.0
"""Seconds until the first of them is forgotten."""
TELLING = 60.0
"""Seconds between two lines in the log about one guesser."""
MAX_REMEMBERED = 10_000
"""How many guessers are remembered."""
MAX_NAME = 64
"""How much of a user name is."""

_HARMLESS = re.compile(r"(?!pypid_)[A-Za-z0-9._@-]+")


@frozen
class LoginSource:
    """Where wrong passwords come from, and for whom."""

    address: str
    """The client's IPv4 address, or the /64 network of its IPv6 address: who has one, has all of them."""
    username: str
    """The user name, as far as it is kept; empty for tokens, which are their own names."""

    @classmethod
    def of(cls, address: IAddress, username: str) -> LoginSource:
        """Name whoever comes from an address. All who come over UNIX sockets come from one."""
        return cls(_network(getattr(address, "host", "-")), username[:MAX_NAME])

    def __str__(self) -> str:
        # A user name may be anything, even a password or token in the wrong place.
        who = f'user "{self.username}"' if _HARMLESS.fullmatch(self.username) else "a user or token"
        return f"{who} from {self.address}"


@define
class _Guesses:
    """When somebody was wrong, and when the log was told."""

    times: list[float] = field(factory=list)
    told: float = -math.inf


@define
class LoginThrottle:
    """Counts wrong passwords, for each address and user name by themselves.

    So a guesser stops neither the user, who comes from elsewhere, nor other users of the address.
    """

    _seconds: Callable[[], float] = time.monotonic
    _guesses: dict[LoginSource, _Guesses] = field(factory=dict, init=False)
    _log = Logger()

    def begin(self, guesser: LoginSource) -> None:
        """Begin another try, which is a failure for now: those under way count as well.

        :raises TooManyFailures: there were too many wrong ones; it says when there may be.
        """
        self.check(guesser)
        guesses, now = self._guesses.pop(guesser, None) or _Guesses(), self._seconds()
        if len(self._guesses) >= MAX_REMEMBERED:
            del self._guesses[next(iter(self._guesses))]
        guesses.times = [*guesses.times, now][-LIMIT:]
        self._guesses[guesser] = guesses

    def check(self, guesser: LoginSource) -> None:
        """Look whether there may be another try. :raises TooManyFailures: as :meth:`begin` says."""
        guesses, now = self._guesses.get(guesser), self._seconds()
        if guesses is not None and len(guesses.times) == LIMIT and now < guesses.times[0] + WINDOW:
            self._refuse(guesser, guesses, now)

    def take_back(self, guesser: LoginSource) -> None:
        """Count a try less, as it came to nothing."""
        guesses = self._guesses.get(guesser)
        if guesses is not None:
            del guesses.times[-1:]
            if not guesses.times:
                del self._guesses[guesser]

    def forget(self, guesser: LoginSource) -> None:
        """Forget the wrong ones, as the right one came."""
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
    """Give the smallest network that is surely one client's; what is no address stays as it is."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    # A socket for both kinds shows IPv4 addresses in the guise of IPv6 ones.
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))
