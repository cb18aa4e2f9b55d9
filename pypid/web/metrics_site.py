"""The site on an endpoint of its own, where monitoring asks without a token: metrics, health, readiness."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from pypid.errors import NotFound, TooLarge
from pypid.runtime.readiness import Readiness
from pypid.web.http.channel import IndexChannel
from pypid.web.http.client_limits import ClientLimits, LimitState
from pypid.web.http.error_responses import error_response
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import MAX_IGNORED, Body, IgnoredBody
from pypid.web.http.responses import Response, text
from pypid.web.http.tallies import Tallies
from pypid.web.routes.front import METRICS_TYPE, ready_response

__all__ = ["MetricsSite"]

_NO_STORE = [(b"Cache-Control", b"no-store")]


@frozen
class _NoBodies:
    """Accepts no bodies but short ones, which are ignored."""

    async def admit(self, request: IndexRequest, length: int | None) -> Body:  # noqa: ARG002
        """Return the receiver of a body. :raises TooLarge: it is long."""
        if length is not None and length > MAX_IGNORED:
            raise TooLarge("no body is expected here")
        return IgnoredBody()


class MetricsSite(Site):
    """Serves ``/+metrics``, also as ``/metrics``, ``/+health`` and ``/+ready``, to whoever can connect.

    Its requests are neither counted nor logged: they come every few seconds.
    """

    # Twisted's own is an instance, which makes channels of two versions of HTTP.
    protocol = IndexChannel  # type: ignore[assignment]
    displayTracebacks = False
    noisy = False
    admission = _NoBodies()
    hosts = HostNames()
    offload = None
    keep_alive = 120.0

    def __init__(
        self, metrics: Callable[[], Awaitable[bytes]], readiness: Readiness, realm: str, reactor: IReactorTime
    ) -> None:
        super().__init__(_Pages(metrics, readiness), requestFactory=IndexRequest, reactor=reactor)
        self.realm = realm
        self.proxies = TrustedProxies()
        self.limits = LimitState(ClientLimits(), reactor.seconds)
        self.tallies = Tallies()

    def request_began(self, request: IndexRequest) -> None:
        """Do nothing: whoever stops the daemon does not wait for these requests."""


class _Pages(Resource):
    """Answers every request."""

    isLeaf = True

    def __init__(self, metrics: Callable[[], Awaitable[bytes]], readiness: Readiness) -> None:
        super().__init__()
        self._metrics = metrics
        self._readiness = readiness

    def render_GET(self, request: IndexRequest) -> int:
        """Answer a GET or HEAD."""
        answering = Deferred.fromCoroutine(self._response(request))
        left = request.notifyFinish()
        left.addErrback(lambda _: answering.cancel())
        answering.addErrback(lambda failure: error_response(failure, request.link.site.realm))
        answering.addCallback(lambda response: None if request.abandoned else request.send(response))
        answering.addErrback(_lost, request)
        return NOT_DONE_YET

    async def _response(self, request: IndexRequest) -> Response:
        match request.path:
            case b"/+metrics" | b"/metrics":
                return Response(200, await self._metrics(), METRICS_TYPE, _NO_STORE)
            case b"/+health" | b"/health":
                return text(200, "ok", _NO_STORE)
            case b"/+ready":
                return await ready_response(request, self._readiness)
        raise NotFound("there is no such page; see /+metrics, /+ready and /+health")


def _lost(failure: Failure, request: IndexRequest) -> None:
    request.processingFailed(failure)
