"""A limit on the number of wrong passwords, against guessing."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import NoReturn

from attrs import define, field, frozen
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from pypid.errors import TooManyFailures
from pypid.web.http.client_limits import network_of

__all__ = ["LoginSource", "LoginThrottle"]

LIMIT = 10
"""Number of wrong passwords that are answered within the time window."""
WINDOW = 300.0
"""Length of the time window, in seconds: wrong passwords are forgotten after it."""
LOG_INTERVAL = 60.0
"""Shortest time between two log messages about the same source, in seconds."""
MAX_REMEMBERED = 10_000
"""Largest number of remembered sources."""
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
        return cls(network_of(getattr(address, "host", "-")), username[:MAX_NAME])

    def __str__(self) -> str:
        # A user name may be anything, even a password or token that was entered in the wrong field.
        who = f'user "{self.username}"' if _HARMLESS.fullmatch(self.username) else "a user or token"
        return f"{who} from {self.address}"


@define
class _Attempts:
    """The times of the attempts of one source, and of the last log message about them, in seconds."""

    times: list[float] = field(factory=list)
    logged_at: float = -math.inf


@define
class LoginThrottle:
    """Counts wrong passwords for each pair of address and user name.

    So nobody locks out the same user at another address, or other users at the same address.
    """

    _seconds: Callable[[], float] = time.monotonic
    _attempts: dict[LoginSource, _Attempts] = field(factory=dict, init=False)
    _log = Logger()

    def count_attempt(self, source: LoginSource) -> None:
        """Count an attempt before it is checked, so that attempts still being checked count too.

        :raises TooManyFailures: there were too many wrong passwords; the error says when to try again.
        """
        self.check(source)
        attempts, now = self._attempts.pop(source, None) or _Attempts(), self._seconds()
        if len(self._attempts) >= MAX_REMEMBERED:
            del self._attempts[next(iter(self._attempts))]
        attempts.times = [*attempts.times, now][-LIMIT:]
        self._attempts[source] = attempts

    def check(self, source: LoginSource) -> None:
        """Check that another attempt is allowed. :raises TooManyFailures: see :meth:`count_attempt`."""
        attempts, now = self._attempts.get(source), self._seconds()
        if attempts is not None and len(attempts.times) == LIMIT and now < attempts.times[0] + WINDOW:
            self._refuse(source, attempts, now)

    def forgive(self, source: LoginSource) -> None:
        """Uncount an attempt, because its check did not complete."""
        attempts = self._attempts.get(source)
        if attempts is not None:
            del attempts.times[-1:]
            if not attempts.times:
                del self._attempts[source]

    def clear(self, source: LoginSource) -> None:
        """Forget the wrong passwords of a source, because the right one was sent."""
        self._attempts.pop(source, None)

    def _refuse(self, source: LoginSource, attempts: _Attempts, now: float) -> NoReturn:
        if now - attempts.logged_at >= LOG_INTERVAL:
            attempts.logged_at = now
            self._log.warn("too many wrong passwords for {source}", source=str(source))
        raise TooManyFailures(
            "too many wrong passwords; wait a few minutes, then try the right one",
            retry_after=math.ceil(attempts.times[0] + WINDOW - now),
        )
