"""The factory of connections. It keeps track of the requests that are being answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Site

from pypid.index.administration import ProjectAdministration
from pypid.index.publishing import Index
from pypid.interfaces import IWorkers
from pypid.runtime.readiness import Readiness
from pypid.web.admission import Admission
from pypid.web.fast_path import FastPath, FastPathChannel
from pypid.web.http.access_lines import ACCESS_FORMATS, LoggableRequest
from pypid.web.http.access_log import AccessLog
from pypid.web.http.client_limits import ClientLimits, LimitState
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.offload import Offload
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

__all__ = ["DEFAULT_KEEP_ALIVE", "IndexSite", "make_site"]

NO_LIMITS = ClientLimits()
NO_PROXIES = TrustedProxies()
ANY_HOST = HostNames()
DEFAULT_KEEP_ALIVE = 120.0
"""Time in seconds that an idle connection is kept open.

Most proxies reuse a connection for up to 60 seconds. The time here is longer, so that no request arrives
while the connection is being closed.
"""


class IndexSite(Site):
    """Serves an index over HTTP/1.1."""

    # Twisted's own is an instance, which makes channels of two versions of HTTP.
    protocol = FastPathChannel  # type: ignore[assignment]
    displayTracebacks = False
    noisy = False

    def __init__(
        self,
        resource: IResource,
        admission: Admission,
        fast_path: FastPath,
        realm: str,
        reactor: IReactorTime,
        keep_alive: float,
        proxies: TrustedProxies,
        hosts: HostNames,
        offload: Offload | None,
        limits: ClientLimits,
        tallies: Tallies,
        log_formatter: Callable[[str, LoggableRequest], str],
    ) -> None:
        super().__init__(resource, requestFactory=IndexRequest, reactor=reactor, logFormatter=log_formatter)
        self.admission = admission
        self.fast_path = fast_path
        self.realm = realm
        self.keep_alive = keep_alive
        self.proxies = proxies
        self.hosts = hosts
        self.offload = offload
        self.limits = LimitState(limits, reactor.seconds)
        self.tallies = tallies
        self._live: set[object] = set()
        self._drained: Deferred[None] | None = None
        self._has_given_up = False

    def startFactory(self) -> None:
        """Open the access log."""
        super().startFactory()
        self.logFile = AccessLog(self.reactor)

    def request_began(self, request: IndexRequest) -> None:
        """Keep track of a request whose head has arrived, until it is finished."""
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

    def hold(self, answer: object) -> None:
        """Keep track of a request, or an answer on the fast path, until it is released."""
        self._live.add(answer)
        self.tallies.requests.in_progress += 1

    def release(self, answer: object) -> None:
        """Forget a request that is finished, or an answer that is sent."""
        self._live.discard(answer)
        self.tallies.requests.in_progress -= 1
        if self._drained is not None and not self._live:
            drained, self._drained = self._drained, None
            drained.callback(None)

    async def drain(self, patience: float) -> None:
        """Wait until every request is answered, but at most ``patience`` seconds."""
        if self._live and not self._has_given_up:
            self._drained = Deferred()
            giving_up = self.reactor.callLater(patience, self._drained.cancel)
            self._drained.addErrback(lambda _: None)
            await self._drained
            if giving_up.active():
                giving_up.cancel()

    def give_up(self) -> None:
        """Wait no longer for requests to be answered, now or in :meth:`drain`."""
        self._has_given_up = True
        if self._drained is not None:
            self._drained.cancel()


def make_site(
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
    readiness: Readiness | None = None,
    hosts: HostNames = ANY_HOST,
    offload: Offload | None = None,
    limits: ClientLimits = NO_LIMITS,
    tallies: Tallies | None = None,
    metrics: Callable[[], Awaitable[bytes]] | None = None,
    log_format: str = "text",
) -> IndexSite:
    """Assemble the HTTP side of an index.

    :param uploads: workers that read the forms of uploads and stage their files.
    :param max_upload: the largest size of an upload's body, in bytes.
    :param public_url: the URL that clients use, if it differs from the socket's.
    :param realm: the realm that users sign in to.
    :param keep_alive: the time in seconds that a connection may wait for its next request.
    :param proxies: the proxies that are trusted to report the addresses of their clients.
    :param readiness: the checks for ``/+ready``; without it the index is always ready.
    :param tallies: the counts of everything that clients do; new ones if none are given.
    :param metrics: returns the text of all metrics; without it there are none.
    :param log_format: the format of the access log, ``text`` or ``json``.
    :param hosts: the host names that requests may ask for.
    :param offload: how files are handed over to the trusted proxies, which then send them.
    :param limits: the limits for clients.
    """
    tallies = tallies or Tallies(sign_ins=authorization.tally)
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
        readiness=readiness or Readiness({}, reactor),
        metrics=metrics,
        public_url=public_url,
        realm=realm,
    )
    admission = Admission(permissions, index.storage, uploads, max_upload, public_url)
    fast_path = FastPath(index, authorization, pages, kept_files)
    return IndexSite(
        application.app.resource(),
        admission,
        fast_path,
        realm,
        reactor,
        keep_alive,
        proxies,
        hosts,
        offload,
        limits,
        tallies,
        ACCESS_FORMATS[log_format],
    )
