"""The fast path: cached pages are served without the routes.

A client sends the same header lines with every request, apart from credentials and entity tags. So a
block of header lines is interpreted once, for a request on the normal path: Twisted has parsed it, and
the validation of its head has accepted it. When the same block arrives again, with a plain request for a
cached page that is still valid, the response equals the route's response byte for byte, and the access
checks are the same. All other requests take the normal path.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Coroutine, Hashable
from typing import Any, Protocol, TypeVar
from weakref import ref

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers

from pypid.index.publishing import Index
from pypid.model import Action, Redirect
from pypid.web.http.channel import ChannelServer, IndexChannel
from pypid.web.http.parsed_request import VARYING, ParsedRequest, header_lines
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response
from pypid.web.permissions.authorization import Authorization
from pypid.web.routes.page_cache import Representation, SameProject, SimplePages
from pypid.web.routes.refresh import demands_refresh

__all__ = ["FastPath", "FastPathChannel", "FastPathServer"]

T = TypeVar("T")

MAX_SEGMENT = 4096
"""Largest size in bytes of a request on the fast path."""
MAX_LINES = 64
"""Largest number of lines of such a request."""
MAX_REMEMBERED = 1000
"""Largest number of blocks of header lines that are remembered."""


@frozen
class _Block:
    """Header lines of a request that was parsed and accepted."""

    headers: Headers
    """The parsed headers."""
    representation: Representation
    """The requested representation."""
    is_forwarded: bool
    """Whether ``X-Forwarded-Proto`` or ``-Host`` is among the headers."""


@frozen
class _LoggedRequest:
    """A request that was answered on the fast path, in the form that the access log needs."""

    method: bytes
    uri: bytes
    code: int
    sentLength: int
    _client: IAddress
    _headers: Headers
    clientproto: bytes = b"HTTP/1.1"
    body_received: int = 0
    duration: float = 0.0
    """Nothing: such a request is answered when it arrives."""

    @property
    def route(self) -> str:
        """The route that would have answered."""
        return "/simple/" if self.uri == b"/simple/" else "/simple/{name}/"

    def getClientAddress(self) -> IAddress:
        """Return the client's address."""
        return self._client

    def getHeader(self, name: bytes) -> bytes | None:
        """Return the last value of a header, or ``None`` if it is missing."""
        values = self._headers.getRawHeaders(name)
        return values[-1] if values is not None else None


