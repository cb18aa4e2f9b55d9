"""The headers of conditional and range requests (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_tz

from attrs import frozen

from pypid.errors import PypidError

__all__ = ["ByteRange", "Conditions", "Unsatisfiable", "not_modified", "select"]

MAX_DATE = 64

# Eighteen digits are an exabyte; a header with more digits is ignored.
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'"[^"]*"')


class Unsatisfiable(PypidError):
    """No byte of the file is in the requested range; the answer is a 416."""

    def __init__(self, length: int) -> None:
        super().__init__("the range begins behind the end of the file")
        self.content_range = b"bytes */%d" % length
        """The value of ``Content-Range`` for the answer."""


@frozen
class Conditions:
    """The headers of a request that decide what of a file is sent; ``None`` for each that is missing."""

    none_match: str | None = None
    """The header ``If-None-Match``."""
    modified_since: str | None = None
    """The header ``If-Modified-Since``."""
    range: str | None = None
    """The header ``Range``."""
    if_range: str | None = None
    """The header ``If-Range``."""


@frozen
class ByteRange:
    """A part of a file; never empty."""

    start: int
    """The offset of its first byte."""
    stop: int
    """The offset after its last byte."""

    def content_range(self, length: int) -> bytes:
        """Return the value of ``Content-Range`` for this part of a file of ``length`` bytes."""
        return b"bytes %d-%d/%d" % (self.start, self.stop - 1, length)


def not_modified(
    etag: str | None, modified: int | None, if_none_match: str | None, if_modified_since: str | None
) -> bool:
    """Return whether the client has the current content; the answer is then a 304 (section 13.2.2).

    :param etag: the content's strong tag, in its quotes, if it has one.
    :param modified: its ``Last-Modified`` in seconds since the epoch, if it has one.
    :param if_none_match: the header; tags are compared weakly. If it is given, ``if_modified_since`` is
        ignored.
    :param if_modified_since: the header; ignored unless it is a date.
    """
    if if_none_match is not None:
        return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
    since = _seconds(if_modified_since)
    return modified is not None and since is not None and modified <= since


def select(
    range_header: str | None, if_range: str | None, length: int, etag: str | None, modified: int | None
) -> ByteRange | None:
    """Return the part of a file with which a ``GET`` is answered (sections 13.1.5 and 14.2).

    :param range_header: the ``Range`` header. Several ranges, other units and malformed headers are
        ignored.
    :param if_range: the header; the range is ignored unless this is the current tag, or the exact date.
    :param length: the file's length in bytes.
    :param etag: its strong tag, in its quotes, if it has one.
    :param modified: its ``Last-Modified`` in seconds since the epoch, if it has one.
    :returns: the part, or ``None`` for the whole file and a 200.
    :raises Unsatisfiable: the range begins after the file's end.
    """
    match = _RANGE.fullmatch(range_header or "")
    # Content-Range cannot express a range of an empty file.
    if match is None or not length or not _unchanged(if_range, etag, modified):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    if first:
        start, stop = int(first), min(int(last) + 1, length) if last else length
    elif last:
        start, stop = max(length - int(last), 0), length
    else:
        return None
    if start >= length:
        raise Unsatisfiable(length)
    return ByteRange(start, stop)


def _unchanged(if_range: str | None, etag: str | None, modified: int | None) -> bool:
    """Return whether the file is still the one that ``If-Range`` names; true without that header."""
    if if_range is None or if_range.strip() == etag:
        return True
    return modified is not None and _seconds(if_range) == modified


def _seconds(date: str | None) -> int | None:
    """Return the seconds since the epoch of an HTTP date in any of its forms (section 5.6.7), or ``None``."""
    if date is None or len(date) > MAX_DATE:
        return None
    try:
        parsed = parsedate_tz(date)
        if parsed is None or parsed[9]:  # An HTTP date has no offset.
            return None
        return int(datetime(*parsed[:6], tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return None
