"""Connections to host names at public addresses only.

The check is made on the very address of the connection, so an attacker gains nothing from a name
that resolves to different addresses each time (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.runtime.reactors import IClientReactor
from pypid.upstream.http.allowed_hosts import is_public
from pypid.upstream.http.upstream_failures import UnusableAnswer

__all__ = ["PublicEndpoint"]


@implementer(IStreamClientEndpoint)
@define(eq=False)
class PublicEndpoint:
    """Connects to a host if it has a public address."""

    _reactor: IClientReactor
    _host: str
    _port: int
    _timeout: float

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect to one of the host's public addresses.

        :raises UnusableAnswer: all of its addresses are private.
        """
        resolver = _PublicResolver(self._reactor.nameResolver)
        reactor = _Reactor(self._reactor, resolver)
        endpoint = HostnameEndpoint(reactor, self._host, self._port, self._timeout)
        connecting: Deferred[IProtocol] = endpoint.connect(protocolFactory)
        return connecting.addErrback(resolver.explain, self._host)


@implementer(IHostnameResolver)
@define(eq=False)
class _PublicResolver:
    """Looks names up, and passes on public addresses only."""

    _resolver: IHostnameResolver
    _refused: bool = field(default=False, init=False)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """Look a name up; see :class:`twisted.internet.interfaces.IHostnameResolver`."""
        receiver = _PublicReceiver(resolutionReceiver, self._refuse)
        return self._resolver.resolveHostName(
            receiver, hostName, portNumber, addressTypes, transportSemantics
        )

    def _refuse(self) -> None:
        self._refused = True

    def explain(self, failure: Failure, host: str) -> Failure:
        """Raise the reason for a failed connection if private addresses were refused; else pass it on."""
        if self._refused and failure.check(DNSLookupError):
            raise UnusableAnswer(f"{host} is at a private address, and allow-private is not given")
        return failure


@implementer(IResolutionReceiver)
@define(eq=False)
class _PublicReceiver:
    """Passes on public addresses, and reports others as refused."""

    _receiver: IResolutionReceiver
    _refuse: Any

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N803
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: Any) -> None:
        if is_public(ip_address(address.host)):
            self._receiver.addressResolved(address)
        else:
            self._refuse()

    def resolutionComplete(self) -> None:
        self._receiver.resolutionComplete()


@implementer(IReactorPluggableNameResolver)
@define(eq=False)
class _Reactor:
    """A reactor with another name resolver."""

    _reactor: IClientReactor
    nameResolver: IHostnameResolver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
