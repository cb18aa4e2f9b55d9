"""Not asking again and again whoever does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pypid.errors import NotFound, UpstreamFailed
from pypid.upstream.reasons import UnusableAnswer

__all__ = ["Breaker"]

FAILURES = 3
"""After how many failures in a row a host is left alone."""
FIRST_REST = 2.0
"""For how long at first, in seconds; each failed trial doubles it."""
LONGEST_REST = 60.0
"""For how long at most."""
LONGEST_RETRY_AFTER = 300.0
"""What is believed of a host's own wish to be left alone."""


@define(eq=False)
class Breaker:
    """Leaves a host alone that failed several times in a row, and then tries it with one request."""

    _clock: IReactorTime
    _host: str
    _failures: int = field(default=0, init=False)
    _closed_at: float = field(default=0.0, init=False)
    _trial: bool = field(default=False, init=False)

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Ask something in the block, if that is sensible now, and learn from how it ends.

        :raises UpstreamFailed: the host is left alone.
        """
        if self._resting or self._trial:
            rest = self._closed_at - self._clock.seconds()
            raise UpstreamFailed(
                f"{self._host}: it failed again and again; it is tried again in {max(rest, 1):.0f} s"
            )
        self._trial = self._failures >= FAILURES
        try:
            yield
        except (NotFound, UnusableAnswer):
            self._failures = 0
            raise
        except UpstreamFailed:
            self._fail()
            raise
        else:
            self._failures = 0
        finally:
            self._trial = False

    def rest(self, seconds: float) -> None:
        """Leave the host alone for some time, as it asked for."""
        if seconds > 0:
            self._close(min(seconds, LONGEST_RETRY_AFTER))
            self._failures = max(self._failures, FAILURES)

    @property
    def _resting(self) -> bool:
        # The reactor's clock is the wall's; after it was set back, nothing may rest for hours.
        return 0 < self._closed_at - self._clock.seconds() <= LONGEST_RETRY_AFTER

    def _fail(self) -> None:
        if self._resting:
            return  # it was asked before that was known
        self._failures += 1
        if self._failures >= FAILURES:
            self._close(min(FIRST_REST * 2 ** (self._failures - FAILURES), LONGEST_REST))

    def _close(self, seconds: float) -> None:
        self._closed_at = self._clock.seconds() + seconds
