"""Validation of each request's head, before any other code uses it.

Twisted checks the framing. This module refuses further requests that Twisted accepts but a package index
never needs, so that no later code has to consider them (RFC 9110, RFC 9112).
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from attrs import frozen
from twisted.web.http_headers import Headers

from pypid.web.http.responses import Response, redirect, text

__all__ = ["Head", "check"]

_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT")
_SERVED = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS")
_ONCE = (b"Host", b"Authorization", b"Content-Type", b"Content-Length", b"Range")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_SLASHES = re.compile(rb"/{2,}")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


@frozen
class Head:
    """The request line and headers of a request, as they were received."""

    method: bytes
    """The method, such as ``GET``."""
    target: bytes
    """The request target: path and query, still percent-encoded."""
    version: bytes
    """The protocol version, such as ``HTTP/1.1``."""
    headers: Headers
    """All headers."""

    @property
    def path(self) -> bytes:
        """The target without its query, still percent-encoded."""
        return self.target.split(b"?", 1)[0]


def check(head: Head) -> Response | None:
    """Return a response that refuses the request, or ``None`` if the request is valid.

    ``OPTIONS *`` is answered here too.
    """
    if head.method not in _METHODS:
        return text(501, "no such method here")
    if head.method not in _SERVED:
        return text(405, "method not allowed", [(b"Allow", b"GET, HEAD, POST")])
    if head.method == b"OPTIONS" and head.target == b"*":
        return Response(200, headers=[(b"Allow", b"GET, HEAD, POST")])
    return _check_headers(head) or _check_target(head)


def _check_headers(head: Head) -> Response | None:
    headers = head.headers
    for name, values in headers.getAllRawHeaders():
        if not all(_VALUE.fullmatch(value) for value in values):
            return text(400, "a header has control characters")
        if not all(_is_utf8(value) for value in values):
            return text(400, "a header is not UTF-8")
        if name in _ONCE and len(values) > 1:
            return text(400, f"{name.decode('ascii')} must be sent once")
    host = headers.getRawHeaders(b"Host", [b""])[0]
    match = _HOST.fullmatch(host)
    if host and (match is None or int(match["port"] or 0) > 65535):
        return text(400, "the Host header is malformed")
    if head.version == b"HTTP/1.1":
        if not host:
            return text(400, "HTTP/1.1 needs a Host header")
    elif headers.hasHeader(b"Transfer-Encoding"):
        return text(400, "Transfer-Encoding needs HTTP/1.1")
    if any(value.lower() != b"chunked" for value in headers.getRawHeaders(b"Transfer-Encoding", [])):
        return text(400, "the only Transfer-Encoding taken is chunked")
    if any(value.lower() != b"100-continue" for value in headers.getRawHeaders(b"Expect", [])):
        return text(417, "the only expectation met is 100-continue")
    return None


def _is_utf8(value: bytes) -> bool:
    """Return whether Twisted can decode a header's value to text."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _check_target(head: Head) -> Response | None:
    """Return a refusal or a redirect, or ``None`` if the target is a plain absolute path in UTF-8."""
    if _TARGET.fullmatch(head.target) is None:
        return text(400, "the request target must be a path")
    if head.path.startswith(b"//"):
        return text(404, "no such page")
    if _BAD_ESCAPE.search(head.target) is not None:
        return text(400, "the request target has a broken percent-encoding")
    segments = head.path.split(b"/")
    try:
        decoded = [unquote_to_bytes(segment).decode("utf-8") for segment in segments]
    except UnicodeDecodeError:
        return text(400, "the request target is not UTF-8")
    for segment in decoded:
        if segment in (".", "..") or "/" in segment or _CONTROL.search(segment):
            return text(400, "the path has dots, slashes or control characters where there must be none")
    if b"//" in head.path:
        return _without_doubled_slashes(head)
    return None


def _without_doubled_slashes(head: Head) -> Response:
    """Return a redirect to the intended page, for clients that join URLs carelessly."""
    if head.method not in (b"GET", b"HEAD"):
        return text(404, "there is no such page: its path has doubled slashes")
    up = "../" * (head.path.count(b"/") - 1)
    _, mark, query = head.target.partition(b"?")
    path = _SLASHES.sub(b"/", head.path).removeprefix(b"/")
    return redirect(301, up + (path + mark + query).decode("ascii"), [(b"Cache-Control", b"no-cache")])
