"""Counts of requests, their durations and their bytes, by route: numbers that no client can multiply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from attrs import define, field
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from zope.interface import implementer

from pypid.interfaces import IMeasured
from pypid.runtime.histogram import Histogram

__all__ = ["NO_ROUTE", "AnsweredRequest", "RequestTally"]

NO_ROUTE = "none"
"""The route of requests that no route has answered: refused ones, and those for pages that do not exist."""
BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0)
"""Bounds of the durations, in seconds."""
_METHODS = {
    method.encode(): method for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH")
}


class AnsweredRequest(Protocol):
    """The attributes of a request that are counted."""

    @property
    def route(self) -> str:
        """The path of its route, such as ``/simple/{name}/``, or :data:`NO_ROUTE`. Never a client's text."""

    @property
    def method(self) -> bytes:
        """Its method."""

    @property
    def code(self) -> int:
        """The status code of the answer."""

    @property
    def sentLength(self) -> int:
        """The bytes of the answer's body that were sent."""

    @property
    def body_received(self) -> int:
        """The bytes of the request's body that arrived."""

    @property
    def duration(self) -> float:
        """The seconds from the end of its head to the end of its answer."""


@define(eq=False)
class _Route:
    """The counts of one route."""

    requests: dict[tuple[str, int], int] = field(factory=dict)
    """The number of requests by method and status code."""
    sent: int = 0
    received: int = 0
    durations: Histogram = field(factory=lambda: Histogram(BOUNDS))


@implementer(IMeasured)
@define(eq=False)
class RequestTally:
    """Counts the requests of one process. For the reactor's thread."""

    in_progress: int = 0
    """The number of requests that are being answered."""
    aborted: int = 0
    """The number of requests whose client left before the answer was complete."""
    slow: int = 0
    """The number of requests that were answered slowly, as the log says."""
    _routes: dict[str, _Route] = field(factory=dict, init=False)

    def add(self, request: AnsweredRequest) -> None:
        """Count a request that was answered, wholly or in part."""
        route = self._routes.get(request.route)
        if route is None:
            route = self._routes[request.route] = _Route()
        key = _METHODS.get(request.method, "other"), request.code
        route.requests[key] = route.requests.get(key, 0) + 1
        route.sent += request.sentLength
        route.received += request.body_received
        route.durations.add(request.duration)

    def collect(self) -> Iterable[Metric]:
        """Return all counts."""
        requests = CounterMetricFamily(
            "pypid_http_requests", "Requests that were answered.", labels=["route", "method", "status"]
        )
        durations = HistogramMetricFamily(
            "pypid_http_request_duration_seconds",
            "Time from the end of a request's head to the end of its answer.",
            labels=["route"],
        )
        sent = CounterMetricFamily("pypid_http_sent_bytes", "Bytes of answers' bodies.", labels=["route"])
        received = CounterMetricFamily(
            "pypid_http_received_bytes", "Bytes of requests' bodies.", labels=["route"]
        )
        for name, route in self._routes.items():
            for (method, status), number in route.requests.items():
                requests.add_metric([name, method, str(status)], number)
            durations.add_metric([name], route.durations.buckets, route.durations.total)
            sent.add_metric([name], route.sent)
            received.add_metric([name], route.received)
        yield from (requests, durations, sent, received)
        yield GaugeMetricFamily(
            "pypid_http_requests_in_progress", "Requests that are being answered.", self.in_progress
        )
        yield CounterMetricFamily(
            "pypid_http_requests_aborted", "Requests whose client left before the end.", self.aborted
        )
        yield CounterMetricFamily("pypid_http_requests_slow", "Requests that took long to answer.", self.slow)
