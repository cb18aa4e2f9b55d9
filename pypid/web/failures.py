"""A limit to guessing: how often somebody may be wrong."""

from __future__ import annotations

import math

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pypid.errors import TooManyFailures

__all__ = ["Failures"]

LIMIT = 10
"""How many wrong passwords are answered."""
WINDOW = 300.0
"""Seconds until the first of them is forgotten."""
MAX_REMEMBERED = 10_000
"""How many guessers are remembered."""


@define
class Failures:
    """Counts wrong passwords, for each address and user name by themselves.

    So a guesser stops neither the user, who comes from elsewhere, nor other users of the address.
    """

    _clock: IReactorTime
    _times: dict[tuple[str, str], list[float]] = field(factory=dict, init=False)

    def check(self, address: str, username: str) -> None:
        """See that there may be another try.

        :raises TooManyFailures: there were too many wrong ones; it says when there may be.
        """
        times = self._recent(address, username)
        if len(times) >= LIMIT:
            raise TooManyFailures(
                "too many wrong passwords; wait a few minutes, then try the right one",
                retry_after=max(1, math.ceil(times[0] + WINDOW - self._clock.seconds())),
            )

    def note(self, address: str, username: str) -> None:
        """Count a wrong password."""
        times = self._recent(address, username)
        self._times.pop((address, username), None)
        if len(self._times) >= MAX_REMEMBERED:
            del self._times[next(iter(self._times))]
        self._times[address, username] = [*times, self._clock.seconds()]

    def forget(self, address: str, username: str) -> None:
        """Forget the wrong ones, as the right one came."""
        self._times.pop((address, username), None)

    def _recent(self, address: str, username: str) -> list[float]:
        now = self._clock.seconds()
        # Below zero the clock was set back, by who knows how much.
        return [time for time in self._times.get((address, username), ()) if 0 <= now - time < WINDOW]
