"""A request whose body goes to the receiver that the admission has chosen, and not into memory."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from io import BytesIO
from time import perf_counter
from typing import Any, Protocol, TypeVar

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Request

from pypid.errors import PypidError
from pypid.interfaces import ISendableContent
from pypid.runtime.request_id import current_request_id, new_request_id
from pypid.web.http.client_limits import LimitState
from pypid.web.http.error_responses import error_response
from pypid.web.http.file_transfer import FileChannel, send_local
from pypid.web.http.forwarded import Contradiction, Sender, TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.offload import Offload
from pypid.web.http.request_bodies import Body
from pypid.web.http.request_tally import NO_ROUTE
from pypid.web.http.responses import Response, respond, text
from pypid.web.http.tallies import Tallies
from pypid.web.http.validation import Head, check

__all__ = ["Connection", "IndexRequest", "Server"]

T = TypeVar("T")

SLOW = 2.0
"""Seconds from the end of a request to the beginning of its answer from which on the log names it."""


class Server(Protocol):
    """The server's attributes and methods that a request uses."""

    realm: str
    """The realm that users sign in to."""
    proxies: TrustedProxies
    """The proxies that are trusted to report the addresses of their clients."""
    hosts: HostNames
    """The host names that may be asked for."""
    offload: Offload | None
    """How files are handed over to the trusted proxies; ``None`` if they are not."""
    limits: LimitState
    """The limits for clients."""

    tallies: Tallies
    """The counts of everything that clients do."""

    def request_began(self, request: IndexRequest) -> None:
        """Keep track of a request whose head has arrived."""


class Connection(FileChannel, Protocol):
    """The attributes and methods of its connection that a request uses."""

    @property
    def site(self) -> Server:
        """The server."""

    @property
    def connection(self) -> IPushProducer:
        """The producer for the sending client; pausing it stops the body."""

    def refuse(self, request: IndexRequest, response: Response) -> None:
        """Answer a request at once, and end the connection if the rest of the request is still to come."""

    def cut(self) -> None:
        """End the connection in a way that shows that the answer is incomplete."""


