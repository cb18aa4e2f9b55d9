"""Taking the bodies of an upstream's answers."""

from __future__ import annotations

import zlib
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

from pypid.upstream.reasons import UnusableAnswer

__all__ = ["collect", "discard"]


class _Body(Protocol):
    """Collects a body, decoded, within bounds.

    Twisted's own ``GzipDecoder``, and so treq, takes a stream that is cut short for whole,
    and has no bounds for what a few bytes may unpack to.
    """

    def __init__(self, limit: int, gzipped: bool) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._stop())
        self._limit = limit
        self._gzip: Any = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
        self._pieces: list[bytes] = []
        self._length = 0
        self._ended = False

    def dataReceived(self, data: bytes) -> None:
        """Take a piece."""
        if self._ended:
            return
        try:
            self._take(data)
        except UnusableAnswer as error:
            self._stop()
            self._end(Failure(error))

    def _take(self, data: bytes) -> None:
        if self._gzip is not None:
            try:
                data = self._gzip.decompress(data, self._limit - self._length + 1)
            except zlib.error:
                raise UnusableAnswer("its answer is labelled as gzip and is not") from None
            if self._gzip.unused_data:
                raise UnusableAnswer("its answer, which is gzip, goes on after its end")
        self._length += len(data)
        if self._length > self._limit:
            raise UnusableAnswer(f"its answer is longer than {self._limit} bytes")
        self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See whether that was the end of the body, or of the connection alone."""
        if not reason.check(ResponseDone, PotentialDataLoss):
            self._end(reason)
        elif self._gzip is not None and self._pieces and not self._gzip.eof:
            self._end(Failure(UnusableAnswer("its answer, which is gzip, ended early")))
        else:
            self._end(b"".join(self._pieces))

    def _end(self, outcome: bytes | Failure) -> None:
        if not self._ended and not self.whole.called:
            self._ended = True
            self.whole.callback(outcome)
        self._ended = True

    def _stop(self) -> None:
        _close(self.transport)


class _Nobody(Protocol):
    """Takes no body: the connection is closed rather than read on."""

    def connectionMade(self) -> None:
        """Close it."""
        _close(self.transport)


def collect(response: IResponse, limit: int) -> Deferred[bytes]:
    """Give the body of an answer, unpacked if it is gzip; cancelling it closes the connection.

    :param limit: how many bytes it may have in the end.
    :raises UnusableAnswer: it has more, or is not what its headers say.
    """
    encoding = b",".join(response.headers.getRawHeaders(b"Content-Encoding") or []).strip().lower()
    if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
        discard(response)
        raise UnusableAnswer("its answer has an encoding that was not asked for")
    body = _Body(limit, encoding.endswith(b"gzip"))
    response.deliverBody(body)
    return body.whole


def discard(response: IResponse) -> None:
    """Let go of an answer whose body nobody reads."""
    response.deliverBody(_Nobody())


def _close(transport: Any) -> None:
    """Close a connection now: ``loseConnection`` would wait for a TLS peer that may be stalled."""
    producer: IPushProducer = transport
    producer.stopProducing()
