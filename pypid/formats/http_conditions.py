"""Conditional and range requests: what their headers ask for (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_tz

from attrs import frozen

from pypid.errors import PypidError

__all__ = ["ByteRange", "Unsatisfiable", "not_modified", "select"]

MAX_DATE = 64

# Eighteen digits are an exabyte; whoever sends more of them gets the whole file.
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'"[^"]*"')


class Unsatisfiable(PypidError):
    """No byte of the file is in the range that was asked for, which makes a 416."""

    def __init__(self, length: int) -> None:
        super().__init__("the range begins behind the end of the file")
        self.content_range = b"bytes */%d" % length
        """The value of ``Content-Range`` for the answer."""


@frozen
class ByteRange:
    """A part of a file, which is never empty."""

    start: int
    """The offset of its first byte."""
    stop: int
    """The offset behind its last byte."""

    def content_range(self, length: int) -> bytes:
        """Give the value of ``Content-Range`` for this part of a file of ``length`` bytes."""
        return b"bytes %d-%d/%d" % (self.start, self.stop - 1, length)


def not_modified(
    etag: str | None, modified: int | None, if_none_match: str | None, if_modified_since: str | None
) -> bool:
    """Tell whether the client has the current content, which makes a 304 (section 13.2.2).

    :param etag: the content's strong tag, in its quotes, if it has one.
    :param modified: its ``Last-Modified`` in seconds since the epoch, if it has one.
    :param if_none_match: the header; tags are compared weakly. Where it is given the next is
        not looked at.
    :param if_modified_since: the header; anything but a date is ignored.
    """
    if if_none_match is not None:
        return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
    since = _seconds(if_modified_since)
    return modified is not None and since is not None and modified <= since


def select(
    range_header: str | None, if_range: str | None, length: int, etag: str | None, modified: int | None
) -> ByteRange | None:
    """Decide which part of a file a ``GET`` is to be answered with (sections 13.1.5 and 14.2).

    :param range_header: the ``Range`` header. Several ranges, other units and what is
        malformed are ignored.
    :param if_range: the header; a range is for those who have the same tag, or the very same date.
    :param length: the file's length in bytes.
    :param etag: its strong tag, in its quotes, if it has one.
    :param modified: its ``Last-Modified`` in seconds since the epoch, if it has one.
    :returns: the part, or ``None`` for the whole file and a 200.
    :raises Unsatisfiable: the range begins behind the file's end.
    """
    match = _RANGE.fullmatch(range_header or "")
    # There is no way to write a range of an empty file in Content-Range.
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
    """Tell whether the part of the file that the client has is still a part of it."""
    if if_range is None or if_range.strip() == etag:
        return True
    return modified is not None and _seconds(if_range) == modified


def _seconds(date: str | None) -> int | None:
    """Give the seconds since the epoch of an HTTP date in any of its forms (section 5.6.7)."""
    if date is None or len(date) > MAX_DATE:
        return None
    try:
        parsed = parsedate_tz(date)
        if parsed is None or parsed[9]:  # An HTTP date has no offset.
            return None
        return int(datetime(*parsed[:6], tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return None
