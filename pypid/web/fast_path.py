"""Pages that were rendered before, answered ahead of the routes.

A client sends the same header lines with every request, but for its credentials and entity
tags. So what a block of them asks for is worked out once, of a request that went the usual
way: parsed by Twisted and let in by the gate. When the block comes again, with a plain
request for a page that is kept and still valid, the answer is the one that the route would
give, byte for byte, under the same access checks. All else goes the usual way.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Coroutine, Hashable, Mapping, Sequence
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
from pypid.web.http.request import IndexRequest
from pypid.web.permissions.authorization import Authorization
from pypid.web.routes.page_cache import Page, Representation, SameProject, SimplePages
from pypid.web.routes.refresh import demands_refresh

__all__ = ["HotChannel", "FastPath"]

T = TypeVar("T")

MAX_SEGMENT = 4096
"""How long a request may be that is looked at here."""
MAX_LINES = 64
"""How many lines it may have."""
MAX_KNOWN = 1000
"""How many blocks of header lines are remembered."""

_LINE = re.compile(rb"(GET|HEAD) (/simple/(?:([a-z0-9]+(?:-[a-z0-9]+)*)/)?) HTTP/1\.1(?=\r\n)")
# Lines that differ from one request of a client, or of a proxy, to the next. They are cut out of the block,
# so that no password is remembered either.
_VARYING = re.compile(
    rb"\r\n(Authorization|If-None-Match|X-Forwarded-For): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)(?=\r\n)",
    re.IGNORECASE,
)


@frozen
class _Block:
    """Header lines that were parsed and let in."""

    headers: Headers
    """What they say."""
    representation: Representation
    """What they ask for."""


@frozen
class ParsedRequest:
    """A request, taken apart."""

    method: bytes
    path: bytes
    name: str
    """Of the project; empty if it asks for the index."""
    block: bytes
    """The header lines that always come."""
    credentials: bytes | None
    none_match: str | None
    forwarded: Sequence[bytes]

    @classmethod
    def in_segment(cls, segment: bytes) -> ParsedRequest | None:
        """Take a request apart, if it is for a page that might be kept."""
        match = _LINE.match(segment)
        if match is None:
            return None
        method, path, name = match.groups()
        block, varying = _cut(segment[match.end() :])
        none_match = varying.get(b"if-none-match")
        return cls(
            method,
            path,
            (name or b"").decode("ascii"),
            block,
            varying.get(b"authorization", [None])[0],
            none_match[0].decode("ascii") if none_match is not None else None,
            varying.get(b"x-forwarded-for", ()),
        )


@frozen
class LoggedRequest:
    """A request that was answered here, as the access log wants it."""

    method: bytes
    uri: bytes
    code: int
    sentLength: int
    _client: IAddress
    _headers: Headers
    clientproto: bytes = b"HTTP/1.1"

    def getClientAddress(self) -> IAddress:
        """Give the client's address."""
        return self._client

    def getHeader(self, name: bytes) -> bytes | None:
        """Give a header."""
        values = self._headers.getRawHeaders(name)
        return values[-1] if values is not None else None


