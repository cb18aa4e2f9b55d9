"""Response bodies of an upstream: read whole within bounds, or discarded."""

from __future__ import annotations

import zlib
from typing import Any

import treq
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from pypid.upstream.http.upstream_failures import UnusableAnswer

__all__ = ["collect", "discard"]


# A class made while the program runs.
class _Unpacked(proxyForInterface(IResponse, "response")):  # type: ignore[misc]
    """A response whose body is delivered decompressed and within a size limit.

    Twisted's own ``GzipDecoder``, which treq's client puts around each response, accepts a truncated
    stream as complete, and has no limit on the decompressed size.
    """

    length = UNKNOWN_LENGTH

    def __init__(self, response: IResponse, limit: int) -> None:
        super().__init__(response)
        encoding = b",".join(response.headers.getRawHeaders(b"Content-Encoding") or []).strip().lower()
        self._body: _Body | None = None
        self._limit, self._gzipped = limit, encoding.endswith(b"gzip")
        if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
            discard(response)
            raise UnusableAnswer("its answer has an encoding that was not asked for")

    def deliverBody(self, protocol: Any) -> None:
        """Deliver the body; the protocol gets an error in it as the reason of a lost connection."""
        self._body = _Body(protocol, self._limit, self._gzipped)
        self.response.deliverBody(self._body)

    def stop(self) -> None:
        """Close the connection, unless the body has ended."""
        if self._body is not None:
            self._body.stop()


class _Body(Protocol):
    """Decodes a body and passes it on, up to the first error."""

    def __init__(self, receiver: Any, limit: int, gzipped: bool) -> None:
        self._receiver = receiver
        self._left = limit
        self._limit = limit
        self._gzip: Any = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
        self._began = False
        self._ended = False

    def connectionMade(self) -> None:
        """Connect the receiver."""
        self._receiver.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Decode a piece and pass it on."""
        if self._ended:
            return
        self._began = True
        try:
            self._receiver.dataReceived(self._decoded(data))
        except UnusableAnswer as error:
            self.stop(error)

    def _decoded(self, data: bytes) -> bytes:
        if self._gzip is not None:
            try:
                data = self._gzip.decompress(data, self._left + 1)
            except zlib.error:
                raise UnusableAnswer("its answer is labelled as gzip and is not") from None
            if self._gzip.unused_data:
                raise UnusableAnswer("its answer, which is gzip, goes on after its end")
        self._left -= len(data)
        if self._left < 0:
            raise UnusableAnswer(f"its answer is longer than {self._limit} bytes")
        return data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass on the end, as an error if the compressed stream is incomplete."""
        is_end = reason.check(ResponseDone, PotentialDataLoss)
        if is_end and self._gzip is not None and self._began and not self._gzip.eof:
            reason = Failure(UnusableAnswer("its answer, which is gzip, ended early"))
        self._end(reason)

    def stop(self, error: Exception | None = None) -> None:
        """Close the connection, unless the body has ended."""
        if not self._ended:
            _close(self.transport)
            self._end(Failure(error or CancelledError()))

    def _end(self, reason: Failure) -> None:
        if not self._ended:
            self._ended = True
            self._receiver.connectionLost(reason)


class _Nobody(Protocol):
    """Receives no body: it closes the connection instead of reading on."""

    def connectionMade(self) -> None:
        """Close the connection."""
        _close(self.transport)


async def collect(response: IResponse, limit: int) -> bytes:
    """Return the body of a response, decompressed if it is gzip. Cancellation closes the connection.

    :param limit: the largest size in bytes, decompressed.
    :raises UnusableAnswer: the body is larger, or does not match its headers.
    """
    unpacked = _Unpacked(response, limit)
    try:
        return await treq.content(unpacked)
    finally:
        unpacked.stop()


def discard(response: IResponse) -> None:
    """Close the connection of a response whose body is not wanted."""
    response.deliverBody(_Nobody())


def _close(transport: Any) -> None:
    """Close a connection at once; ``loseConnection`` would wait for a TLS peer that may be stalled."""
    producer: IPushProducer = transport
    producer.stopProducing()
