"""Responses as values, and the one place that writes their heads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256

from attrs import evolve, frozen
from twisted.web.http import NO_BODY_CODES, RESPONSES, Request
from twisted.web.http_headers import Headers

from pypid.formats import http_conditions

__all__ = [
    "ANY_ORIGIN",
    "Response",
    "bare_refusal",
    "clear_head",
    "entity_tag",
    "redirect",
    "respond",
    "text",
]

ANY_ORIGIN = (
    (b"Access-Control-Allow-Origin", b"*"),
    (b"Access-Control-Expose-Headers", b"Accept-Ranges, Content-Range, ETag, X-PyPI-Last-Serial"),
)
"""Headers that let pages of any site read a public answer (Fetch, "CORS protocol"), as PyPI does.

Because of the ``*``, browsers hide the answer to a request that they have sent with a user's password.
"""
_SERVER = (b"Server", b"pypid")
_SAFE = (
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Frame-Options", b"DENY"),
    (
        b"Content-Security-Policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    ),
)
_KEPT = (b"server", b"date", b"connection", b"x-request-id")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\xff]+")
MAX_REASON = 200


@frozen
class Response:
    """A complete response, with its body in memory."""

    status: int
    """The status code."""
    body: bytes = b""
    """The body, as it is sent."""
    content_type: bytes = b"text/plain; charset=utf-8"
    """The media type of the body."""
    headers: Sequence[tuple[bytes, bytes]] = ()
    """Further headers. Their values come from the server, never from a client."""
    reason: str | None = None
    """The reason phrase, if it says more than the usual one. Some clients show nothing else."""
    etag: str | None = None
    """The strong entity tag, with its quotes, if the response can be revalidated."""
    encoding: bytes | None = None
    """The encoding of the body, such as ``gzip``."""
    length: int | None = None
    """The length of the body in bytes, if it is not in memory and is sent separately."""

    def for_tags(self, none_match: str | None) -> Response:
        """Return this response, or its 304 for a client that already has it (RFC 9110, section 13.1.2).

        :param none_match: the ``If-None-Match`` header. If it contains the entity tag of this response, the
            304 is returned.
        """
        if self.status != 200 or self.etag is None or none_match is None:
            return self
        is_ours = none_match == self.etag or http_conditions.not_modified(self.etag, None, none_match, None)
        return self.not_modified if is_ours else self

    @cached_property
    def not_modified(self) -> Response:
        """The 304 that replaces this response."""
        return evolve(self, status=304, body=b"", reason=None)

    @property
    def reason_phrase(self) -> bytes:
        """The reason phrase, without any character that could end it too early."""
        if self.reason is None:
            return RESPONSES.get(self.status, b"Unknown")
        return _UNPRINTABLE.sub(" ", self.reason)[:MAX_REASON].encode("latin-1")

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """All headers except ``Date``; ``Server`` comes first."""
        fields = [_SERVER, *_SAFE, *self.headers]
        if self.etag is not None:
            fields.append((b"ETag", self.etag.encode("ascii")))
        if self.status not in NO_BODY_CODES:
            if self.encoding is not None:
                fields.append((b"Content-Encoding", self.encoding))
            fields.append((b"Content-Type", self.content_type))
            length = len(self.body) if self.length is None else self.length
            fields.append((b"Content-Length", b"%d" % length))
        return fields

    @cached_property
    def head(self) -> tuple[bytes, bytes]:
        """The head for a persistent HTTP/1.1 connection, in two parts: before the date and after it."""
        headers = Headers()
        for name, value in self.fields:
            headers.setRawHeaders(name, [value])
        server, *lines = (b"%s: %s\r\n" % (name, values[0]) for name, values in headers.getAllRawHeaders())
        first = b"HTTP/1.1 %d %s\r\n" % (self.status, self.reason_phrase)
        return first + server + b"Date: ", b"\r\n" + b"".join(lines) + b"\r\n"


def text(status: int, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Response:
    """Return a short response for people. For an error, the message is also the reason phrase."""
    body = f"{message}\n".encode()
    if status < 400:
        return Response(status, body, headers=headers)
    # A message about a user's credentials is for this user alone.
    caching = b"no-store" if status in (401, 403, 429) else b"no-cache"
    return Response(status, body, headers=[(b"Cache-Control", caching), *headers], reason=message)


def redirect(status: int, location: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Response:
    """Return a redirect. The ``location`` is relative, or comes from the configuration."""
    return Response(status, headers=[(b"Location", location.encode("ascii")), *headers])


def entity_tag(*parts: bytes) -> str:
    """Return a strong entity tag. Different ``parts`` have different tags."""
    return f'"{sha256(b"|".join(parts)).hexdigest()[:32]}"'


def bare_refusal(status: int, message: bytes, request_id: str) -> Sequence[bytes]:
    """Return the whole answer to data that are not a request; the connection ends after it.

    :param message: one line of ASCII for people.
    """
    reason = RESPONSES.get(status, b"Request Header Fields Too Large")
    return (
        b"HTTP/1.1 %d %s\r\nServer: pypid\r\nConnection: close\r\n" % (status, reason),
        b"X-Request-Id: %s\r\n" % request_id.encode("ascii"),
        b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n",
        b"Content-Length: %d\r\n\r\n%s\n" % (len(message) + 1, message),
    )


def respond(request: Request, response: Response) -> bytes:
    """Write the head of a response, and return the body that must follow it.

    If the request is conditional on the entity tag, the response may become a 304. If the requested
    resource was found to be readable by anybody, pages of other sites may read it too.
    """
    if response.etag is not None:
        response = response.for_tags(request.getHeader("If-None-Match"))
    request.setResponseCode(response.status, response.reason_phrase)
    shared = ANY_ORIGIN if getattr(request, "anybody_may_read", False) else ()
    for name, value in (*response.fields, *shared):
        request.setHeader(name, value)
    return response.body


def clear_head(request: Request) -> None:
    """Remove the headers of a response that was not sent yet, because another response replaces it."""
    for name, _ in list(request.responseHeaders.getAllRawHeaders()):
        if name.lower() not in _KEPT:
            request.responseHeaders.removeHeader(name)
