"""Requests for what may be cached, cut into the lines that are always the same and all others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from pypid.formats.http_conditions import Conditions

__all__ = ["VARYING", "ParsedRequest", "header_lines"]

VARYING = (
    *(b"authorization", b"if-none-match", b"if-modified-since", b"range", b"if-range"),
    *(b"x-forwarded-for", b"forwarded"),
)
"""The headers that differ between the requests of one client or proxy."""

_NAME = rb"([a-z0-9]+(?:-[a-z0-9]+)*)"
_LINE = re.compile(
    rb"(GET|HEAD) (/simple/(?:%(name)b/)?|/(?:packages|simple)/%(name)b/([A-Za-z0-9_][A-Za-z0-9_.+!-]*))"
    rb" HTTP/1\.1(?=\r\n)" % {b"name": _NAME}
)
# Header lines that differ between the requests of one client or proxy. They are cut out of the block, so
# passwords are not remembered either.
_VARYING_LINE = re.compile(
    rb"\r\n(%b): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)(?=\r\n)" % b"|".join(VARYING), re.IGNORECASE
)


@frozen
class ParsedRequest:
    """The parts of a request."""

    method: bytes
    path: bytes
    name: str
    """The name of the project; empty for the index."""
    filename: str
    """The name of the file or sidecar file; empty for a page."""
    block: bytes
    """The header lines that are the same in every request."""
    credentials: bytes | None
    conditions: Conditions
    x_forwarded_for: Sequence[bytes]
    forwarded: Sequence[bytes]

    @classmethod
    def in_segment(cls, segment: bytes) -> ParsedRequest | None:
        """Parse a request for what may be cached. Return ``None`` for any other request."""
        match = _LINE.match(segment)
        if match is None:
            return None
        method, path, page, project, filename = match.groups()
        block, varying = _cut(segment[match.end() :])
        return cls(
            method,
            path,
            (page or project or b"").decode("ascii"),
            (filename or b"").decode("ascii"),
            block,
            varying.get(b"authorization", [None])[0],
            _conditions(varying) if varying else _NONE,
            varying.get(b"x-forwarded-for", ()),
            varying.get(b"forwarded", ()),
        )


_NONE = Conditions()


def _conditions(varying: Mapping[bytes, Sequence[bytes]]) -> Conditions:
    names = b"if-none-match", b"if-modified-since", b"range", b"if-range"
    return Conditions(*(varying[name][0].decode("ascii") if name in varying else None for name in names))


def header_lines(segment: bytes) -> tuple[bytes, Mapping[bytes, Sequence[bytes]]] | None:
    """Return the constant header lines of a request, and the values of those that vary.

    :returns: ``None`` if it is not a request for what may be cached.
    """
    match = _LINE.match(segment)
    return None if match is None else _cut(segment[match.end() :])


def _cut(lines: bytes) -> tuple[bytes, Mapping[bytes, Sequence[bytes]]]:
    """Split header lines into the constant lines and the values of the varying lines."""
    parts = _VARYING_LINE.split(lines)
    if len(parts) == 1:
        return lines, {}
    varying = {name.lower(): [value] for name, value in zip(parts[1::3], parts[2::3], strict=True)}
    # Repeated headers are left to the normal path, where their meaning is known.
    return (b"".join(parts[::3]), varying) if 3 * len(varying) + 1 == len(parts) else (lines, {})
