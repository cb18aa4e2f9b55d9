"""The directory at the end of a zip, which lists its members (APPNOTE.TXT 4.3.12 to 4.3.16)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from stat import S_IFDIR, S_IFREG

from attrs import frozen

from pypid.archives.bounds import MAX_MEMBERS, TOO_MANY, Source
from pypid.archives.zip_extras import DISAGREE, MAX16, MAX32, check_name, enlarged
from pypid.errors import InvalidArchive

__all__ = ["PATCHY", "ZipMember", "directory", "end_of_zip"]

_END = struct.Struct("<4s4H2IH")
_END64_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_ENCRYPTED = 0x2061  # the flags of three ways to encrypt, and of a patch to another file
_UNIX = 3
NEWEST = 63
"""The latest version of the zip format, times ten, that Python's ``zipfile`` reads."""

PATCHY = "the archive has bytes that belong to no member, or to two"
_BAD_END = "the archive does not end as a zip does, or goes on after its end"


@frozen
class ZipMember:
    """A member, described alike by the directory and by its own header."""

    name: str
    """Its name; bytes that are not UTF-8 are surrogates."""
    raw_name: bytes
    """The bytes of its name."""
    flags: int
    """Its general purpose bit flag."""
    method: int
    """Its method of compression."""
    checksum: int
    """The CRC-32 of its data."""
    compressed: int
    """The length of its compressed data in bytes."""
    size: int
    """The length of its data in bytes."""
    offset: int
    """The offset of its own header."""
    is_directory: bool
    """Whether it is a directory; otherwise it is a file."""
    has_comment: bool
    """Whether it has a comment in the directory."""


def end_of_zip(tail: bytes) -> int | None:
    """Return the offset of an end record of a zip that ends exactly where ``tail`` does, or ``None``."""
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(b"PK\5\6", 0, at)
    return None


def directory(source: Source) -> tuple[int, Sequence[ZipMember], bytes]:
    """Return the offset of the directory, its members, and the comment of the zip.

    :raises InvalidArchive: the directory is damaged, or readers may disagree on its place.
    """
    size = source.size
    tail = source.read_at(max(0, size - _END.size - MAX16), min(size, _END.size + MAX16))
    at = end_of_zip(tail)
    if at is None or tail.find(b"PK\5\6", at + 1) >= 0:
        raise InvalidArchive(_BAD_END)
    _, disk, first_disk, here, count, length, start, _ = _END.unpack_from(tail, at)
    stop = size - len(tail) + at
    said = (disk, first_disk, here, count, length, start)
    comment = tail[at + _END.size :]
    end = stop
    locator = source.read_at(max(0, stop - _END64_LOCATOR.size), min(stop, _END64_LOCATOR.size))
    if locator.startswith(b"PK\6\7"):
        end = stop - _END64_LOCATOR.size - _END64.size
        if _END64_LOCATOR.unpack(locator) != (b"PK\6\7", 0, end, 1):
            raise InvalidArchive(_BAD_END)
        signature, rest, _, _, *really = _END64.unpack(source.read_at(end, _END64.size))
        if (signature, rest) != (b"PK\6\6", _END64.size - 12):
            raise InvalidArchive(_BAD_END)
        limits = (MAX16,) * 4 + (MAX32,) * 2
        if any(one not in (other, limit) for one, other, limit in zip(said, really, limits, strict=True)):
            raise InvalidArchive(DISAGREE)
        disk, first_disk, here, count, length, start = really
    if count > MAX_MEMBERS:
        raise InvalidArchive(TOO_MANY)
    if (disk, first_disk, here) != (0, 0, count) or start + length != end:
        raise InvalidArchive(_BAD_END)
    return start, list(_central(source, start, end, count)), comment


def _central(source: Source, start: int, stop: int, count: int) -> Iterator[ZipMember]:
    """Yield the members in the directory, which is between two offsets.

    :raises InvalidArchive: an entry is malformed, encrypted, or neither a file nor a directory.
    """
    data = source.read_at(start, stop - start)
    at = 0
    for _ in range(count):
        source.check_time()
        head = _CENTRAL.unpack_from(data, at)
        signature, made_by, needed, flags, method, _, _, checksum, compressed, size = head[:10]
        name_size, extra_size, comment_size, disk, _, attributes, offset = head[10:]
        at += _CENTRAL.size
        name = data[at : at + name_size]
        extra = data[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        if signature != b"PK\1\2" or at > len(data):
            raise InvalidArchive(_BAD_END)
        size, compressed, offset, disk = enlarged(
            extra, (size, MAX32), (compressed, MAX32), (offset, MAX32), (disk, MAX16)
        )
        if needed & 0xFF > NEWEST:
            raise InvalidArchive("the archive needs a later version of the zip format than installers know")
        mode = attributes >> 28 << 12 if made_by >> 8 == _UNIX else 0
        if flags & _ENCRYPTED or disk:
            raise InvalidArchive("the archive is encrypted, or one of several volumes")
        if mode not in (0, S_IFREG, S_IFDIR):
            raise InvalidArchive("the archive has a member that is neither a file nor a directory")
        check_name(name, extra)
        text = name.decode("utf-8", "surrogateescape")
        is_directory = name.endswith(b"/")
        if mode and is_directory != (mode == S_IFDIR):
            raise InvalidArchive(DISAGREE)
        yield ZipMember(
            text,
            name,
            flags,
            method,
            checksum,
            compressed,
            size,
            offset,
            is_directory=is_directory,
            has_comment=comment_size > 0,
        )
    if at != len(data):
        raise InvalidArchive(PATCHY)
