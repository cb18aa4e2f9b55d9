"""Headers of tars (POSIX.1-2001 "ustar" and "pax", and GNU), parsed with the same results as ``tarfile``.

``tarfile`` does not limit its headers, and takes ten times as long for each. A header that two readers
may understand in two ways is refused, even if ``tarfile`` accepts it.
"""

from __future__ import annotations

import re
import struct
from tarfile import (
    AREGTYPE,
    BLOCKSIZE,
    DIRTYPE,
    GNU_TYPES,
    GNUTYPE_LONGLINK,
    GNUTYPE_LONGNAME,
    GNUTYPE_SPARSE,
    SOLARIS_XHDTYPE,
    XGLTYPE,
    XHDTYPE,
)

from attrs import define, field, frozen

from pypid.archives.bounds import MAX_MEMBERS, Inflated
from pypid.errors import InvalidArchive

__all__ = ["Extended", "Header", "parse_header", "size_of"]

MAX_EXTENDED_HEADER = 1_000_000
MAX_RECORDS = 10 * MAX_MEMBERS
"""The most records of all extended headers of an archive together."""
MAX_GLOBAL_HEADERS = 1_000

MALFORMED = "the archive has a malformed header"
SPARSE_OR_NEGATIVE = "the archive has a member that is sparse or of negative size"
TWICE = "the archive says the same of a member twice"

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s64s8s8s155s12s")
_CHECKSUM = slice(148, 156)
_HIGH_BYTES_ONLY = bytes(range(128))
_POSIX_MAGIC = b"ustar\0"
_RECORD_LENGTH = re.compile(rb"([0-9]{1,7}) ")
_SIZE = re.compile(r"-?[0-9]{1,25}")
_GNU_NAMES = {GNUTYPE_LONGNAME: "path", GNUTYPE_LONGLINK: "linkpath"}
_PAX = (XHDTYPE, SOLARIS_XHDTYPE)
_TOLD = {b"path": "path", b"linkpath": "linkpath", b"size": "size"}


@frozen
class Header:
    """The header of a member."""

    name: str
    """Its name; bytes that are not UTF-8 are surrogates."""
    kind: bytes
    """Its type flag, one byte."""
    size: int
    """Its length in bytes."""
    target: str
    """Its target, if it is a link."""


def parse_header(block: bytes) -> Header:
    """Parse a header, as :meth:`tarfile.TarInfo.frombuf` does.

    :raises InvalidArchive: the header is invalid for ``tarfile``, or ambiguous.
    :raises EOFError: it is cut short.
    """
    if len(block) < BLOCKSIZE:
        raise EOFError
    fields = _FIELDS.unpack(block)
    name, mode, uid, gid, size, time, checksum, kind, target, magic, _, major, minor, prefix, _ = fields
    for number in (mode, uid, gid, time, major, minor):
        _number(number)
    if _number(checksum) not in _checksums(block):
        raise InvalidArchive(MALFORMED)
    text = _string(name)
    if kind == AREGTYPE and text.endswith("/"):
        kind = DIRTYPE
    if prefix[0] and kind not in GNU_TYPES:
        if not magic.startswith(_POSIX_MAGIC):  # other readers then read times from this field, or ignore it
            raise InvalidArchive("the archive has a member that not all see under one name")
        text = f"{_string(prefix)}/{text}"
    return Header(text, kind, _number(size), _string(target))


