"""The HTTP client for one upstream: allowed hosts, credentials, timeouts and circuit breakers."""

from __future__ import annotations

import time
from collections.abc import Collection, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urldefrag, urljoin

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http import stringToDatetime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IResponse

from pypid import __version__
from pypid.errors import CannotStart, NotFound, UpstreamFailed
from pypid.runtime.reactors import IClientReactor
from pypid.upstream.counters import RequestCounts
from pypid.upstream.http.allowed_hosts import Origin, UrlPolicy
from pypid.upstream.http.circuit_breaker import CircuitBreaker
from pypid.upstream.http.credentials import read_credentials
from pypid.upstream.http.endpoints import Endpoints, UpstreamAgent
from pypid.upstream.http.response_bodies import collect, discard
from pypid.upstream.http.tunnel import proxy_refusal
from pypid.upstream.http.upstream_failures import BusyAnswer, FailedAnswer, UnusableAnswer, to_upstream_error
from pypid.upstream.http.web_proxies import WebProxies, WebProxy, read_web_proxies

__all__ = ["Answer", "UpstreamClient"]

CONNECT_TIMEOUT = 10.0
"""Time limit for making a connection, in seconds."""
CONNECTIONS = 16
"""Number of idle connections that are kept open to each host."""
REDIRECTS = 5
"""Number of redirects in a row that are followed."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MISSING = frozenset({404, 410})
_WAIT = frozenset({429, 503})
_BUSY = frozenset({429, 502, 503, 504})
_REDIRECT_BODY = 64 * 1024

T = TypeVar("T")


@frozen
class Answer:
    """A complete answer of an upstream."""

    status: int
    """200, 304, 404 or 410; 404 also stands for the upstream's other statuses for missing resources."""
    headers: Headers
    """The headers."""
    body: bytes
    """The body, decompressed."""
    url: str
    """The final URL, after all redirects."""

    @property
    def is_missing(self) -> bool:
        """Whether the upstream says that it does not have the resource."""
        return self.status in _MISSING


