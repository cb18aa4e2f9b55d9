"""Connections to an upstream, straight or through a web proxy, with TLS as it should be."""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HostnameCachingHTTPSPolicy,
    HTTPConnectionPool,
    ProxyAgent,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from pypid.upstream.http.allowed_hosts import Origin, UrlPolicy, may_be_public_name
from pypid.upstream.http.public_endpoint import PublicEndpoint
from pypid.upstream.http.tunnel import ProxyEndpoint, Tunnel
from pypid.upstream.http.upstream_failures import UnusableAnswer
from pypid.upstream.http.web_proxies import WebProxies, WebProxy

__all__ = ["Endpoints", "ReachingAgent"]


def _policy() -> IPolicyForHTTPS:
    # The certificates that the platform trusts, or those that SSL_CERT_FILE and SSL_CERT_DIR
    # name; to read them takes so long that it is done once for each host.
    return HostnameCachingHTTPSPolicy(BrowserLikePolicyForHTTPS())


@implementer(IAgentEndpointFactory)
@define(eq=False)
class Endpoints:
    """Connects to hosts within reach; to those that are not trusted, at public addresses only.

    A web proxy may be anywhere: it was configured. Behind one it is the proxy that looks names
    up, so that of a host that is not trusted only its name can be validated.
    """

    _reactor: Any
    _reach: UrlPolicy
    _timeout: float
    _proxies: WebProxies = field(factory=lambda: WebProxies({}))
    _policy: IPolicyForHTTPS = field(factory=_policy)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return what connects to the host of a URL, so that nobody else hears what is said.

        :raises UnusableAnswer: it may not be connected to, or not in the way that is configured.
        """
        host, place = uri.host.decode("ascii"), _place(uri)
        proxy = self.proxy(place)
        endpoint: IStreamClientEndpoint
        if proxy is not None:
            endpoint = Tunnel(self.to_proxy(proxy), proxy, place)
        elif self._reach.trusts(place):
            endpoint = HostnameEndpoint(self._reactor, host, uri.port, self._timeout)
        else:
            endpoint = PublicEndpoint(self._reactor, host, uri.port, self._timeout)
        if place.scheme == "https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return _Quiet(endpoint)

    def proxy(self, place: Origin) -> WebProxy | None:
        """Return the web proxy that a host is asked through, if there is one.

        :raises UnusableAnswer: the host may not be asked for through it, or it cannot be used.
        """
        proxy = self._proxies.of(place)
        if proxy is not None and not self._reach.trusts(place) and not may_be_public_name(place.host):
            raise UnusableAnswer(f"{place} is at a private address, and allow-private is not given")
        return proxy

    def to_proxy(self, proxy: WebProxy) -> IStreamClientEndpoint:
        """Return what connects to a web proxy itself."""
        host, port = proxy.place.host, proxy.place.port
        endpoint: IStreamClientEndpoint = HostnameEndpoint(self._reactor, host, port, self._timeout)
        if proxy.place.scheme == "https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(host.encode("ascii"), port), endpoint)
        return _Quiet(ProxyEndpoint(endpoint, proxy))


@implementer(IAgent)
@define(eq=False)
class ReachingAgent:
    """Asks over such connections, which are used again for the same host alone.

    Without TLS a web proxy is not asked to connect to a host, but asked what the host would be
    (RFC 9112, section 3.2.2); those connections are the proxy's, and serve all such hosts.
    """

    _reactor: Any
    _pool: HTTPConnectionPool
    _endpoints: Endpoints
    _agent: IAgent = field(init=False)
    _through: dict[WebProxy, IAgent] = field(factory=dict, init=False)

    @_agent.default
    def _direct(self) -> IAgent:
        agent: IAgent = Agent.usingEndpointFactory(self._reactor, self._endpoints, self._pool)
        return agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """Ask a host; its answer fails with :exc:`UnusableAnswer` if it may not be asked."""
        try:
            place = _place(URI.fromBytes(uri))
            proxy = self._endpoints.proxy(place) if place.scheme == "http" else None
            if proxy is None:
                return self._agent.request(method, uri, headers, bodyProducer)
        except UnusableAnswer as error:
            return fail(error)
        if proxy not in self._through:
            self._through[proxy] = ProxyAgent(self._endpoints.to_proxy(proxy), self._reactor, self._pool)
        if proxy.authorization is not None:
            headers = headers.copy() if headers is not None else Headers()
            headers.setRawHeaders(b"Proxy-Authorization", [proxy.authorization])
        return self._through[proxy].request(method, uri, headers, bodyProducer)


def _place(uri: URI) -> Origin:
    return Origin(uri.scheme.decode("ascii"), uri.host.decode("ascii").lower(), uri.port)


@implementer(IStreamClientEndpoint)
@frozen
class _Quiet:
    """Connects, and spares the log two lines for each connection."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:  # noqa: N803
        protocolFactory.noisy = False
        connecting: Deferred[IProtocol] = self.endpoint.connect(protocolFactory)
        return connecting
