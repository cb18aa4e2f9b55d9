"""The memory of header lines whose meaning is known, and of whole requests that came again and again."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field, frozen
from twisted.web.http_headers import Headers

from pypid.web.http.parsed_request import VARYING, ParsedRequest, header_lines
from pypid.web.routes.page_cache import Representation
from pypid.web.routes.refresh import demands_refresh

__all__ = ["MAX_REMEMBERED", "Block", "HeaderBlocks"]

MAX_LINES = 64
"""Largest number of lines of a request that is remembered."""
MAX_REMEMBERED = 1000
"""Largest number of blocks of header lines that are remembered, and of whole requests."""


@frozen
class Block:
    """Header lines of a request that was parsed and accepted."""

    headers: Headers
    """The parsed headers, without credentials."""
    representation: Representation | None
    """The requested representation of a page; ``None`` if a page has to be fetched anew, or refused."""
    is_forwarded: bool
    """Whether ``X-Forwarded-Proto`` or ``-Host`` is among the headers."""


@define(eq=False)
class HeaderBlocks:
    """Remembers the header lines that were used most recently, and recent requests."""

    _blocks: OrderedDict[tuple[bool, bytes], Block] = field(factory=OrderedDict, init=False)
    """By whether the peer is a trusted proxy, and by the header lines."""
    _requests: dict[bytes, ParsedRequest] = field(factory=dict, init=False)
    """Recent requests without credentials, by their bytes."""

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
        representation = None if demands_refresh(headers) else Representation.chosen(headers)
        headers = headers.copy()
        headers.removeHeader(b"authorization")
        is_forwarded = headers.hasHeader(b"x-forwarded-proto") or headers.hasHeader(b"x-forwarded-host")
        self._blocks[trusted, block] = Block(headers, representation, is_forwarded)
        if len(self._blocks) > MAX_REMEMBERED:
            self._blocks.popitem(last=False)

    def find(self, segment: bytes, trusted: bool) -> tuple[ParsedRequest, Block] | None:
        """Return a request and its header lines, or ``None`` if their meaning is not known.

        :param trusted: whether the peer is a trusted proxy.
        """
        request = self._requests.get(segment) or ParsedRequest.in_segment(segment)
        if request is None:
            return None
        block = self._blocks.get((trusted, request.block))
        if block is None or (request.forwarded and (request.x_forwarded_for or block.is_forwarded)):
            return None
        return request, block

    def used(self, segment: bytes, request: ParsedRequest, trusted: bool) -> None:
        """Take note that a request was answered, since it may be repeated. No password is remembered."""
        self._blocks.move_to_end((trusted, request.block))
        if request.credentials is None and segment not in self._requests:
            self._requests[segment] = request
            if len(self._requests) > MAX_REMEMBERED:
                del self._requests[next(iter(self._requests))]
