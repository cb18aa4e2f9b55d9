"""Connections of an HTTP client whose other ends are in the hands of a test."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

__all__ = ["Wire", "Wires"]


class _Transport(StringTransport):
    """A transport that only notes that it is to be closed, in whatever way."""

    closing = False

    def loseConnection(self) -> None:
        """Note it."""
        self.closing = True

    abortConnection = loseConnection

    def stopProducing(self) -> None:
        """Note it."""
        self.closing = True


@define(eq=False)
class Wire:
    """One connection, and the client that made it."""

    url: str
    """The scheme, host and port that it goes to."""
    _client: Any
    _transport: _Transport = field(factory=_Transport)

    def __attrs_post_init__(self) -> None:
        self._client.makeConnection(self._transport)

    @property
    def sent(self) -> bytes:
        """All that the client sent."""
        sent: bytes = self._transport.value()
        return sent

    @property
    def is_closed(self) -> bool:
        """Whether the client closed it."""
        return self._transport.closing

    def request(self) -> tuple[str, dict[str, str]]:
        """Give the last request: its target, and its headers by lower-case name."""
        first, *lines = self._transport.value().decode("ascii").split("\r\n\r\n")[-2].split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return first.split(" ")[1], {name.lower(): value for name, value in headers.items()}

    def send(self, data: bytes) -> None:
        """Send some bytes, unless the client does not want any more."""
        if not self.is_closed:
            self._client.dataReceived(data)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer with a length; ``_`` in names of headers stands for ``-``."""
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def lose(self, *, cleanly: bool = False) -> None:
        """Lose the connection."""
        self._client.connectionLost(Failure(ConnectionDone() if cleanly else ConnectionLost()))


@implementer(IAgentEndpointFactory)
@define(eq=False)
class Wires:
    """Connects to anything, or to nothing."""

    failure: Exception | None = None
    """Why nothing can be connected to, if that is so."""
    silent: bool = False
    """Whether nothing ever comes of connecting."""
    made: list[Wire] = field(factory=list)
    """The connections that were made."""

    @property
    def last(self) -> Wire:
        """The connection that was made last."""
        return self.made[-1]

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Give what connects to a URL."""
        return _Endpoint(self, f"{uri.scheme.decode()}://{uri.host.decode()}:{uri.port}")


@implementer(IStreamClientEndpoint)
@define(eq=False)
class _Endpoint:
    _wires: Wires
    _url: str

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        if self._wires.failure is not None:
            return fail(self._wires.failure)
        if self._wires.silent:
            return Deferred()
        client = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        assert client is not None
        self._wires.made.append(Wire(self._url, client))
        return succeed(client)