@define(eq=False)
class UpstreamClient:
    """Sends requests to one upstream.

    No header of a client is passed on. The credentials go to the configured origin alone, and
    appear in no message, log or ``repr``.
    """

    _url_policy: UrlPolicy
    _reactor: IClientReactor
    _timeout: float = 30.0
    _credentials_file: Path | None = None
    _credentials_variable: str | None = None
    _endpoints: IAgentEndpointFactory | None = None
    _missing: Collection[int] = ()
    """Further statuses that mean that a resource is missing, besides 404 and 410."""
    _via: str | None = None
    """The URL of a web proxy, ``none`` for no proxy, or ``None`` to read the environment."""
    _via_credentials: Path | None = None
    counts: RequestCounts = field(factory=RequestCounts, init=False)
    """Counters of requests and their outcomes."""
    _authorization: bytes | None = field(default=None, init=False, repr=False)
    _proxies: WebProxies = field(factory=lambda: WebProxies({}), init=False)
    _pool: HTTPConnectionPool = field(init=False)
    _agent: IAgent = field(init=False)
    _breakers: dict[str, CircuitBreaker] = field(factory=dict, init=False)
    _asking: set[Deferred[Any]] = field(factory=set, init=False)

    @property
    def url(self) -> str:
        """The URL of the index's list of projects, ending in a slash."""
        return self._url_policy.url

    @property
    def web_proxy(self) -> WebProxy | None:
        """The web proxy for requests to the index itself, if any; known after :meth:`open`."""
        return self._proxies.of(self._url_policy.origin)

    def open(self) -> None:
        """Read the credentials and the web proxy settings. Blocks while it reads small files.

        :raises CannotStart: the credentials cannot be read or are malformed, or the web proxy cannot
            be used.
        """
        self._authorization = read_credentials(self._credentials_file, self._credentials_variable)
        self._proxies = read_web_proxies(self._via, self._via_credentials)
        try:
            self._proxies.of(self._url_policy.origin)
        except UnusableAnswer as error:
            raise CannotStart(str(error)) from None
        self._pool = HTTPConnectionPool(self._reactor)
        self._pool.maxPersistentPerHost = CONNECTIONS
        if self._endpoints is not None:
            self._agent = Agent.usingEndpointFactory(self._reactor, self._endpoints, self._pool)
        else:
            patience = min(CONNECT_TIMEOUT, self._timeout)
            endpoints = Endpoints(self._reactor, self._url_policy, patience, self._proxies)
            self._agent = UpstreamAgent(self._reactor, self._pool, endpoints)

    def close(self) -> None:
        """Cancel all requests that wait for an answer, and close the idle connections."""
        for asking in list(self._asking):
            asking.cancel()
        self._pool.closeCachedConnections()

    def trouble(self) -> str | None:
        """Return one line about a host that failed repeatedly and has not answered since; else ``None``."""
        return next((found for one in self._breakers.values() if (found := one.trouble()) is not None), None)

    def allows(self, url: str) -> bool:
        """Return whether a URL may be requested, going by the URL alone."""
        return self._url_policy.why_refused(_sendable(url)) is None

    async def page(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        """Request a small resource, follow redirects, and return the complete answer.

        :param headers: ``Accept`` and conditional headers; no header of a client.
        :param limit: the largest size of the body in bytes, decompressed.
        :returns: an answer with status 200, 304, 404 or 410.
        :raises UpstreamTimedOut: no answer came in time.
        :raises UpstreamFailed: the request failed, or the answer has another status.
        """
        return await self._in_time(url, self._page(url, headers, limit))

    async def stream(self, url: str, headers: Mapping[str, str]) -> IResponse:
        """Request a large resource without compression, follow redirects, and return the response.

        :param headers: ``Range`` and ``If-Range``; no header of a client.
        :returns: a response with status 200 or 206. The caller has to call ``deliverBody`` on it, or
            :func:`pypid.upstream.http.response_bodies.discard`. The timeout does not include the body.
        :raises NotFound: the resource is missing.
        :raises UpstreamTimedOut: no answer came in time.
        :raises UpstreamFailed: the request failed, or the answer has another status.
        """
        return await self._in_time(url, self._stream(url, headers))

    async def _in_time(self, url: str, asking: Coroutine[Deferred[Any], Any, T]) -> T:
        """Wait for an answer within the timeout and behind the host's circuit breaker."""
        origin = Origin.of(_sendable(url))
        host, described = str(origin) if origin else "the upstream", self._describe(origin)
        if host not in self._breakers:
            self._breakers[host] = CircuitBreaker(self._reactor, described)
        try:
            with self.counts.count(), self._breakers[host].guard(url):
                waiting = Deferred.fromCoroutine(asking)
                self._asking.add(waiting)
                try:
                    return await waiting.addTimeout(self._timeout, self._reactor)
                except NotFound:
                    raise
                except Exception as error:
                    raise to_upstream_error(described, error) from None
                finally:
                    self._asking.discard(waiting)
        finally:
            asking.close()  # the circuit breaker may have refused to begin it

    async def _page(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        response, final = await self._get(url, {**headers, "Accept-Encoding": "gzip"})
        status = response.code
        if status in (200, 304) or self._is_missing(response, final):
            status = status if status in (200, 304, *_MISSING) else 404
            return Answer(status, response.headers, await collect(response, limit), final)
        raise self._refused(response, final)

    async def _stream(self, url: str, headers: Mapping[str, str]) -> IResponse:
        response, final = await self._get(url, {**headers, "Accept-Encoding": "identity"})
        if response.code in (200, 206):
            return response
        if self._is_missing(response, final):
            discard(response)
            raise NotFound("the upstream does not have that file any more")
        raise self._refused(response, final)

    async def _get(self, url: str, headers: Mapping[str, str]) -> tuple[IResponse, str]:
        """Send a request and follow redirects; each URL has to pass the URL policy.

        :returns: the response and its final URL.
        """
        seen: set[str] = set()
        url = _sendable(url)
        while True:
            reason = self._url_policy.why_refused(url)
            if reason is not None:
                what = "it redirects to what may not be asked for" if seen else "it may not be asked"
                raise UnusableAnswer(f"{what}: {reason}")
            if url in seen or len(seen) > REDIRECTS:
                raise UnusableAnswer("it redirects in circles, or too often")
            seen.add(url)
            response = await self._ask(url, headers)
            location = response.headers.getRawHeaders(b"Location", [b""])[0]
            if response.code not in _REDIRECTS or not location:
                return response, url
            await collect(response, _REDIRECT_BODY)
            url = _sendable(urljoin(url, location.decode("latin-1")))

    async def _ask(self, url: str, headers: Mapping[str, str]) -> IResponse:
        sent = Headers({"User-Agent": [f"pypid/{__version__}"]})
        for name, value in headers.items():
            sent.setRawHeaders(name, [value])
        if self._authorization is not None and Origin.of(url) == self._url_policy.origin:
            sent.setRawHeaders(b"Authorization", [self._authorization])
        try:
            response: IResponse = await self._agent.request(b"GET", url.encode("ascii"), sent, None)
        except Exception as error:
            raise to_upstream_error(self._describe(Origin.of(url)), error) from None
        return response

    def _is_missing(self, response: IResponse, url: str) -> bool:
        """Return whether a response says that a resource is missing.

        With plain ``http`` through a web proxy, 403 and similar statuses may come from the proxy and
        be about this client, so they do not count.
        """
        if response.code in self._missing:
            return self._proxy_that_sees(Origin.of(url)) is None
        return response.code in _MISSING

    def _proxy_that_sees(self, origin: Origin | None) -> WebProxy | None:
        """Return the web proxy that can answer in the place of a host, which takes plain ``http``."""
        return self._proxies.of(origin) if origin is not None and origin.scheme == "http" else None

    def _describe(self, origin: Origin | None) -> str:
        """Return the name of a host for messages, with the web proxy in use."""
        if origin is None:
            return "the upstream"
        try:
            proxy = self._proxies.of(origin)
        except UnusableAnswer:
            return str(origin)
        return str(origin) if proxy is None else f"{origin} (through the web proxy {proxy})"

    def _refused(self, response: IResponse, url: str) -> UpstreamFailed:
        """Discard a response with an unexpected status, and return the error for it."""
        discard(response)
        origin = Origin.of(url)
        host, proxy = str(origin), self._proxy_that_sees(origin)
        if response.code == 407 and proxy is not None:
            return proxy_refusal(proxy, response.code)
        if response.code in _WAIT and host in self._breakers:
            self._breakers[host].rest(_retry_after(response.headers), always=response.code == 429)
        if response.code in _BUSY:
            kind: type[UpstreamFailed] = BusyAnswer
        else:
            kind = FailedAnswer if response.code >= 500 else UnusableAnswer
        return kind(f"{self._describe(origin)}: it answers with status {response.code}")


def _sendable(url: str) -> str:
    """Return a URL without its fragment, and with characters quoted that may not be sent."""
    return quote(urldefrag(url).url, safe="%/:?[]@!$&'()*+,;=~\\")


def _retry_after(headers: Headers) -> float:
    """Return the value of ``Retry-After`` in seconds (RFC 9110, section 10.2.3), or 0."""
    value = headers.getRawHeaders(b"Retry-After", [b""])[0].strip()
    if value.isdigit():
        return float(value[:9])
    try:
        return float(stringToDatetime(value) - time.time())
    except (ValueError, IndexError, KeyError):
        return 0.0
