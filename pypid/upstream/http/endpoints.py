"""Connections to an upstream, direct or through a web proxy, with verified TLS."""

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

from pypid.runtime.reactors import IClientReactor
from pypid.upstream.http.allowed_hosts import Origin, UrlPolicy, may_be_public_name
from pypid.upstream.http.public_endpoint import PublicEndpoint
from pypid.upstream.http.tunnel import ProxyEndpoint, Tunnel
from pypid.upstream.http.upstream_failures import UnusableAnswer
from pypid.upstream.http.web_proxies import WebProxies, WebProxy

__all__ = ["Endpoints", "UpstreamAgent"]


def _policy() -> IPolicyForHTTPS:
    # Trusts the platform's certificates, or those in SSL_CERT_FILE and SSL_CERT_DIR. To read them
    # takes so long that the policy does it once for each host.
    return HostnameCachingHTTPSPolicy(BrowserLikePolicyForHTTPS())


@implementer(IAgentEndpointFactory)
@define(eq=False)
class Endpoints:
    """Makes endpoints for hosts that the URL policy allows; untrusted hosts need public addresses.

    A web proxy may have any address, because the administrator configured it. A web proxy looks
    names up itself, so for an untrusted host behind one only the name can be checked.
    """

    _reactor: IClientReactor
    _url_policy: UrlPolicy
    _timeout: float
    _proxies: WebProxies = field(factory=lambda: WebProxies({}))
    _policy: IPolicyForHTTPS = field(factory=_policy)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return the endpoint for the host of a URL, with verified TLS if its scheme is ``https``.

        :raises UnusableAnswer: the host may not be connected to, or its web proxy cannot be used.
        """
        host, origin = uri.host.decode("ascii"), _origin_of(uri)
        proxy = self.proxy(origin)
        endpoint: IStreamClientEndpoint
        if proxy is not None:
            endpoint = Tunnel(self.to_proxy(proxy), proxy, origin)
        elif self._url_policy.is_trusted(origin):
            endpoint = HostnameEndpoint(self._reactor, host, uri.port, self._timeout)
        else:
            endpoint = PublicEndpoint(self._reactor, host, uri.port, self._timeout)
        if origin.scheme == "https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return _QuietEndpoint(endpoint)

    def proxy(self, origin: Origin) -> WebProxy | None:
        """Return the web proxy for a host, or ``None`` if connections to it are direct.

        :raises UnusableAnswer: the host may not be reached through the proxy, or the proxy cannot be used.
        """
        proxy = self._proxies.of(origin)
        if (
            proxy is not None
            and not self._url_policy.is_trusted(origin)
            and not may_be_public_name(origin.host)
        ):
            raise UnusableAnswer(f"{origin} is at a private address, and allow-private is not given")
        return proxy

    def to_proxy(self, proxy: WebProxy) -> IStreamClientEndpoint:
        """Return the endpoint for a web proxy itself."""
        host, port = proxy.origin.host, proxy.origin.port
        endpoint: IStreamClientEndpoint = HostnameEndpoint(self._reactor, host, port, self._timeout)
        if proxy.origin.scheme == "https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(host.encode("ascii"), port), endpoint)
        return _QuietEndpoint(ProxyEndpoint(endpoint, proxy))


@implementer(IAgent)
@define(eq=False)
class UpstreamAgent:
    """Sends requests over connections of :class:`Endpoints`, which are reused for the same host only.

    Plain ``http`` through a web proxy needs no tunnel: the proxy gets the request with an absolute URL
    (RFC 9112, section 3.2.2). Connections to the proxy are then reused for all such hosts.
    """

    _reactor: IClientReactor
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
        """Send a request; the result fails with :exc:`UnusableAnswer` if the host may not be connected to."""
        try:
            origin = _origin_of(URI.fromBytes(uri))
            proxy = self._endpoints.proxy(origin) if origin.scheme == "http" else None
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


def _origin_of(uri: URI) -> Origin:
    return Origin(uri.scheme.decode("ascii"), uri.host.decode("ascii").lower(), uri.port)


@implementer(IStreamClientEndpoint)
@frozen
class _QuietEndpoint:
    """Connects without the two log lines that Twisted writes for each connection."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:  # noqa: N803
        protocolFactory.noisy = False
        connecting: Deferred[IProtocol] = self.endpoint.connect(protocolFactory)
        return connecting
