"""Tunnels through a web proxy, made with ``CONNECT`` (RFC 9110, section 9.3.6)."""

from __future__ import annotations

import re
from typing import Any, cast

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid import __version__
from pypid.errors import UpstreamFailed
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.upstream_failures import BusyAnswer, Unreachable, UnusableAnswer, to_upstream_error
from pypid.upstream.http.web_proxies import WebProxy

__all__ = ["ProxyEndpoint", "Tunnel", "proxy_refusal"]

MAX_HEAD = 16 * 1024
"""Largest head of a proxy's answer to ``CONNECT``, in bytes."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n")


@implementer(IStreamClientEndpoint)
@define(eq=False)
class ProxyEndpoint:
    """Connects to a web proxy; its errors say that the proxy failed, not the upstream."""

    _endpoint: IStreamClientEndpoint
    _proxy: WebProxy

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect to the proxy.

        :raises UpstreamFailed: the connection failed.
        """
        connecting: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        return connecting.addErrback(self._to_proxy_error)

    def _to_proxy_error(self, failure: Failure) -> Any:
        # A failure that an errback gets has an exception.
        raise _proxy_error(self._proxy, cast(BaseException, failure.value)) from None


@implementer(IStreamClientEndpoint)
@define(eq=False)
class Tunnel:
    """Connects to a host through a web proxy.

    A tunnel is for one host. TLS inside the tunnel is with that host, so the proxy reads nothing.
    """

    _endpoint: IStreamClientEndpoint
    """The endpoint of the proxy."""
    _proxy: WebProxy
    _origin: Origin

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect to the host. Cancellation closes the connection to the proxy.

        :raises UnusableAnswer: the proxy refused.
        :raises UpstreamFailed: the proxy could not connect, or closed the connection.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        connecting = Factory.forProtocol(_ConnectProtocol)
        connecting.noisy = False
        # The endpoint says only that it is a protocol; it is the factory's.
        tunnel = cast(_ConnectProtocol, await self._endpoint.connect(connecting))
        try:
            status = await tunnel.ask(self._request)
            if not 200 <= status < 300:
                raise proxy_refusal(self._proxy, status, f" to connect to {_authority(self._origin)}")
            return tunnel.hand_over(factory)
        except UpstreamFailed:
            tunnel.abort()
            raise
        except Exception as error:  # CancelledError, too
            tunnel.abort()
            raise _proxy_error(self._proxy, error) from None

    @property
    def _request(self) -> bytes:
        authority = _authority(self._origin).encode("ascii")
        lines = [b"CONNECT %b HTTP/1.1" % authority, b"Host: " + authority]
        lines.append(b"User-Agent: pypid/" + __version__.encode("ascii"))
        if self._proxy.authorization is not None:
            lines.append(b"Proxy-Authorization: " + self._proxy.authorization)
        return b"\r\n".join([*lines, b"", b""])


class _ConnectProtocol(Protocol):
    """Sends ``CONNECT`` to a proxy, and then passes everything on to another protocol."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: Deferred[int] | None = None
        self._inner: IProtocol | None = None

    def ask(self, request: bytes) -> Deferred[int]:
        """Send a request, and return the status of the answer."""
        self._answer = Deferred()
        self._tcp.write(request)
        return self._answer

    def hand_over(self, factory: IProtocolFactory) -> IProtocol:
        """Hand the connection over to another protocol, and return that protocol."""
        inner = factory.buildProtocol(self._tcp.getPeer())
        if inner is None:
            raise NoProtocol
        self._inner = inner
        inner.makeConnection(self._tcp)
        if self._received:
            inner.dataReceived(self._received)
        return inner

    def abort(self) -> None:
        """Close the connection at once."""
        self._tcp.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Pass data on after the handover; before, collect the proxy's answer."""
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if self._answer is None or self._answer.called:
            return
        status = _STATUS.match(head + b"\r\n") if len(head) <= MAX_HEAD else None
        if end and status is not None:
            self._received = rest
            self._answer.callback(int(status[1]))
        elif end or len(head) > MAX_HEAD:
            self._answer.errback(
                UnusableAnswer("the web proxy does not answer as one: is it another server?")
            )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass the end on after the handover; before, fail the request."""
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif self._answer is not None and not self._answer.called:
            self._answer.errback(reason)

    @property
    def _tcp(self) -> ITCPTransport:
        # The protocol is used with TCP alone.
        return cast(ITCPTransport, self.transport)


def proxy_refusal(proxy: WebProxy, status: int, what: str = "") -> UpstreamFailed:
    """Return the error for a status by which a proxy refuses a request.

    :param what: continues the sentence "the web proxy refuses", as in `` to connect to HOST``.
    """
    if status == 407:
        if proxy.authorization is None:
            return UnusableAnswer("the web proxy wants a user name and password: see via-credentials")
        return UnusableAnswer("the web proxy does not take the user name and password that it was given")
    if status >= 500:
        return Unreachable(f"the web proxy fails{what}: status {status}")
    if status == 429:
        return BusyAnswer(f"the web proxy is asked too often{what}: status {status}")
    return UnusableAnswer(f"the web proxy refuses{what}: status {status}; {proxy.source} names it")


def _proxy_error(proxy: WebProxy, error: BaseException) -> UpstreamFailed | CancelledError:
    """Return the error for a failure between here and the proxy."""
    cause = to_upstream_error("the web proxy", error)
    if isinstance(cause, CancelledError):
        return cause
    kind = Unreachable if type(cause) is UpstreamFailed else type(cause)
    return kind(f"{str(cause).replace('proxy: it ', 'proxy ')}; {proxy.source} names it")


def _authority(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{host}:{origin.port}"