@define
class FastPath:
    """Answers with pages that are kept."""

    _index: Index
    _authorization: Authorization
    _pages: SimplePages
    _known: OrderedDict[bytes, _Block] = field(factory=OrderedDict, init=False)
    _asked: dict[bytes, ParsedRequest] = field(factory=dict, init=False)
    """Requests that came lately, none of them with credentials."""
    _second: int = field(default=0, init=False)
    _date: bytes = field(default=b"", init=False)

    def learn(self, segment: bytes, headers: Headers) -> None:
        """Remember what the header lines of a request ask for.

        :param segment: all of a request without a body, which came on its own and was let in.
        :param headers: what Twisted found in it.
        """
        match = _LINE.match(segment)
        if match is None or segment.count(b"\r\n") > MAX_LINES:
            return
        block, varying = _cut(segment[match.end() :])
        for name in (b"authorization", b"if-none-match", b"x-forwarded-for"):
            if len(headers.getRawHeaders(name, [])) != len(varying.get(name, [])):
                return
        representation = Representation.chosen(headers)
        if representation is None or demands_refresh(headers):
            return
        headers = headers.copy()
        headers.removeHeader(b"authorization")
        self._known[block] = _Block(headers, representation)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def answer(self, segment: bytes, channel: HotChannel) -> bool:
        """Answer a request if all that it takes is at hand; tell whether it was answered."""
        asked = self._asked.get(segment) or ParsedRequest.in_segment(segment)
        if asked is None:
            return False
        block = self._known.get(asked.block)
        if block is None:
            return False
        project = asked.name or None
        try:
            page = self._page(project, block.representation, asked.credentials)
        except Exception:  # the route says what is wrong
            return False
        if page is None:
            return False
        self._known.move_to_end(asked.block)
        self._remember(segment, asked)
        response = page.response(self._authorization.is_public(project)).for_tags(asked.none_match)
        body = response.body if asked.method == b"GET" else b""
        before_date, after_date = response.head
        channel.transport.write(b"".join((before_date, self._now(), after_date, body)))
        peer = channel.site.proxies.client(channel.getPeer(), asked.forwarded)
        channel.site.log(
            LoggedRequest(asked.method, asked.path, response.status, len(body), peer, block.headers)
        )
        return True

    def _remember(self, segment: bytes, asked: ParsedRequest) -> None:
        """Remember a request for the next of its kind, but never a password."""
        if asked.credentials is None and segment not in self._asked:
            self._asked[segment] = asked
            if len(self._asked) > MAX_KNOWN:
                del self._asked[next(iter(self._asked))]

    def _page(
        self, project: str | None, representation: Representation, credentials: bytes | None
    ) -> Page | None:
        """Give the page that is kept of a project or the index, if it is for whoever asks, and still valid.

        :raises Exception: they may not see it, or something has to be waited for.
        """
        check = self._authorization.check_header
        if project is None:
            principal = _at_once(check(credentials, Action.READ, None))
            page = self._pages.kept_index(representation, self._authorization.view(principal))
            shown: Hashable = self._pages.listing(_at_once(self._index.projects()))
        else:
            page = self._pages.kept(project, representation)
            if page is None:
                return None
            _at_once(check(credentials, Action.READ, project))
            shown = self._shown(project)
        return page if page is not None and page.shown == shown else None

    def _shown(self, name: str) -> Hashable:
        """Give what a project's page would show now. :raises LookupError: it has to be waited for."""
        version_key = self._index.version_key(name)
        if version_key is not None:
            return version_key
        project = _at_once(self._index.project(name))
        if isinstance(project, Redirect):
            raise LookupError("it is elsewhere")
        return SameProject(ref(project))

    def _now(self) -> bytes:
        """Give the time as ``Date`` has it."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, datetimeToString(second)
        return self._date


class FastServer(ChannelServer, Protocol):
    """What a connection needs of its server, to answer at once."""

    hot: FastPath

    def log(self, request: Any) -> None:
        """Write a line into the access log."""


class HotChannel(IndexChannel):
    """A connection on which a request that comes on its own may be answered at once."""

    site: FastServer
    _segment: bytes | None = None
    """The request that is being parsed, if it is all that came."""

    def dataReceived(self, data: bytes) -> None:
        """Answer a request, or go the usual way."""
        self._segment = data if self._is_idle() and _is_one_head(data) else None
        if self._segment is not None and self.site.hot.answer(data, self):
            self.rest()
            return
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """Learn of a request that was let in, after which others may follow."""
        request: IndexRequest = self.requests[-1]
        super().allHeadersReceived()
        if self._segment is not None and self.length == 0 and self.persistent:
            self.site.hot.learn(self._segment, request.requestHeaders)

    def _is_idle(self) -> bool:
        """Tell whether nothing was begun, nor is the connection at its end."""
        return not self.requests and not self._buffer and self._discarding is None


def _is_one_head(data: bytes) -> bool:
    return len(data) <= MAX_SEGMENT and data.find(b"\r\n\r\n") == len(data) - 4


def _cut(lines: bytes) -> tuple[bytes, Mapping[bytes, list[bytes]]]:
    """Split header lines into those that always come and the values of those that vary."""
    parts = _VARYING.split(lines)
    if len(parts) == 1:
        return lines, {}
    varying = {name.lower(): [value] for name, value in zip(parts[1::3], parts[2::3], strict=True)}
    # What comes twice is left to those who know what it means.
    return (b"".join(parts[::3]), varying) if 3 * len(varying) + 1 == len(parts) else (lines, {})


def _at_once(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """Give or raise the outcome of a coroutine.

    :raises LookupError: it has to wait. It goes on to its end, of which nobody hears.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        outcome: T = done.value
        return outcome
    # Resumed, it finds itself waiting for the same Deferred still.
    Deferred.fromCoroutine(coroutine).addErrback(lambda _: None)
    raise LookupError("not at hand")
