"""Connections to an upstream, with TLS as it should be."""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.web.client import URI, BrowserLikePolicyForHTTPS, HostnameCachingHTTPSPolicy
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from pypid.upstream.addresses import PublicEndpoint
from pypid.upstream.reach import Place, Reach

__all__ = ["Endpoints"]


def _policy() -> IPolicyForHTTPS:
    # The certificates that the platform trusts, or those that SSL_CERT_FILE and SSL_CERT_DIR
    # name; to read them takes so long that it is done once for each host.
    return HostnameCachingHTTPSPolicy(BrowserLikePolicyForHTTPS())


@implementer(IAgentEndpointFactory)
@define(eq=False)
class Endpoints:
    """Connects to hosts within reach; to those that are not trusted, at public addresses only."""

    _reactor: Any
    _reach: Reach
    _timeout: float
    _policy: IPolicyForHTTPS = field(factory=_policy)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Give what connects to the host of a URL."""
        host = uri.host.decode("ascii")
        place = Place(uri.scheme.decode("ascii"), host.lower(), uri.port)
        endpoint: IStreamClientEndpoint
        if self._reach.trusts(place):
            endpoint = HostnameEndpoint(self._reactor, host, uri.port, self._timeout)
        else:
            endpoint = PublicEndpoint(self._reactor, host, uri.port, self._timeout)
        if place.scheme == "https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return _Quiet(endpoint)


@implementer(IStreamClientEndpoint)
@frozen
class _Quiet:
    """Connects, and spares the log two lines for each connection."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:  # noqa: N803
        protocolFactory.noisy = False
        connecting: Deferred[IProtocol] = self.endpoint.connect(protocolFactory)
        return connecting
