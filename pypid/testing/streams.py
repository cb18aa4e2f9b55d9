"""A fake client of another index's files, which a test sends whole or piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from pypid.errors import NotFound
from pypid.upstream.http.client import Answer

__all__ = ["MemoryStream", "StreamingClient"]

PIECE = 64 * 1024


@implementer(IPushProducer, IResponse)
@define(eq=False)
class MemoryStream:
    """A response whose body is sent by a test; it is also the transport of the body."""

    code: int = 200
    length: Any = UNKNOWN_LENGTH
    headers: Headers = field(factory=Headers)
    body: bytes | None = None
    """The body to send at once; ``None`` if the test sends it."""
    version: tuple[bytes, int, int] = (b"HTTP", 1, 1)
    phrase: bytes = b""
    request: Any = None
    previousResponse: Any = None
    paused: bool = field(default=False, init=False)
    """Whether the receiver has paused."""
    stopped: bool = field(default=False, init=False)
    """Whether the receiver closed the connection."""
    receiver: Any = field(default=None, init=False)
    """The protocol that receives the body."""

    def setPreviousResponse(self, response: Any) -> None:
        """Do nothing."""

    def deliverBody(self, protocol: IProtocol) -> None:
        """Start the delivery, and send :attr:`body` if it is set."""
        self.receiver = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]  # a part of a transport is enough
        if self.body is not None:
            for start in range(0, len(self.body), PIECE):
                self.send(self.body[start : start + PIECE])
            self.end()

    def send(self, data: bytes) -> None:
        """Send a part of the body."""
        if not self.stopped:
            self.receiver.dataReceived(data)

    def end(self) -> None:
        """End the body."""
        self._lose(ResponseDone())

    def end_unsure(self) -> None:
        """End a body without a length by closing the connection."""
        self._lose(PotentialDataLoss())

    def lose(self) -> None:
        """Lose the connection."""
        self._lose(ConnectionLost())

    def _lose(self, reason: Exception) -> None:
        if not self.stopped:
            self.stopped = True
            self.receiver.connectionLost(Failure(reason))

    def pauseProducing(self) -> None:
        """Record the pause."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Record the end of the pause."""
        self.paused = False

    def stopProducing(self) -> None:
        """Record the end."""
        self.stopped = True


@define(eq=False)
class StreamingClient:
    """Stands in for :class:`pypid.upstream.http.client.UpstreamClient`, without any network."""

    url: str = "https://index.example.org/simple/"
    contents: dict[str, bytes] = field(factory=dict)
    """The files sent at once and whole, by URL."""
    script: list[MemoryStream | Exception] = field(factory=list)
    """The first answers, in order, whatever the URL."""
    asked: list[tuple[str, Mapping[str, str]]] = field(factory=list)
    """The URL and the headers of each request."""
    limits: list[int] = field(factory=list)
    """The limits, in bytes, of the requests that have one."""

    async def stream(self, url: str, headers: Mapping[str, str]) -> IResponse:
        """Return or raise the next answer of :attr:`script`, or else send the file from :attr:`contents`."""
        self.asked.append((url, headers))
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if url not in self.contents:
            raise NotFound("the upstream does not have that file any more")
        body = self.contents[url]
        return MemoryStream(length=len(body), body=body)

    async def page(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        """Return the file from :attr:`contents`, or raise the next error of :attr:`script`."""
        self.asked.append((url, headers))
        self.limits.append(limit)
        if self.script:
            answer = self.script.pop(0)
            assert isinstance(answer, Exception)
            raise answer
        body = self.contents.get(url)
        return Answer(404 if body is None else 200, Headers(), body or b"", url)
