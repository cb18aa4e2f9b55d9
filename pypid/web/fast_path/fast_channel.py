"""The connections with a fast path."""

from __future__ import annotations

from time import perf_counter

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from pypid.errors import PypidError
from pypid.interfaces import ISendableContent
from pypid.web.fast_path.answers import FastPathServer
from pypid.web.fast_path.logged_request import LoggedRequest
from pypid.web.http.channel import IndexChannel
from pypid.web.http.file_transfer import send_local
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.request import IndexRequest

__all__ = ["FastPathChannel"]

MAX_SEGMENT = 4096
"""Largest size in bytes of a request on the fast path."""
MAX_WAITING = 16 * 1024
"""Number of bytes of later requests that are read while a file is sent."""


class FastPathChannel(IndexChannel):
    """A connection with a fast path for requests that arrive on their own."""

    site: FastPathServer
    _segment: bytes | None = None
    """The request that is being parsed, if it arrived on its own."""
    _sending: Deferred[None] | None = None
    """The sending of a file on the fast path."""
    _sent_length = 0
    """The number of bytes of that file that were sent so far."""
    _waiting = b""
    """Later requests that arrived meanwhile."""

    _trust: tuple[TrustedProxies, bool] | None = None
    """Whether the peer was found to be a trusted proxy, and by which of the site's settings."""

    @property
    def is_trusted(self) -> bool:
        """Whether the peer is a trusted proxy; behind ``haproxy:``, this is known with the first data."""
        proxies = self.site.proxies
        if self._trust is None or self._trust[0] is not proxies:  # the configuration was read again
            self._trust = proxies, proxies.trusts_peer(self.getPeer())
        return self._trust[1]

    def dataReceived(self, data: bytes) -> None:
        """Answer a request on the fast path, or else pass the data to the normal path."""
        if self._is_new:
            self.identify()
        if self._sending is not None:
            self._waiting += data
            if len(self._waiting) > MAX_WAITING:
                self.transport.pauseProducing()
            return
        self._segment = data if self._is_idle() and _is_one_head(data) else None
        if self._segment is not None and self.site.fast_path.answer(data, self):
            if self._sending is None:
                self.rest()
            return
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """Remember the header lines of a request that was accepted, if the connection stays open."""
        request: IndexRequest = self.requests[-1]
        super().allHeadersReceived()
        if self._segment is not None and self.length == 0 and self.persistent:
            self.site.fast_path.remember(self._segment, request.requestHeaders, self.is_trusted)

    def send_content(
        self, head: bytes, content: ISendableContent, start: int, stop: int, logged: LoggedRequest
    ) -> None:
        """Send a head and a part of a file, close the file, and write to the access log.

        Requests that arrive meanwhile wait. If the file cannot be read to the end, the connection is cut.
        """
        began, self._sent_length = perf_counter(), 0
        sending = send_local(self, content, start, stop, self._count_sent, head)
        if sending is None:
            content.close()
            self.site.log(logged)
            return
        self._sending = sending
        self.setTimeout(None)
        self.site.hold(self)
        sending.addBoth(self._sent, content, logged, began)

    def _sent(
        self,
        outcome: Failure | None,
        content: ISendableContent,
        logged: LoggedRequest,
        began: float,
    ) -> None:
        """Go on with the next request, unless the answer is incomplete."""
        self._sending = None
        content.close()
        self.site.release(self)
        waiting, self._waiting = self._waiting, b""
        logged = evolve(logged, sentLength=self._sent_length, duration=perf_counter() - began)
        if outcome is None:
            self.site.log(logged)
            self.rest()
            self.transport.resumeProducing()
            if waiting:
                self.dataReceived(waiting)
        elif outcome.check(CancelledError):
            self.site.aborted(logged)
        else:
            self.site.aborted(logged)
            self.cut()
            if not outcome.check(PypidError):
                self._log.failure("{path} cannot be sent", outcome, path=logged.uri)

    def _count_sent(self, length: int) -> None:
        self._sent_length += length

    def connectionMade(self) -> None:
        """Keep track of the connection."""
        self.site.connections.add(self, self.transport)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the sending of a file, and notify the requests."""
        self.site.connections.remove(self)
        if self._sending is not None:
            self._sending.cancel()
        super().connectionLost(reason)

    def _is_idle(self) -> bool:
        """Return whether the connection is between two requests and is not being closed."""
        return not self.requests and not self._buffer and self._discarding is None


def _is_one_head(data: bytes) -> bool:
    return len(data) <= MAX_SEGMENT and data.find(b"\r\n\r\n") == len(data) - 4
