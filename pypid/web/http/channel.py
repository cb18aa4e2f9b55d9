"""An HTTP connection that decides about a request before it reads the body.

Twisted runs a request after its whole body has arrived, whatever its size and its sender. This channel
validates the head and decides about the admission of a body as soon as the headers have arrived. It also
sets limits that Twisted lacks: for the duration of a head, for the slowness of a body, and for the data
that a client sends after a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableDescriptor, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from pypid.runtime.request_id import new_request_id
from pypid.web.http.error_responses import error_response
from pypid.web.http.request import IndexRequest, Server
from pypid.web.http.request_bodies import Body
from pypid.web.http.responses import Response, bare_refusal, text
from pypid.web.http.validation import Head

__all__ = ["BodyAdmission", "ChannelServer", "IndexChannel"]

HEAD_DEADLINE = 20
"""Time limit for a request's line and headers together, in seconds."""
PACE_INTERVAL = 30
"""Interval in seconds in which a body must grow by :data:`PACE_BYTES`."""
PACE_BYTES = 30 * 1024
"""Least number of bytes by which a body must grow in :data:`PACE_INTERVAL`."""
LINGER = 1
"""Time in seconds for a refused client to read the refusal, before the connection is cut."""
LINGER_BYTES = 64 * 1024
"""Largest number of bytes that are read from a client after its refusal."""
TLS_HANDSHAKE = b"\x16"
"""First byte from a client that was configured to use https instead of http."""


class BodyAdmission(Protocol):
    """Decides from the head of a request whether its body is accepted."""

    async def admit(self, request: IndexRequest, length: int | None) -> Body:
        """Return the receiver of the body. :raises PypidError: the body is refused."""


class ChannelServer(Server, Protocol):
    """The server's attributes that a connection uses."""

    admission: BodyAdmission
    reactor: IReactorTime
    timeOut: float
    keep_alive: float


