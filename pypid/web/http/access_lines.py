"""The lines of the access log: the Combined Log Format with more fields at its end, or JSON objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import Protocol

from twisted.internet.interfaces import IAddress

from pypid.formats.harmless_text import harmless

__all__ = ["ACCESS_FORMATS", "LoggableRequest", "json_line", "text_line"]


class LoggableRequest(Protocol):
    """The attributes of an answered request that are logged."""

    method: bytes
    uri: bytes
    clientproto: bytes
    code: int
    sentLength: int
    request_id: str
    """Its id, as in ``X-Request-Id``."""
    user_name: str
    """The name of its user; empty for a stranger."""
    cache: str
    """``hit``, ``miss`` or ``stale`` if the answer comes from a cache, or goes into one; else empty."""

    @property
    def duration(self) -> float:
        """The seconds from the end of its head to the end of its answer."""

    def getClientAddress(self) -> IAddress:
        """Return the client's address."""

    def getHeader(self, name: bytes) -> bytes | None:
        """Return the last value of a header, or ``None`` if it is missing."""


def text_line(timestamp: str, request: LoggableRequest) -> str:
    """Return a line in the Combined Log Format, with the user in its place, and three more fields.

    These are the duration in seconds, the id of the request, and the state of the cache.

    :param timestamp: the time in brackets, as that format writes it.
    """
    host = getattr(request.getClientAddress(), "host", "-") or "-"
    referer, agent = request.getHeader(b"referer") or b"-", request.getHeader(b"user-agent") or b"-"
    return (
        f'"{_usual_word(host)}" - {_usual_word(request.user_name)} {timestamp}'
        f' "{_usual_text(request.method)} {_text(request.uri)} {_usual_text(request.clientproto)}"'
        f' {request.code} {request.sentLength or "-"} "{_usual_text(referer)}" "{_usual_text(agent)}"'
        f" {request.duration:.3f} {request.request_id} {request.cache or '-'}"
    )


def json_line(_: str, request: LoggableRequest) -> str:
    """Return a JSON object with the same facts, in ASCII."""
    found: dict[str, object] = {
        "time": datetime.fromtimestamp(time(), UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "system": "pypid.access",
        "request": request.request_id,
        "client": getattr(request.getClientAddress(), "host", "") or "",
        "user": request.user_name,
        "method": request.method.decode("latin-1"),
        "target": request.uri.decode("latin-1"),
        "protocol": request.clientproto.decode("latin-1"),
        "status": request.code,
        "bytes": request.sentLength,
        "seconds": round(request.duration, 6),
        "cache": request.cache,
        "referer": (request.getHeader(b"referer") or b"").decode("utf-8", "replace"),
        "agent": (request.getHeader(b"user-agent") or b"").decode("utf-8", "replace"),
    }
    return json.dumps(found).replace("\x7f", "\\u007f")


ACCESS_FORMATS: dict[str, Callable[[str, LoggableRequest], str]] = {"text": text_line, "json": json_line}
"""The formats by the names that people use."""
USUAL = 256
"""How many texts of clients are remembered. Each is shorter than a request's head may be."""
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")


def _text(value: bytes) -> str:
    """Return bytes of a client as text that cannot end its quotes or its line."""
    if _PLAIN.fullmatch(value):
        return value.decode("ascii")
    return _quoted(value.decode("utf-8", "surrogateescape"))


def _quoted(text: str) -> str:
    escaped = harmless(text.replace("\\", "\\\\").replace('"', '\\"'))
    return escaped.encode("ascii", "backslashreplace").decode("ascii")


def _word(text: str) -> str:
    """Return a text as one word; a dash if it is empty."""
    return _quoted(text).replace(" ", "\\x20") or "-"


# The same clients come again and again, and pages that are answered at once take no longer than this does.
_usual_text, _usual_word = lru_cache(USUAL)(_text), lru_cache(USUAL)(_word)