class IndexRequest(Request):
    """A request, from the end of its head to the end of its answer."""

    defaultContentType = None
    head: Head
    """The request line and headers."""
    resource: IResource
    """The routes that were in use when the head had arrived."""
    sender: Sender
    """Who has sent the request, as the trusted proxies report it."""
    body: Body | None = None
    """The receiver of the body; ``None`` before the admission, and if there is no body."""
    body_expected = False
    """Whether the request has a body."""
    body_received = 0
    """Number of bytes of the body that have arrived."""
    received = False
    """Whether the whole request has arrived."""
    offload: Offload | None = None
    """How a file may be handed over to the proxy that has forwarded the request; ``None`` if it may not."""
    anybody_may_read = False
    """Whether the requested resource was found to be readable by anybody."""
    route = NO_ROUTE
    """The path of the route that answers, such as ``/simple/{name}/``."""
    request_id = ""
    """The id of the request, as in ``X-Request-Id`` of the answer and in the log."""
    user_name = ""
    """The name of the user, if one has signed in."""
    cache = ""
    """``hit``, ``miss`` or ``stale`` if the answer comes from a cache, or goes into one; else empty."""
    _arrived: float | None = None
    """The time when the whole request had arrived, in seconds of a clock that nobody sets."""
    _began: float
    """The time when its head had arrived, in seconds of a clock that nobody sets."""
    abandoned = False
    """Whether nobody waits for an answer any more, or the request was refused."""
    _log = Logger()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._early: list[bytes] = []

    @property
    def link(self) -> Connection:
        """The connection over which the request arrived."""
        channel: Any = self.channel
        link: Connection = channel
        return link

    @property
    def duration(self) -> float:
        """The seconds since its head had arrived."""
        return perf_counter() - self._began

    def in_context(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function on behalf of this request: what is logged, now and later, has its id."""
        context = copy_context()
        context.run(current_request_id.set, self.request_id)
        return context.run(function, *args)

    def begin(self, head: Head) -> Response | None:
        """Set the request line before the body has arrived, for an early answer and for the log.

        :returns: a refusal of the request, or ``None`` if its head is valid.
        """
        self.head, self._began, self.request_id = head, perf_counter(), new_request_id()
        # Headers are sent in the order in which they are first set; both of these get their values later.
        self.setHeader(b"Server", b"pypid")
        self.setHeader(b"Date", b"")
        self.setHeader(b"X-Request-Id", self.request_id)
        self.method, self.uri, self.clientproto = head.method, head.target, head.version
        self.path = head.path
        site, contradiction = self.link.site, None
        if site.offload is not None and site.proxies.trusts_peer(self.client):
            self.offload = site.offload
        try:
            self.sender = site.proxies.sender(self.client, self.isSecure(), head.headers)
        except Contradiction as error:
            self.sender = Sender(self.client, self.isSecure())
            contradiction = text(400, str(error))
        self.client = self.sender.client
        site.request_began(self)
        return self._check_rate() or check(head) or contradiction or self._check_host()

    def _check_rate(self) -> Response | None:
        """Return a refusal if the client makes too many requests. Those about the daemon itself are free."""
        if self.path.startswith(b"/+"):
            return None
        seconds = self.link.site.limits.request(self.client)
        if seconds is None:
            return None
        return text(429, "too many requests from this address", [(b"Retry-After", b"%d" % seconds)])

    def _check_host(self) -> Response | None:
        """Return a refusal if the client asks for a host that is not this server's."""
        host = self.sender.host
        if host is None:
            [host] = self.head.headers.getRawHeaders("Host", [""])
        if self.link.site.hosts.has(host):
            return None
        return text(421, "this server is not the host that is asked for; --allowed-host names those it is")

    @property
    def held_up(self) -> bool:
        """Whether the client waits for the server, and not the server for the client."""
        return self.body is None or self.body.held_up

    def gotLength(self, length: int | None) -> None:
        """Create no spool file, because the body does not go through :attr:`content`."""
        self.body_expected = length != 0
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Pass a part of the body to its receiver, or keep the few bytes that arrive before the admission."""
        if self.abandoned:
            return
        self.body_received += len(data)
        if self.body is None:
            self._early.append(data)
            return
        try:
            self.body.write(data)
        except PypidError:
            self.failed(Failure())

    def admit(self, body: Body) -> None:
        """Pass the body to a receiver, from its first byte on.

        If the request has arrived completely, it is run.
        """
        self.body = body
        early, self._early = self._early, []
        for data in early:
            if not self.finished:
                self.body_received -= len(data)
                self.handleContentChunk(data)
        if self.received and not self.finished:
            self.in_context(super().process)

    def process(self) -> None:
        """Run the completely arrived request, unless the admission is still pending."""
        self.received, self._arrived = True, perf_counter()
        if not self.body_expected or self.body is not None:
            self.in_context(super().process)

    def write(self, data: bytes) -> None:
        """Write a part of the answer. If its first part comes late, the log names the request."""
        if not self.startedWriting and self._arrived is not None:
            waited = perf_counter() - self._arrived
            if waited >= SLOW:
                self.link.site.tallies.requests.slow += 1
                self._log.warn(
                    "{method} {target} was answered slowly, after {seconds:.1f} s",
                    method=self.method.decode("latin-1"),
                    target=self.uri.decode("latin-1"),
                    seconds=waited,
                    request=self.request_id,
                )
        super().write(data)

    def abandon(self) -> None:
        """Discard the body."""
        self.abandoned = True
        if self.body is not None:
            self.body.abandon()
        self._early.clear()

    def failed(self, failure: Failure) -> None:
        """Answer with the error, even if the rest of the body is still to come."""
        self.link.refuse(self, error_response(failure, self.link.site.realm))

    async def send_file(self, content: ISendableContent, start: int, stop: int) -> None:
        """Send the head, and after it bytes of a file.

        :raises StorageUnavailable: the bytes cannot be read.
        :raises CancelledError: the client went away.
        """
        self.write(b"")
        sending = send_local(self.link, content, start, stop, self._count_sent)
        if sending is not None:
            await sending

    def _count_sent(self, length: int) -> None:
        self.sentLength += length

    def send(self, response: Response) -> None:
        """Answer at once, outside of any route."""
        self.setHeader(b"Date", datetimeToString())
        self.write(respond(self, response))
        self.finish()

    def processingFailed(self, reason: Failure) -> None:
        """Log the details of an error, and answer with a bare 500. An answer that has begun is cut off."""
        self._log.failure(
            "{method} {uri} failed", reason, method=self.method, uri=self.uri, request=self.request_id
        )
        if self.startedWriting:
            self.link.cut()
        else:
            self.send(error_response(reason, self.link.site.realm))

    def unregisterProducer(self) -> None:
        """Release the producer of the answer, even if the client has already gone away."""
        if self.channel is not None:
            super().unregisterProducer()
        self.producer = None

    def connectionLost(self, reason: Failure) -> None:
        """Discard the body when the client goes away."""
        self.abandon()
        super().connectionLost(reason)
