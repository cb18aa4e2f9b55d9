"""How late the reactor is: the time that a call which is due has to wait for others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from attrs import define, field
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from pypid.interfaces import IMeasured
from pypid.runtime.histogram import Histogram

__all__ = ["LoopDelay"]

INTERVAL = 0.25
"""Time between two measurements, in seconds."""
JUMP = 0.5
"""By how many seconds the wall clock must leave the other clock to count as a jump."""
BOUNDS = (0.001, 0.005, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Bounds of the delays, in seconds."""


@implementer(IMeasured)
@define(eq=False)
class LoopDelay:
    """Measures the delay of calls at intervals, as long as it runs."""

    _reactor: IReactorTime
    _seconds: Callable[[], float] = time.monotonic
    """A clock that nobody sets; the reactor's is the wall clock."""
    _delays: Histogram = field(factory=lambda: Histogram(BOUNDS), init=False)
    _jumps: int = field(default=0, init=False)
    _due: float = field(default=0.0, init=False)
    _offset: float = field(default=0.0, init=False)
    """The wall clock's time minus the other clock's."""
    _call: IDelayedCall | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to measure."""
        self._offset = self._reactor.seconds() - self._seconds()
        self._schedule()

    def stop(self) -> None:
        """End the measurements."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def collect(self) -> Iterable[Metric]:
        """Return the delays, and how often the wall clock was set."""
        family = HistogramMetricFamily(
            "pypid_event_loop_delay_seconds",
            "How late a call was that was due.",
        )
        family.add_metric([], self._delays.buckets, self._delays.total)
        yield family
        yield CounterMetricFamily(
            "pypid_clock_jumps", "How often the machine's clock was set forward or back.", self._jumps
        )

    def _schedule(self) -> None:
        self._due = self._seconds() + INTERVAL
        self._call = self._reactor.callLater(INTERVAL, self._measure)

    def _measure(self) -> None:
        now = self._seconds()
        offset = self._reactor.seconds() - now
        if abs(offset - self._offset) < JUMP:
            self._delays.add(max(0.0, now - self._due))
        else:
            # The call was early or late because the clock was set, and not because of others.
            self._jumps += 1
        self._offset = offset
        self._schedule()
