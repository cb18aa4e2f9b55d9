"""Not asking again and again whoever does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pypid.errors import NotFound, UpstreamFailed
from pypid.upstream.http.upstream_failures import FailedAnswer, LeftAlone, Unreachable, UnusableAnswer

__all__ = ["CircuitBreaker"]

FAILURES = 3
"""After how many failures in a row a host is left alone."""
FIRST_REST = 2.0
"""For how long at first, in seconds; each failed trial doubles it."""
LONGEST_REST = 60.0
"""For how long at most."""
LONGEST_RETRY_AFTER = 300.0
"""What is believed of a host's own wish to be left alone."""
LATELY = 10.0
"""For how long, in seconds, after it answered a host is not suspected to be down."""
SUSPICION = 30.0
"""For how long, in seconds, what failed itself is not what a host is tried with."""
MAX_SUSPECTS = 100
"""How many resources that failed are remembered of a host."""


@define(eq=False)
class CircuitBreaker:
    """Leaves a host alone that failed several times in a row, and then tries it with one request.

    That it cannot be connected to speaks of the host, and so does each time. That something takes
    too long, breaks off or is answered by "busy" may speak of that resource alone: so several
    different ones have to fail, with nothing answered between or just before, and the host is then
    tried with another one. An answer that says of one resource that it failed, or makes no sense,
    says that the host is there.
    """

    _clock: IReactorTime
    _host: str
    _failures: int = field(default=0, init=False)
    _suspects: dict[str, float] = field(factory=dict, init=False)
    _answered: float = field(default=-LATELY, init=False)
    _closed_at: float = field(default=0.0, init=False)
    _trial: bool = field(default=False, init=False)

    @contextmanager
    def guarding(self, resource: str) -> Iterator[None]:
        """Ask for something in the block, if that is sensible now, and learn from how it ends.

        :param resource: what is asked for, as a URL.
        :raises LeftAlone: the host is left alone.
        """
        if self._resting or self._trial or (self._is_open and self._is_suspect(resource)):
            rest = self._closed_at - self._clock.seconds()
            raise LeftAlone(
                f"{self._host}: it failed again and again; it is tried again in {max(rest, 1):.0f} s"
            )
        self._trial = self._is_open
        try:
            yield
        except (NotFound, UnusableAnswer):
            self._succeed()
            raise
        except FailedAnswer:
            self._failures = 0
            raise
        except Unreachable:
            self._fail()
            raise
        except UpstreamFailed:
            self._suspect(resource)
            raise
        else:
            self._succeed()
        finally:
            self._trial = False

    def rest(self, seconds: float, *, always: bool) -> None:
        """Leave the host alone for some time, as it asked for.

        :param always: even if it answered something else a moment ago.
        """
        if seconds > 0 and (always or not self._has_answered_lately):
            self._close(min(seconds, LONGEST_RETRY_AFTER))
            self._failures = max(self._failures, FAILURES)

    @property
    def _is_open(self) -> bool:
        return self._failures >= FAILURES

    @property
    def _resting(self) -> bool:
        # The reactor's clock is the wall's; after it was set back, nothing may rest for hours.
        return 0 < self._closed_at - self._clock.seconds() <= LONGEST_RETRY_AFTER

    @property
    def _has_answered_lately(self) -> bool:
        return 0 <= self._clock.seconds() - self._answered < LATELY

    def _is_suspect(self, resource: str) -> bool:
        return 0 <= self._clock.seconds() - self._suspects.get(resource, -SUSPICION) < SUSPICION

    def _succeed(self) -> None:
        self._failures = 0
        self._suspects.clear()
        self._answered = self._clock.seconds()

    def _suspect(self, resource: str) -> None:
        """Count a failure that may be the host's, or that of the resource alone."""
        if self._resting or self._has_answered_lately:
            return
        self._suspects.pop(resource, None)
        self._suspects[resource] = self._clock.seconds()
        if len(self._suspects) > MAX_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
        if self._is_open or len(self._suspects) >= FAILURES:
            self._failures = max(self._failures, FAILURES - 1)
            self._fail()

    def _fail(self) -> None:
        if self._resting:
            return  # it was asked before that was known
        self._failures += 1
        if self._is_open:
            self._close(min(FIRST_REST * 2 ** (self._failures - FAILURES), LONGEST_REST))

    def _close(self, seconds: float) -> None:
        self._closed_at = self._clock.seconds() + seconds
