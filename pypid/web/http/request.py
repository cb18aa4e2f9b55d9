"""A request whose body goes where the admission said, instead of into memory."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.server import Request

from pypid.errors import PypidError
from pypid.web.http.error_responses import error_response
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.request_bodies import Body
from pypid.web.http.responses import Response, respond
from pypid.web.http.validation import Head

__all__ = ["Connection", "IndexRequest", "Server"]


class Server(Protocol):
    """What a request tells its server."""

    realm: str
    """What users sign in to."""
    proxies: TrustedProxies
    """Whose word is taken on where a request came from."""

    def began(self, request: IndexRequest) -> None:
        """Hear that the head of a request has come in."""


class Connection(Protocol):
    """What a request asks of the connection that it came over."""

    @property
    def site(self) -> Server:
        """The server."""

    @property
    def connection(self) -> IPushProducer:
        """The sending client: pausing it holds up its body."""

    def refuse(self, request: IndexRequest, response: Response) -> None:
        """Answer at once, and end the connection if more of the request was to come."""

    def cut(self) -> None:
        """End the connection in a way that shows that the answer is not whole."""


class IndexRequest(Request):
    """A request, from the end of its head to the end of its answer."""

    defaultContentType = None
    head: Head
    """Its request line and headers."""
    body: Body | None = None
    """Takes the body, once it is admitted; ``None`` before, and where there is none."""
    body_expected = False
    """Whether it has a body at all."""
    body_received = 0
    """How many bytes of the body have come in."""
    received = False
    """Whether all of it has come in."""
    anybody_may_read = False
    """Whether it was found that anybody may read what it asks for."""
    abandoned = False
    """Whether nobody waits for an answer any more, or it was refused."""
    _log = Logger()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._early: list[bytes] = []

    @property
    def link(self) -> Connection:
        """The connection that it came over."""
        channel: Any = self.channel
        link: Connection = channel
        return link

    def begin(self, head: Head) -> None:
        """Know the request line before the body is there, for an early answer and the log."""
        self.head = head
        self.method, self.uri, self.clientproto = head.method, head.target, head.version
        self.path = head.path
        self.client = self.link.site.proxies.client(
            self.client, head.headers.getRawHeaders(b"X-Forwarded-For", [])
        )
        self.link.site.began(self)

    @property
    def held_up(self) -> bool:
        """Whether the client waits for us rather than we for it."""
        return self.body is None or self.body.held_up

    def gotLength(self, length: int | None) -> None:
        """Have no spool: the body does not go through :attr:`content`."""
        self.body_expected = length != 0
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Pass some of the body on, or keep the few bytes that came before the admission."""
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
        """Take the body there, from its first byte on, and run if all of it is here already."""
        self.body = body
        early, self._early = self._early, []
        for data in early:
            if not self.finished:
                self.body_received -= len(data)
                self.handleContentChunk(data)
        if self.received and not self.finished:
            super().process()

    def process(self) -> None:
        """Run, now that all is here, unless the admission is still to come."""
        self.received = True
        if not self.body_expected or self.body is not None:
            super().process()

    def abandon(self) -> None:
        """Let go of the body."""
        self.abandoned = True
        if self.body is not None:
            self.body.abandon()
        self._early.clear()

    def failed(self, failure: Failure) -> None:
        """Answer with what went wrong, even if more of the body is still to come."""
        self.link.refuse(self, error_response(failure, self.link.site.realm))

    def send(self, response: Response) -> None:
        """Answer now, outside of any route."""
        self.setHeader(b"Date", datetimeToString())
        self.write(respond(self, response))
        self.finish()

    def processingFailed(self, reason: Failure) -> None:
        """Answer with a bare "500", and leave the details to the log."""
        self._log.failure("{method} {uri} failed", reason, method=self.method, uri=self.uri)
        if self.startedWriting:
            self.link.cut()
        else:
            self.send(error_response(reason, self.link.site.realm))

    def unregisterProducer(self) -> None:
        """Let go of what is sent from, even if the client went away before."""
        if self.channel is not None:
            super().unregisterProducer()
        self.producer = None

    def connectionLost(self, reason: Failure) -> None:
        """Let go of the body when the client goes away."""
        self.abandon()
        super().connectionLost(reason)
