"""Asking an upstream over HTTP: whom, with what credentials, for how long, and how often."""

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
from pypid.upstream.http.allowed_hosts import Origin, UrlPolicy
from pypid.upstream.http.circuit_breaker import CircuitBreaker
from pypid.upstream.http.credentials import read_credentials
from pypid.upstream.http.endpoints import Endpoints, ReachingAgent
from pypid.upstream.http.response_bodies import collect, discard
from pypid.upstream.http.tunnel import refused_by
from pypid.upstream.http.upstream_failures import BusyAnswer, FailedAnswer, UnusableAnswer, told
from pypid.upstream.http.web_proxies import WebProxies, WebProxy, read_web_proxies

__all__ = ["Answer", "UpstreamClient"]

CONNECT_TIMEOUT = 10.0
"""How long a host may take to accept a connection, in seconds."""
CONNECTIONS = 16
"""How many idle connections to a host are kept."""
REDIRECTS = 5
"""How many redirects in a row are followed."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_WAIT = frozenset({429, 503})
_BUSY = frozenset({429, 502, 503, 504})
_REDIRECT_BODY = 64 * 1024

T = TypeVar("T")


@frozen
class Answer:
    """What an upstream said, whole."""

    status: int
    """200, 304, 404 or 410; 404 stands for the other ways of this upstream to say that it is not there."""
    headers: Headers
    """Its headers."""
    body: bytes
    """Its body, unpacked."""
    url: str
    """Where it came from in the end."""


@define(eq=False)
class UpstreamClient:
    """The HTTP side of one upstream.

    Nothing of what a client sent is passed on. The credentials go to the configured origin
    alone, and are in no message, log or ``repr``.
    """

    _reach: UrlPolicy
    _reactor: Any
    _timeout: float = 30.0
    _credentials_file: Path | None = None
    _credentials_variable: str | None = None
    _endpoints: IAgentEndpointFactory | None = None
    _missing: Collection[int] = ()
    """Further statuses that mean that something is not there."""
    _via: str | None = None
    """The URL of a web proxy, ``none``, or nothing where the environment may say."""
    _via_credentials: Path | None = None
    _authorization: bytes | None = field(default=None, init=False, repr=False)
    _proxies: WebProxies = field(factory=lambda: WebProxies({}), init=False)
    _pool: HTTPConnectionPool = field(init=False)
    _agent: IAgent = field(init=False)
    _breakers: dict[str, CircuitBreaker] = field(factory=dict, init=False)
    _asking: set[Deferred[Any]] = field(factory=set, init=False)

    @property
    def url(self) -> str:
        """The URL of the index's list of projects, ending in a slash."""
        return self._reach.url

    @property
    def web_proxy(self) -> WebProxy | None:
        """The web proxy that the index itself is asked through; known once it is open."""
        return self._proxies.of(self._reach.origin)

    def open(self) -> None:
        """Read the credentials, and find out about web proxies.

        :raises CannotStart: they cannot be read, or are none, or the web proxy cannot be used.
        """
        self._authorization = read_credentials(self._credentials_file, self._credentials_variable)
        self._proxies = read_web_proxies(self._via, self._via_credentials)
        try:
            self._proxies.of(self._reach.origin)
        except UnusableAnswer as error:
            raise CannotStart(str(error)) from None
        self._pool = HTTPConnectionPool(self._reactor)
        self._pool.maxPersistentPerHost = CONNECTIONS
        if self._endpoints is not None:
            self._agent = Agent.usingEndpointFactory(self._reactor, self._endpoints, self._pool)
        else:
            patience = min(CONNECT_TIMEOUT, self._timeout)
            endpoints = Endpoints(self._reactor, self._reach, patience, self._proxies)
            self._agent = ReachingAgent(self._reactor, self._pool, endpoints)

    def close(self) -> None:
        """Give up what is being asked, and close all connections."""
        for asking in list(self._asking):
            asking.cancel()
        self._pool.closeCachedConnections()

    def allows(self, url: str) -> bool:
        """Tell whether a URL may be asked for at all."""
        return self._reach.refusal(_sendable(url)) is None

    async def page(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        """Get something small, whole, following redirects.

        :param headers: ``Accept`` and conditions; nothing that a client sent.
        :param limit: how many bytes it may have, unpacked.
        :returns: an answer of status 200, 304, 404 or 410.
        :raises UpstreamTimedOut: there is none in time.
        :raises UpstreamFailed: there is none, or another one.
        """
        return await self._in_time(url, self._page(url, headers, limit))

    async def stream(self, url: str, headers: Mapping[str, str]) -> IResponse:
        """Begin to get something large as it is, following redirects.

        :param headers: ``Range`` and its conditions; nothing that a client sent.
        :returns: an answer of status 200 or 206, whose body the caller has delivered, or
            discards by :func:`pypid.upstream.http.response_bodies.discard`. How long it takes is the
            caller's concern.
        :raises NotFound: it is not there, or not any more.
        :raises UpstreamTimedOut: there is no answer in time.
        :raises UpstreamFailed: there is none, or another one.
        """
        return await self._in_time(url, self._stream(url, headers))

    async def _in_time(self, url: str, asking: Coroutine[Deferred[Any], Any, T]) -> T:
        """Wait for an answer no longer than is allowed, and learn from how it goes."""
        place = Origin.of(_sendable(url))
        host, named = str(place) if place else "the upstream", self._named(place)
        if host not in self._breakers:
            self._breakers[host] = CircuitBreaker(self._reactor, named)
        try:
            with self._breakers[host].guarding(url):
                waiting = Deferred.fromCoroutine(asking)
                self._asking.add(waiting)
                try:
                    return await waiting.addTimeout(self._timeout, self._reactor)
                except NotFound:
                    raise
                except Exception as error:
                    raise told(named, error) from None
                finally:
                    self._asking.discard(waiting)
        finally:
            asking.close()  # it was not begun if the host is left alone

    async def _page(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        response, final = await self._get(url, {**headers, "Accept-Encoding": "gzip"})
        status = response.code
        if status in (200, 304) or self._is_missing(response, final):
            status = status if status in (200, 304, *_GONE) else 404
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
        """Ask, following redirects; each is validated as the first URL is."""
        seen: set[str] = set()
        url = _sendable(url)
        while True:
            refusal = self._reach.refusal(url)
            if refusal is not None:
                what = "it redirects to what may not be asked for" if seen else "it may not be asked"
                raise UnusableAnswer(f"{what}: {refusal}")
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
        if self._authorization is not None and Origin.of(url) == self._reach.origin:
            sent.setRawHeaders(b"Authorization", [self._authorization])
        try:
            response: IResponse = await self._agent.request(b"GET", url.encode("ascii"), sent, None)
        except Exception as error:
            raise told(self._named(Origin.of(url)), error) from None
        return response

    def _is_missing(self, response: IResponse, url: str) -> bool:
        """Return whether an answer says that something is not there.

        Of plain ``http`` through a web proxy, 403 and its kin may be what the proxy says of us.
        """
        if response.code in self._missing:
            return self._proxy_that_sees(Origin.of(url)) is None
        return response.code in _GONE

    def _proxy_that_sees(self, place: Origin | None) -> WebProxy | None:
        """Return the web proxy that answers for a host, or passes on what it answers."""
        return self._proxies.of(place) if place is not None and place.scheme == "http" else None

    def _named(self, place: Origin | None) -> str:
        """Name a host for messages, with whom it is asked through."""
        if place is None:
            return "the upstream"
        try:
            proxy = self._proxies.of(place)
        except UnusableAnswer:
            return str(place)
        return str(place) if proxy is None else f"{place} (through the web proxy {proxy})"

    def _refused(self, response: IResponse, url: str) -> UpstreamFailed:
        """Make an error of an answer that is of no use."""
        discard(response)
        place = Origin.of(url)
        host, proxy = str(place), self._proxy_that_sees(place)
        if response.code == 407 and proxy is not None:
            return refused_by(proxy, response.code)
        if response.code in _WAIT and host in self._breakers:
            self._breakers[host].rest(_retry_after(response.headers), always=response.code == 429)
        if response.code in _BUSY:
            kind: type[UpstreamFailed] = BusyAnswer
        else:
            kind = FailedAnswer if response.code >= 500 else UnusableAnswer
        return kind(f"{self._named(place)}: it answers with status {response.code}")


def _sendable(url: str) -> str:
    """Give a URL without its fragment, and with what may not be sent as it is quoted."""
    return quote(urldefrag(url).url, safe="%/:?[]@!$&'()*+,;=~\\")


def _retry_after(headers: Headers) -> float:
    """Give for how many seconds a host wants to be left alone (RFC 9110, section 10.2.3), or 0."""
    value = headers.getRawHeaders(b"Retry-After", [b""])[0].strip()
    if value.isdigit():
        return float(value[:9])
    try:
        return float(stringToDatetime(value) - time.time())
    except (ValueError, IndexError, KeyError):
        return 0.0