@define
class FastPath:
    """Answers requests with cached pages."""

    _index: Index
    _authorization: Authorization
    _pages: SimplePages
    _blocks: OrderedDict[tuple[bool, bytes], _Block] = field(factory=OrderedDict, init=False)
    """By whether the peer is a trusted proxy, and by the header lines."""
    _requests: dict[bytes, ParsedRequest] = field(factory=dict, init=False)
    """Recent requests without credentials, by their bytes."""
    _second: int = field(default=0, init=False)
    _date: bytes = field(default=b"", init=False)

    def remember(self, segment: bytes, headers: Headers, trusted: bool) -> None:
        """Remember the meaning of a request's header lines.

        :param segment: a complete request without a body, which arrived on its own and was accepted.
        :param headers: the headers that Twisted parsed from it.
        :param trusted: whether the peer is a trusted proxy.
        """
        lines = header_lines(segment)
        if lines is None or segment.count(b"\r\n") > MAX_LINES:
            return
        block, varying = lines
        for name in VARYING:
            if len(headers.getRawHeaders(name, [])) != len(varying.get(name, [])):
                return
        representation = Representation.chosen(headers)
        if representation is None or demands_refresh(headers):
            return
        headers = headers.copy()
        headers.removeHeader(b"authorization")
        is_forwarded = headers.hasHeader(b"x-forwarded-proto") or headers.hasHeader(b"x-forwarded-host")
        self._blocks[trusted, block] = _Block(headers, representation, is_forwarded)
        if len(self._blocks) > MAX_REMEMBERED:
            self._blocks.popitem(last=False)

    def answer(self, segment: bytes, channel: FastPathChannel) -> bool:
        """Answer a request if this is possible without waiting. Return whether it was answered."""
        request = self._requests.get(segment) or ParsedRequest.in_segment(segment)
        if request is None:
            return False
        key = channel.is_trusted, request.block
        block = self._blocks.get(key)
        if block is None or (request.forwarded and (request.x_forwarded_for or block.is_forwarded)):
            return False
        project = request.name or None
        try:
            response = self._response(project, block.representation, request.credentials)
        except Exception:  # the route reports the error
            return False
        if response is None:
            return False
        peer = channel.site.proxies.client(channel.getPeer(), request.x_forwarded_for, request.forwarded)
        if channel.site.limits.request(peer) is not None:
            return False  # the normal path refuses it
        self._blocks.move_to_end(key)
        self._remember_request(segment, request)
        response = response.for_tags(request.none_match)
        body = response.body if request.method == b"GET" else b""
        before_date, after_date = response.head
        channel.transport.write(b"".join((before_date, self._now(), after_date, body)))
        channel.site.log(
            _LoggedRequest(request.method, request.path, response.status, len(body), peer, block.headers)
        )
        return True

    def _remember_request(self, segment: bytes, request: ParsedRequest) -> None:
        """Remember a request for its repetition, unless it has credentials. No password is remembered."""
        if request.credentials is None and segment not in self._requests:
            self._requests[segment] = request
            if len(self._requests) > MAX_REMEMBERED:
                del self._requests[next(iter(self._requests))]

    def _response(
        self, project: str | None, representation: Representation, credentials: bytes | None
    ) -> Response | None:
        """Return the cached page of a project or the index, if the client may read it and it is still valid.

        :raises Exception: the client may not read the page, or the answer requires waiting.
        """
        check = self._authorization.check_header
        if project is None:
            principal = _result_now(check(credentials, Action.READ, None))
            page = self._pages.cached_index(representation, self._authorization.visibility_key(principal))
            validator: Hashable = self._pages.list_validator(_result_now(self._index.projects()))
        else:
            page = self._pages.cached_project(project, representation)
            if page is None:
                return None
            principal = _result_now(check(credentials, Action.READ, project))
            validator = self._validator(project)
        if page is None or page.validator != validator:
            return None
        return page.response(self._authorization.is_shareable(principal, project))

    def _validator(self, name: str) -> Hashable:
        """Return a value that identifies the current content of a project's page.

        :raises LookupError: the page is at another index, or the answer requires waiting.
        """
        validator = self._index.validator(name)
        if validator is not None:
            return validator
        project = _result_now(self._index.project(name))
        if isinstance(project, Redirect):
            raise LookupError("it is elsewhere")
        return SameProject(ref(project))

    def _now(self) -> bytes:
        """Return the current time in the format of the ``Date`` header."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, datetimeToString(second)
        return self._date


class FastPathServer(ChannelServer, Protocol):
    """The server's attributes and methods that the fast path uses."""

    fast_path: FastPath

    def log(self, request: Any) -> None:
        """Write a line to the access log."""


class FastPathChannel(IndexChannel):
    """A connection with a fast path for requests that arrive on their own."""

    site: FastPathServer
    _segment: bytes | None = None
    """The request that is being parsed, if it arrived on its own."""

    def dataReceived(self, data: bytes) -> None:
        """Answer a request on the fast path, or else pass the data to the normal path."""
        if self._is_new:
            self.identify()
        self._segment = data if self._is_idle() and _is_one_head(data) else None
        if self._segment is not None and self.site.fast_path.answer(data, self):
            self.rest()
            return
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """Remember the header lines of a request that was accepted, if the connection stays open."""
        request: IndexRequest = self.requests[-1]
        super().allHeadersReceived()
        if self._segment is not None and self.length == 0 and self.persistent:
            self.site.fast_path.remember(self._segment, request.requestHeaders, self.is_trusted)

    def _is_idle(self) -> bool:
        """Return whether the connection is between two requests and is not being closed."""
        return not self.requests and not self._buffer and self._discarding is None


def _is_one_head(data: bytes) -> bool:
    return len(data) <= MAX_SEGMENT and data.find(b"\r\n\r\n") == len(data) - 4


def _result_now(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """Return or raise the outcome of a coroutine that does not wait.

    :raises LookupError: the coroutine has to wait. It runs to its end, but its outcome is discarded.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        outcome: T = done.value
        return outcome
    # When the coroutine is resumed here, it still waits for the same Deferred.
    Deferred.fromCoroutine(coroutine).addErrback(lambda _: None)
    raise LookupError("not at hand")
