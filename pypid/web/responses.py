"""What goes out: one value for a response, and one place that writes its head."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from attrs import evolve, frozen
from twisted.web.http import RESPONSES, Request

from pypid import ranges

__all__ = ["Response", "entity_tag", "redirect", "respond", "text"]

_SAFE = (
    (b"Server", b"pypid"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Frame-Options", b"DENY"),
    (
        b"Content-Security-Policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    ),
)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\xff]+")
MAX_REASON = 200


@frozen
class Response:
    """A whole response whose body is at hand."""

    status: int
    """The status code."""
    body: bytes = b""
    """The body, as it is sent."""
    content_type: bytes = b"text/plain; charset=utf-8"
    """The media type of the body."""
    headers: Sequence[tuple[bytes, bytes]] = ()
    """Further headers; their values are ours, never a client's."""
    reason: str | None = None
    """The reason phrase, where it says more than the usual one: some clients show nothing else."""
    etag: str | None = None
    """The strong entity tag, with its quotes, if the response can be revalidated."""


def text(status: int, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Response:
    """Make a short answer for a person; errors say it in the reason phrase too."""
    return Response(
        status,
        f"{message}\n".encode(),
        headers=[(b"Cache-Control", b"no-store"), *headers] if status >= 400 else headers,
        reason=message if status >= 400 else None,
    )


def redirect(status: int, location: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Response:
    """Send the client elsewhere; ``location`` is relative, or one that the configuration names."""
    return Response(status, headers=[(b"Location", location.encode("ascii")), *headers])


def entity_tag(*parts: bytes) -> str:
    """Give a strong entity tag that is different for different ``parts``."""
    return f'"{sha256(b"|".join(parts)).hexdigest()[:32]}"'


def respond(request: Request, response: Response) -> bytes:
    """Write the head of a response and give the body that is to follow it.

    A request that is conditional upon the response's entity tag may turn into a 304.
    """
    if response.etag is not None and response.status == 200:
        none_match = request.getHeader("If-None-Match")
        if ranges.not_modified(response.etag, None, none_match, None):
            response = evolve(response, status=304, body=b"", reason=None)
    reason = RESPONSES.get(response.status, b"Unknown")
    if response.reason is not None:
        reason = _UNPRINTABLE.sub(" ", response.reason)[:MAX_REASON].encode("latin-1")
    request.setResponseCode(response.status, reason)
    for name, value in (*_SAFE, *response.headers):
        request.setHeader(name, value)
    if response.etag is not None:
        request.setHeader(b"ETag", response.etag.encode("ascii"))
    if response.status != 304:
        request.setHeader(b"Content-Type", response.content_type)
        request.setHeader(b"Content-Length", b"%d" % len(response.body))
    return response.body
