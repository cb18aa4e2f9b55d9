"""Circuit breakers: a host that fails repeatedly gets no requests for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pypid.errors import NotFound, UpstreamFailed
from pypid.upstream.http.upstream_failures import CircuitOpen, FailedAnswer, Unreachable, UnusableAnswer

__all__ = ["CircuitBreaker"]

FAILURES = 3
"""Number of consecutive failures after which a host gets no requests for a while."""
FIRST_REST = 2.0
"""Length of the first pause, in seconds; each failed trial doubles it."""
LONGEST_REST = 60.0
"""Length of the longest pause, in seconds."""
LONGEST_RETRY_AFTER = 300.0
"""Longest pause, in seconds, that a host can ask for by ``Retry-After``."""
RECENT = 10.0
"""For how many seconds after an answer a host is not suspected to be down."""
SUSPICION = 30.0
"""For how many seconds a resource that failed is not used for the trial request."""
MAX_SUSPECTS = 100
"""Number of failed resources that are remembered for each host."""


@define(eq=False)
class CircuitBreaker:
    """Blocks requests to a host that failed several times in a row, and then allows one trial request.

    A failed connection counts against the host each time. A timeout, a broken connection or a "busy"
    answer may be the fault of one resource alone: these count only if several different resources
    fail, without any answer in between or shortly before, and the trial request then asks for
    another resource. A server error about one resource, or an unusable answer, shows that the host
    is up.
    """

    _clock: IReactorTime
    _host: str
    _failures: int = field(default=0, init=False)
    _suspects: dict[str, float] = field(factory=dict, init=False)
    _answered_at: float = field(default=-RECENT, init=False)
    _open_until: float = field(default=0.0, init=False)
    _trial: bool = field(default=False, init=False)

    @contextmanager
    def guard(self, resource: str) -> Iterator[None]:
        """Return a context manager around one request, which counts its success or failure.

        :param resource: the URL of the request.
        :raises CircuitOpen: the host gets no requests now; the block is not entered.
        """
        if self._resting or self._trial or (self._is_open and self._is_suspect(resource)):
            raise CircuitOpen(self._pause)
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
        """Send the host no requests for some time, because it asked for that.

        :param always: whether this holds even if the host answered another request a moment ago.
        """
        if seconds > 0 and (always or not self._answered_recently):
            self._open_for(min(seconds, LONGEST_RETRY_AFTER))
            self._failures = max(self._failures, FAILURES)

    def trouble(self) -> str | None:
        """Return one line that says that the host failed repeatedly, until it answers; else ``None``."""
        if not self._is_open:
            return None
        return (
            self._pause
            if self._resting
            else f"{self._host}: it failed again and again when it was asked last"
        )

    @property
    def _pause(self) -> str:
        rest = max(self._open_until - self._clock.seconds(), 1)
        return f"{self._host}: it failed again and again; it is tried again in {rest:.0f} s"

    @property
    def _is_open(self) -> bool:
        return self._failures >= FAILURES

    @property
    def _resting(self) -> bool:
        # The reactor's clock is the wall clock: after it was set back, no host may rest for hours.
        return 0 < self._open_until - self._clock.seconds() <= LONGEST_RETRY_AFTER

    @property
    def _answered_recently(self) -> bool:
        return 0 <= self._clock.seconds() - self._answered_at < RECENT

    def _is_suspect(self, resource: str) -> bool:
        return 0 <= self._clock.seconds() - self._suspects.get(resource, -SUSPICION) < SUSPICION

    def _succeed(self) -> None:
        self._failures = 0
        self._suspects.clear()
        self._answered_at = self._clock.seconds()

    def _suspect(self, resource: str) -> None:
        """Count a failure that may be the fault of the host or of the resource alone."""
        if self._resting or self._answered_recently:
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
            return  # the request began before the host was known to fail
        self._failures += 1
        if self._is_open:
            self._open_for(min(FIRST_REST * 2 ** (self._failures - FAILURES), LONGEST_REST))

    def _open_for(self, seconds: float) -> None:
        self._open_until = self._clock.seconds() + seconds