@define
class Extended:
    """The extended headers before a member (GNU's long names, and "x" of pax)."""

    _said: dict[str, str] = field(factory=dict, init=False)
    _kinds: set[bytes] = field(factory=set, init=False)
    _records: int = field(default=0, init=False)
    _globals: int = field(default=0, init=False)

    def add(self, stream: Inflated, header: Header) -> bool:
        """Read the data of an extended header, and return whether ``header`` is one.

        :raises InvalidArchive: it is malformed, too long, or repeats a value.
        """
        if header.kind == XGLTYPE:
            self._add_global(stream, header)
        elif header.kind in _PAX:
            self._add(XHDTYPE, self._pax(_data(stream, header)))
        elif header.kind in _GNU_NAMES:
            name, _, rest = _data(stream, header).partition(b"\0")
            if not name or rest.strip(b"\0"):
                raise InvalidArchive(MALFORMED)
            self._add(header.kind, {_GNU_NAMES[header.kind]: _text(name)})
        else:
            return False
        return True

    def take(self) -> dict[str, str]:
        """Return ``path``, ``linkpath`` and ``size`` of the next member, as far as given, and reset."""
        if not self._kinds:
            return {}
        said, self._said = self._said, {}
        self._kinds.clear()
        return said

    def check_end(self) -> None:
        """Check that no extended header is left. :raises InvalidArchive: the archive ends after one."""
        if self._kinds:
            raise InvalidArchive("the archive ends after a header that no member follows")

    def _add(self, kind: bytes, said: dict[str, str]) -> None:
        # Of two values, tarfile uses the first, GNU tar the last, and others none.
        if kind in self._kinds or not self._said.keys().isdisjoint(said):
            raise InvalidArchive(TWICE)
        self._kinds.add(kind)
        self._said |= said

    def _add_global(self, stream: Inflated, header: Header) -> None:
        self._globals += 1
        if self._globals > MAX_GLOBAL_HEADERS:
            raise InvalidArchive(f"the archive has more than {MAX_GLOBAL_HEADERS} headers for all members")
        if self._kinds:
            raise InvalidArchive("the archive has a header for all members between a member and its own")
        if self._pax(_data(stream, header)):
            raise InvalidArchive("the archive gives all its members one name or size")

    def _pax(self, data: bytes) -> dict[str, str]:
        """Parse the records of a pax header, each ``<its length> <keyword>=<value>`` and a line feed."""
        said: dict[str, str] = {}
        start = 0
        while start < len(data):
            length = _RECORD_LENGTH.match(data, start)
            end = start + int(length[1]) if length is not None else 0
            if length is None or not length.end() < end <= len(data) or data[end - 1] != 0x0A:
                raise InvalidArchive(MALFORMED)
            keyword, equals, value = data[length.end() : end - 1].partition(b"=")
            if not (keyword and equals):
                raise InvalidArchive(MALFORMED)
            if keyword in _TOLD:
                if not value or _TOLD[keyword] in said:
                    raise InvalidArchive(TWICE)
                said[_TOLD[keyword]] = _text(value)
            elif keyword.startswith(b"GNU.sparse."):
                raise InvalidArchive(SPARSE_OR_NEGATIVE)
            self._records += 1
            start = end
        if self._records > MAX_RECORDS:
            raise InvalidArchive(f"the archive has more than {MAX_RECORDS} records in its headers")
        return said


def size_of(header: Header, said: str | None) -> int:
    """Return the size of a member.

    :param said: the size in a pax header, if there is one.
    :raises InvalidArchive: the size is negative, or the headers disagree.
    """
    if said is not None and _SIZE.fullmatch(said) is None:
        raise InvalidArchive(MALFORMED)
    size = int(said) if said is not None else header.size
    if min(size, header.size) < 0 or header.kind == GNUTYPE_SPARSE:
        raise InvalidArchive(SPARSE_OR_NEGATIVE)
    if header.size not in (0, size):  # a size that is too large for the header is 0 there
        raise InvalidArchive("the archive says two sizes of one member")
    return size


def _data(stream: Inflated, header: Header) -> bytes:
    if header.size < 0:
        raise InvalidArchive(SPARSE_OR_NEGATIVE)
    if header.size > MAX_EXTENDED_HEADER:
        raise InvalidArchive(f"the archive has a header longer than {MAX_EXTENDED_HEADER} bytes")
    data = stream.read(header.size + -header.size % BLOCKSIZE)
    # tarfile also parses the bytes between the end of a header and the end of the block.
    if data[header.size :].strip(b"\0"):
        raise InvalidArchive(MALFORMED)
    return data[: header.size]


def _number(data: bytes) -> int:
    """Return a number in octal digits, or in GNU's base 256."""
    digits = data.partition(b"\0")[0].strip()
    if not digits.strip(b"01234567"):
        return int(digits or b"0", 8)
    if data[0] in (0x80, 0xFF):
        return int.from_bytes(data[1:], "big") - (256 ** (len(data) - 1) if data[0] == 0xFF else 0)
    raise InvalidArchive(MALFORMED)


def _checksums(block: bytes) -> tuple[int, int]:
    """Return the sums of a header's unsigned and signed bytes, with spaces in place of the checksum."""
    rest = block[: _CHECKSUM.start] + block[_CHECKSUM.stop :]
    total = sum(rest) + 8 * ord(" ")
    return total, total - 256 * len(rest.translate(None, _HIGH_BYTES_ONLY))


def _string(data: bytes) -> str:
    return _text(data.partition(b"\0")[0])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
