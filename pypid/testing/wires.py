"""Connections of an HTTP client whose other ends a test controls."""

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
    """A transport that only records that it is to be closed or aborted."""

    closing = False

    def loseConnection(self) -> None:
        """Record it."""
        self.closing = True

    abortConnection = loseConnection

    def stopProducing(self) -> None:
        """Record it."""
        self.closing = True


@define(eq=False)
class Wire:
    """One connection of a client."""

    url: str
    """The scheme, host and port of its server."""
    _client: Any
    _transport: _Transport = field(factory=_Transport)

    def __attrs_post_init__(self) -> None:
        self._client.makeConnection(self._transport)

    @property
    def sent(self) -> bytes:
        """All bytes that the client sent."""
        sent: bytes = self._transport.value()
        return sent

    @property
    def is_closed(self) -> bool:
        """Whether the client closed the connection."""
        return self._transport.closing

    def request(self) -> tuple[str, dict[str, str]]:
        """Return the last request: its target, and its headers by lower-case name."""
        first, *lines = self._transport.value().decode("ascii").split("\r\n\r\n")[-2].split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return first.split(" ")[1], {name.lower(): value for name, value in headers.items()}

    def send(self, data: bytes) -> None:
        """Send some bytes, unless the client has closed the connection."""
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
    """Endpoints that connect to any URL, or fail for every one."""

    failure: Exception | None = None
    """The error of every connection attempt, if set."""
    silent: bool = False
    """Whether connection attempts never end."""
    made: list[Wire] = field(factory=list)
    """The connections made so far."""

    @property
    def last(self) -> Wire:
        """The latest connection."""
        return self.made[-1]

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return the endpoint for a URL."""
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
        client = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]  # nobody asks for it
        assert client is not None
        self._wires.made.append(Wire(self._url, client))
        return succeed(client)
