"""The factory of connections. It keeps track of the requests that are being answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import getChildForRequest
from twisted.web.server import Site

from pypid.index.administration import ProjectAdministration
from pypid.index.publishing import Index
from pypid.interfaces import IWorkers
from pypid.runtime.readiness import Readiness
from pypid.web.admission import Admission
from pypid.web.fast_path import FastPath, FastPathChannel
from pypid.web.http.access_lines import ACCESS_FORMATS
from pypid.web.http.access_log import AccessLog
from pypid.web.http.client_limits import ClientLimits, LimitState
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.offload import Offload
from pypid.web.http.open_connections import OpenConnections
from pypid.web.http.request import IndexRequest
from pypid.web.http.tallies import Tallies
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.project_permissions import ProjectPermissions
from pypid.web.routes.app import IndexApplication
from pypid.web.routes.home_page import HomePage
from pypid.web.routes.kept_files import KeptFiles
from pypid.web.routes.page_cache import SimplePages
from pypid.web.routes.release_summaries import ReleaseSummaries
from pypid.web.routes.upload_actions import UploadActions
from pypid.web.served_index import LiveRequests, ServedIndex

__all__ = ["DEFAULT_KEEP_ALIVE", "IndexSite", "make_served_index"]

NO_LIMITS = ClientLimits()
NO_PROXIES = TrustedProxies()
ANY_HOST = HostNames()
DEFAULT_KEEP_ALIVE = 120.0
"""Time in seconds that an idle connection is kept open.

Most proxies reuse a connection for up to 60 seconds. The time here is longer, so that no request arrives
while the connection is being closed.
"""


class IndexSite(Site):
    """Serves an index over HTTP/1.1.

    A request is answered to its end by the :class:`ServedIndex` that was in use when its head had arrived.
    """

    # Twisted's own is an instance, which makes channels of two versions of HTTP.
    protocol = FastPathChannel  # type: ignore[assignment]
    displayTracebacks = False
    noisy = False

    def __init__(
        self,
        served: ServedIndex,
        reactor: IReactorTime,
        tallies: Tallies,
        limits: ClientLimits = NO_LIMITS,
        log_format: str = "text",
    ) -> None:
        super().__init__(
            served.resource,
            requestFactory=IndexRequest,
            reactor=reactor,
            logFormatter=ACCESS_FORMATS[log_format],
        )
        self.served = served
        """What answers requests that begin now."""
        self.limits = LimitState(limits, reactor.seconds)
        self.connections = OpenConnections()
        self.tallies = tallies
        self._requests = LiveRequests()
        self._held: dict[Hashable, ServedIndex] = {}

    @property
    def admission(self) -> Admission:
        """Decides which bodies are accepted."""
        return self.served.admission

    @property
    def fast_path(self) -> FastPath:
        """Answers requests for cached pages."""
        return self.served.fast_path

    @property
    def realm(self) -> str:
        """The realm that users sign in to."""
        return self.served.realm

    @property
    def keep_alive(self) -> float:
        """The time in seconds that a connection may wait for its next request."""
        return self.served.keep_alive

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies that are trusted to report the addresses of their clients."""
        return self.served.proxies

    @property
    def hosts(self) -> HostNames:
        """The host names that requests may ask for."""
        return self.served.hosts

    @property
    def offload(self) -> Offload | None:
        """How files are handed over to the trusted proxies; ``None`` if they are not."""
        return self.served.offload

    def startFactory(self) -> None:
        """Open the access log."""
        super().startFactory()
        self.logFile = AccessLog(self.reactor)

    def replace(self, served: ServedIndex) -> ServedIndex:
        """Answer requests that begin from now on with another index, and return the one before."""
        before, self.served = self.served, served
        return before

    def request_began(self, request: IndexRequest) -> None:
        """Keep track of a request whose head has arrived, until it is finished."""
        request.resource = self.served.resource
        self.hold(request)
        request.notifyFinish().addBoth(self._ended, request)

    def log(self, request: Any) -> None:
        """Count an answered request, and write a line to the access log."""
        self.tallies.requests.add(request)
        super().log(request)

    def _ended(self, outcome: object, request: IndexRequest) -> None:
        self.release(request)
        if isinstance(outcome, Failure) and not request.finished:
            self.aborted(request)

    def aborted(self, request: Any) -> None:
        """Count a request whose client left before the answer was complete, and write it to the log."""
        self.tallies.requests.aborted += 1
        self.log(request)

    def hold(self, answer: Hashable) -> None:
        """Keep track of a request, or an answer on the fast path, until it is released."""
        self._held[answer] = self.served
        self.served.requests.hold(answer)
        self._requests.hold(answer)
        self.tallies.requests.in_progress += 1

    def release(self, answer: Hashable) -> None:
        """Forget a request that is finished, or an answer that is sent."""
        self._held.pop(answer).requests.release(answer)
        self._requests.release(answer)
        self.tallies.requests.in_progress -= 1

    def getResourceFor(self, request: Any) -> Any:
        """Return the routes that were in use when the request began."""
        return getChildForRequest(request.resource, request)

    async def drain(self, patience: float) -> None:
        """Wait until every request is answered and every answer sent, but at most ``patience`` seconds."""
        before = self.reactor.seconds()
        await self._requests.drain(patience, self.reactor)
        left = patience - (self.reactor.seconds() - before)
        if left > 0 and not self._requests.has_given_up:
            await self.connections.close(left, self.reactor)

    def give_up(self) -> None:
        """Wait no longer for requests to be answered, now or in :meth:`drain`."""
        self._requests.give_up()
        self.connections.give_up()