class IndexChannel(HTTPChannel):
    """An HTTP/1.1 connection that makes its decisions as soon as the head of a request allows them."""

    site: ChannelServer
    requests: list[IndexRequest]
    transport: Any
    _networkProducer: Any
    _log = Logger()
    _deadline: IDelayedCall | None = None
    _pace: IDelayedCall | None = None
    _paced = 0
    _is_resting = False
    """Whether a request was answered and no other has begun."""
    _discarding: int | None = None
    """Number of bytes discarded since the client was refused; ``None`` if it was not refused."""
    _is_new = True
    """Whether no byte has arrived yet."""
    _network: str | None = None
    """The network of the client, if its connections are counted."""

    def connectionMade(self) -> None:
        """Begin, unless there are too many connections already."""
        super().connectionMade()
        self.site.limits.watch_reader(self.transport)
        if not self.site.limits.open():
            self._refuse_unparsed(503, b"there are too many connections; try again later")

    def identify(self) -> None:
        """Find out with the first data who the peer is, and refuse it if it has too many connections."""
        self._is_new = False
        peer = self.getPeer()
        # Behind ``haproxy:``, it is known with the first data whether the peer is a trusted proxy.
        if not self.site.proxies.trusts_peer(peer):
            self._network, is_allowed = self.site.limits.identify(peer)
            if not is_allowed:
                self._refuse_unparsed(429, b"there are too many connections from this address")

    @property
    def connection(self) -> IPushProducer:
        """The producer for the sending client; pausing it stops the body."""
        producer: IPushProducer = self._networkProducer
        return producer

    def dataReceived(self, data: bytes) -> None:
        """Process data from the client, unless the client was already refused."""
        if self._is_new:
            self.identify()
        if self._is_resting:
            self._is_resting = False
            self.setTimeout(self.site.timeOut)
        if self._discarding is not None:
            self._discarding += len(data)
            if self._discarding > LINGER_BYTES:
                self._networkProducer.pauseProducing()
            return
        super().dataReceived(data)
        if self._busyReceiving:
            return  # in a reentrant call, these data are not processed yet
        in_head = bool(self.line_mode and (self.requests or self._buffer)) and self._discarding is None
        if in_head and (b"\n" in self._buffer or self._buffer.startswith(TLS_HANDSHAKE)):
            # The expected line end follows neither a bare line feed nor a TLS handshake.
            self._respondToBadRequestAndDisconnect()
            return
        if in_head and self._deadline is None:
            self._deadline = self._later(HEAD_DEADLINE, self._head_too_slow)
        elif not in_head:
            self._forget_deadline()

    def lineReceived(self, line: bytes) -> None:
        """Process a line of the head. Obsolete line folding is refused (RFC 9112, section 5.2)."""
        if line[:1] in (b" ", b"\t"):
            self._refuse_unparsed(400, b"a header line must not begin with a blank")
        elif self._discarding is None:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002
        """Refuse a line that is too long."""
        self._refuse_unparsed(431 if self.requests else 414, b"a line of the request is too long")

    def headerReceived(self, line: bytes) -> bool:
        """Process one header, but refuse the request if the header announces a body of absurd length."""
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and len(value.strip()) > 18:
            self._refuse_unparsed(413, b"the body is too large")
            return False
        accepted: bool = super().headerReceived(line)
        return accepted

    def allHeadersReceived(self) -> None:
        """Validate the head. If a body follows, pause the client until the admission is decided."""
        request = self.requests[-1]
        head = Head(self._command, self._path, self._version, request.requestHeaders)
        refusal = request.begin(head)
        if refusal is not None:
            self.refuse(request, refusal)
            return
        super().allHeadersReceived()
        if self.length != 0:
            self._networkProducer.pauseProducing()
            admission = request.in_context(
                Deferred.fromCoroutine, self.site.admission.admit(request, self.length)
            )
            admission.addCallbacks(self._admitted, self._refused, (request,), errbackArgs=(request,))
            admission.addErrback(lambda failure: self._log.failure("Admission failed", failure))

    def requestDone(self, request: IndexRequest) -> None:
        """Continue with the next request. Until one arrives, wait for the configured keep-alive time."""
        super().requestDone(request)
        if self.persistent and not self.requests and not self._buffer:
            self.rest()

    def rest(self) -> None:
        """Wait for the next request, for longer than for the next data within a request."""
        self._is_resting = True
        self.setTimeout(self.site.keep_alive)

    def allContentReceived(self) -> None:
        """Run a complete request, unless it was refused in the meantime."""
        self._forget_pace()
        if self._discarding is None:
            super().allContentReceived()

    def _send100Continue(self) -> None:
        """Send nothing yet, because the admission decides whether the client should continue."""

    def _admitted(self, body: Body, request: IndexRequest) -> None:
        if request.abandoned:
            body.abandon()
            return
        if not request.received:
            if request.head.version == b"HTTP/1.1" and request.head.headers.hasHeader(b"Expect"):
                super()._send100Continue()
            self._paced = 0
            self._keep_pace(request)
        self._networkProducer.resumeProducing()
        request.admit(body)

    def _refused(self, failure: Failure, request: IndexRequest) -> None:
        self.refuse(request, error_response(failure, self.site.realm))

    def refuse(self, request: IndexRequest, response: Response) -> None:
        """Answer a request at once, and end the connection if the rest of the request is still to come."""
        if request.startedWriting or request.abandoned:
            return
        request.abandon()
        if not request.received:
            self.persistent = 0
            self._discarding = 0
            request.setHeader(b"Connection", b"close")
        request.send(response)

    def _refuse_unparsed(self, status: int, message: bytes) -> None:
        """Refuse data that are not a request, or not yet a complete head."""
        if self._discarding is not None:
            return
        self._discarding = 0
        request_id = new_request_id()
        client, text = getattr(self.getPeer(), "host", "-"), message.decode("ascii")
        self._log.info(
            "{client} sent what is no request: {text}", client=client, text=text, request=request_id
        )
        self.transport.writeSequence(bare_refusal(status, message, request_id))
        self.loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self.line_mode:
            self._refuse_unparsed(400, b"not a well-formed HTTP request")
        elif self._discarding is None:
            self.refuse(self.requests[-1], text(400, "the chunks of the body are malformed"))

    def loseConnection(self) -> None:
        """End the connection. A refused client that still sends gets a moment to read the refusal."""
        self._forget_deadline()
        self._forget_pace()
        if self._discarding is None:
            super().loseConnection()
            return
        self.setTimeout(None)
        self._networkProducer.unregisterProducer()
        half_closeable = bool(IHalfCloseableDescriptor.providedBy(self.transport))
        if half_closeable and not self.isSecure():
            self.transport.loseWriteConnection()
        self.transport.resumeProducing()
        self._abortingCall = self._later(LINGER, self._cut)

    def _cut(self) -> None:
        self._abortingCall = None
        self.cut()

    def cut(self) -> None:
        """End the connection in a way that shows that the answer is incomplete."""
        self.transport.abortConnection()

    def stopProducing(self) -> None:
        """Notify the requests that the client is gone, and then stop their producers.

        In the other order, a producer that stops early would look like the end of an answer.
        """
        for request in self.requests:
            request.connectionLost(Failure(ConnectionLost()))
        super().stopProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cancel the timers, and let the base class notify the requests."""
        self.site.limits.close(self._network)
        self._forget_deadline()
        self._forget_pace()
        super().connectionLost(reason)

    def _later(self, delay: float, function: Callable[..., object], *args: object) -> IDelayedCall:
        call: IDelayedCall = self.site.reactor.callLater(delay, function, *args)
        return call

    def _head_too_slow(self) -> None:
        self._deadline = None
        self._refuse_unparsed(408, b"the request's head took too long")

    def _keep_pace(self, request: IndexRequest) -> None:
        """Refuse a body that arrives too slowly. The idle timeout only notices silence."""
        grown, self._paced = request.body_received - self._paced, request.body_received
        if self._pace is not None and grown < PACE_BYTES and not request.held_up:
            self._pace = None
            self.refuse(request, text(408, "the body arrives too slowly"))
            return
        self._pace = self._later(PACE_INTERVAL, self._keep_pace, request)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_pace(self) -> None:
        if self._pace is not None:
            self._pace.cancel()
            self._pace = None
