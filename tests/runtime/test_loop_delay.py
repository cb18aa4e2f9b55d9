"""How late calls are, and what a clock that is set has to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from twisted.internet.task import Clock

from pypid.runtime.histogram import Histogram
from pypid.runtime.loop_delay import INTERVAL, LoopDelay
from pypid.runtime.workers import Workers


def values(families: list[Metric]) -> Mapping[str, float]:
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_delays_and_jumps() -> None:
    clock, now = Clock(), 0.0
    delay = LoopDelay(clock, lambda: now)
    delay.start()
    for late in (0.0, 0.0, 0.2):
        now += INTERVAL + late
        clock.rightNow += late
        clock.advance(INTERVAL)
    found = values(list(delay.collect()))
    assert found["pypid_event_loop_delay_seconds_count"] == 3
    assert abs(found["pypid_event_loop_delay_seconds_sum"] - 0.2) < 1e-9
    now += 0.01
    clock.advance(3600)  # the wall clock is set forward: the call comes early
    now += 3600
    clock.rightNow += INTERVAL
    clock.advance(0)  # and what is set back is late by that much
    found = values(list(delay.collect()))
    assert found["pypid_clock_jumps_total"] == 2
    assert found["pypid_event_loop_delay_seconds_count"] == 3
    delay.stop()
    assert not clock.getDelayedCalls()


@given(st.lists(st.floats(0, 100)))
def test_a_histogram_counts_each_value_once(seen: list[float]) -> None:
    histogram = Histogram((0.5, 2.0, 10.0))
    for value in seen:
        histogram.add(value)
    assert [number for _, number in histogram.buckets] == [
        sum(value <= bound for value in seen) for bound in (0.5, 2.0, 10.0, float("inf"))
    ]
    assert [name for name, _ in histogram.buckets] == ["0.5", "2", "10", "+Inf"]


class _Reactor(Clock):
    """Calls from threads at once."""

    def callFromThread(self, function, *args):  # type: ignore[no-untyped-def]
        function(*args)


def test_what_runs_and_waits_in_a_pool() -> None:
    pool = Workers(_Reactor(), "reading", 2)
    gate = Event()

    def found() -> list[float]:
        now = values(list(pool.collect()))
        return [now[f"pypid_worker_{name}"] for name in ("running", "waiting", "calls_total", "threads")]

    assert found() == [0, 0, 0, 2]
    for _ in range(5):
        pool.run(gate.wait)
    assert found() == [2, 3, 5, 2]
    gate.set()
    pool.startService()
    pool.stopService()
    assert found() == [0, 0, 5, 2]