def make_served_index(
    index: Index,
    authorization: Authorization,
    uploads: IWorkers,
    *,
    max_upload: int,
    public_url: str | None,
    realm: str,
    reactor: IReactorTime,
    keep_alive: float = DEFAULT_KEEP_ALIVE,
    proxies: TrustedProxies = NO_PROXIES,
    readiness: Readiness,
    tallies: Tallies,
    metrics: Callable[[], Awaitable[bytes]] | None = None,
    hosts: HostNames = ANY_HOST,
    offload: Offload | None = None,
) -> ServedIndex:
    """Assemble everything that depends on the configuration.

    :param uploads: workers that read the forms of uploads and stage their files.
    :param max_upload: the largest size of an upload's body, in bytes.
    :param public_url: the URL that clients use, if it differs from the socket's.
    :param realm: the realm that users sign in to.
    :param keep_alive: the time in seconds that a connection may wait for its next request.
    :param proxies: the proxies that are trusted to report the addresses of their clients.
    :param readiness: the checks for ``/+ready``.
    :param tallies: the counts of everything that clients do.
    :param metrics: returns the text of all metrics; without it there are none.
    :param hosts: the host names that requests may ask for.
    :param offload: how files are handed over to the trusted proxies, which then send them.
    """
    has_upstreams = any(upstream.name != "none" for upstream in index.upstreams)
    administration = ProjectAdministration(index.storage, index.catalog, index.now)
    permissions = ProjectPermissions(authorization, index.catalog)
    pages = SimplePages(index.workers, public_url)
    kept_files = KeptFiles(index, reactor)
    application = IndexApplication(
        index=index,
        authorization=authorization,
        permissions=permissions,
        pages=pages,
        kept_files=kept_files,
        releases=ReleaseSummaries(index),
        home=HomePage(public_url, authorization, has_upstreams),
        uploads=UploadActions(index, administration, permissions, tallies.uploads),
        administration=administration,
        readiness=readiness,
        metrics=metrics,
        public_url=public_url,
        realm=realm,
    )
    admission = Admission(permissions, index.storage, uploads, max_upload, public_url)
    fast_path = FastPath(index, authorization, pages, kept_files)
    return ServedIndex(
        application.app.resource(), admission, fast_path, realm, keep_alive, proxies, hosts, offload
    )
