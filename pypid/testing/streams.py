"""Another index's files in memory, sent at once or byte by byte as a test wants it."""

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

__all__ = ["MemoryStream", "StreamingOrigin"]

PIECE = 64 * 1024


@implementer(IPushProducer, IResponse)
@define(eq=False)
class MemoryStream:
    """An answer whose body is sent by a test; it is the transport of the body, too."""

    code: int = 200
    length: Any = UNKNOWN_LENGTH
    headers: Headers = field(factory=Headers)
    body: bytes | None = None
    """What is sent as soon as somebody wants it."""
    version: tuple[bytes, int, int] = (b"HTTP", 1, 1)
    phrase: bytes = b""
    request: Any = None
    previousResponse: Any = None
    paused: bool = field(default=False, init=False)
    """Whether the receiver wants no more for now."""
    stopped: bool = field(default=False, init=False)
    """Whether the receiver closed the connection."""
    receiver: Any = field(default=None, init=False)
    """What gets the body."""

    def setPreviousResponse(self, response: Any) -> None:
        """Do nothing."""

    def deliverBody(self, protocol: IProtocol) -> None:
        """Begin to send."""
        self.receiver = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]
        if self.body is not None:
            for start in range(0, len(self.body), PIECE):
                self.send(self.body[start : start + PIECE])
            self.end()

    def send(self, data: bytes) -> None:
        """Send a part of the body."""
        if not self.stopped:
            self.receiver.dataReceived(data)

    def end(self) -> None:
        """Have sent all of it."""
        self._lose(ResponseDone())

    def end_unsure(self) -> None:
        """Close a connection on which nothing but that tells the end of the body."""
        self._lose(PotentialDataLoss())

    def lose(self) -> None:
        """Lose the connection."""
        self._lose(ConnectionLost())

    def _lose(self, reason: Exception) -> None:
        if not self.stopped:
            self.stopped = True
            self.receiver.connectionLost(Failure(reason))

    def pauseProducing(self) -> None:
        """Note it."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Note it."""
        self.paused = False

    def stopProducing(self) -> None:
        """Note it."""
        self.stopped = True


@define(eq=False)
class StreamingOrigin:
    """Does for files what :class:`pypid.upstream.http.client.Origin` does, without asking anybody."""

    url: str = "https://index.example.org/simple/"
    contents: dict[str, bytes] = field(factory=dict)
    """What is answered at once and whole, by URL."""
    script: list[MemoryStream | Exception] = field(factory=list)
    """What is answered before that, in order."""
    asked: list[tuple[str, Mapping[str, str]]] = field(factory=list)
    """The URLs that were asked for, with the headers."""
    limits: list[int] = field(factory=list)
    """How many bytes the answers to some of them might have."""

    async def stream(self, url: str, headers: Mapping[str, str]) -> IResponse:
        """Answer with what is next in the script, or else with what there is."""
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
        """Answer with what there is."""
        self.asked.append((url, headers))
        self.limits.append(limit)
        if self.script:
            answer = self.script.pop(0)
            assert isinstance(answer, Exception)
            raise answer
        body = self.contents.get(url)
        return Answer(404 if body is None else 200, Headers(), body or b"", url)
