"""Zips parsed to the last byte, so that all readers see the same members.

A zip describes its members twice, and readers disagree on which description counts, so an attacker
could show an index another archive than an installer. So each byte must belong to the
directory at the end or to exactly one member, and both must agree (APPNOTE.TXT 4.3).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from zipfile import ZIP_DEFLATED, ZIP_STORED

from attrs import frozen

from pypid.archives.bounds import CHUNK, Source, check_size
from pypid.archives.zip_directory import PATCHY, ZipMember, directory
from pypid.archives.zip_extras import DISAGREE, MAX32, check_name, enlarged, extra_oddities
from pypid.errors import InvalidArchive

__all__ = ["Zip", "open_zip"]

_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIPTORS = (struct.Struct("<3I"), struct.Struct("<I2Q"))
_DESCRIPTOR_SIGNATURE = b"PK\7\10"
_DESCRIBED_LATER = 0x8
_UTF8 = 0x800


@frozen
class Zip:
    """A parsed zip that is sound."""

    source: Source
    """The file with its bytes."""
    members: Sequence[ZipMember]
    """Its members, in the order of their bytes."""
    oddities: Sequence[str]
    """Faults that are not dangerous, but trouble some readers."""

    def read(self, member: ZipMember, limit: int, what: str) -> bytes:
        """Return the data of a member. :raises InvalidArchive: it is too long, or damaged."""
        check_size(member.size, limit, what)
        if member.method not in (ZIP_STORED, ZIP_DEFLATED):  # others are inflated without bounds
            raise InvalidArchive(f"the archive has {what} compressed by other means than deflate")
        data = b"".join(_inflate(self.source, member, _data_at(self.source, member)))
        if len(data) != member.size or zlib.crc32(data) != member.checksum:
            raise InvalidArchive(f"the archive has {what} that is damaged")
        return data


def open_zip(source: Source) -> Zip:
    """Parse a zip.

    :raises InvalidArchive: readers may disagree on its members, or it is encrypted.
    :raises Exception: the file is not a zip, or damaged; :func:`pypid.archives.bounds.bounded` handles that.
    """
    start, unsorted, comment = directory(source)
    members = sorted(unsorted, key=lambda member: member.offset)
    if not members:
        raise InvalidArchive("the archive is empty")
    oddities = dict.fromkeys(["the archive has a comment"] if comment else [])
    ends = [member.offset for member in members[1:]] + [start]
    if members[0].offset != 0:
        raise InvalidArchive(PATCHY)
    for member, end in zip(members, ends, strict=True):
        oddities |= dict.fromkeys(_check_local(source, member, end))
    if any(member.has_comment for member in members):
        oddities["the archive has members with comments"] = None
    if any(member.flags & _DESCRIBED_LATER for member in members):
        oddities["the archive says how long its members are only behind them"] = None
    if any(member.method not in (ZIP_STORED, ZIP_DEFLATED) for member in members):
        oddities["the archive has members compressed by other means than deflate"] = None
    if any(not member.flags & _UTF8 and not member.raw_name.isascii() for member in members):
        oddities["the archive has names of members that do not say how they are encoded"] = None
    return Zip(source, members, tuple(oddities))


def _check_local(source: Source, member: ZipMember, end: int) -> Sequence[str]:
    """Check that a member's own header agrees with the directory, and that its bytes reach up to ``end``.

    :returns: the oddities of the header.
    :raises InvalidArchive: they disagree, or there are bytes between the members.
    """
    signature, _, flags, method, _, _, checksum, compressed, size, name_size, extra_size = _LOCAL.unpack(
        source.read_at(member.offset, _LOCAL.size)
    )
    rest = source.read(name_size + extra_size)
    name, extra = rest[:name_size], rest[name_size:]
    alone = compressed, size
    size, compressed = enlarged(extra, (size, MAX32), (compressed, MAX32))
    here = (signature, flags, method, name)
    if here != (b"PK\3\4", member.flags, member.method, member.raw_name):
        raise InvalidArchive(DISAGREE)
    check_name(name, extra)
    said, really = (checksum, compressed, size), (member.checksum, member.compressed, member.size)
    data = member.offset + _LOCAL.size + name_size + extra_size
    after = end - data - member.compressed
    if member.method == ZIP_STORED and member.size != member.compressed:
        raise InvalidArchive(DISAGREE)
    if not flags & _DESCRIBED_LATER:
        if said != really:
            raise InvalidArchive(DISAGREE)
        if after:
            raise InvalidArchive(PATCHY)
        sizes = member.compressed, member.size
        return list(extra_oddities(extra, method, alone, sizes)) if extra else ()
    if said not in ((0, 0, 0), really) or not _is_descriptor(source, end, after, really):
        raise InvalidArchive(DISAGREE)
    if member.compressed and member.method != ZIP_DEFLATED:
        raise InvalidArchive("the archive has a member of which only its directory tells the end")
    # A reader that starts at the beginning finds the end of the data only by inflating them.
    if member.compressed and sum(map(len, _inflate(source, member, data))) != member.size:
        raise InvalidArchive(DISAGREE)
    return ()


def _is_descriptor(source: Source, end: int, size: int, said: tuple[int, int, int]) -> bool:
    """Return whether the ``size`` bytes before ``end`` are a data descriptor, in one of its four forms."""
    if not 0 < size <= len(_DESCRIPTOR_SIGNATURE) + _DESCRIPTORS[1].size:
        return False
    found = source.read_at(end - size, size)
    packed = [form.pack(*said) for form in _DESCRIPTORS if form is _DESCRIPTORS[1] or max(said) <= MAX32]
    return found in packed or found in [_DESCRIPTOR_SIGNATURE + one for one in packed]


def _data_at(source: Source, member: ZipMember) -> int:
    *_, name_size, extra_size = _LOCAL.unpack(source.read_at(member.offset, _LOCAL.size))
    return member.offset + _LOCAL.size + int(name_size) + int(extra_size)


def _inflate(source: Source, member: ZipMember, data: int) -> Iterator[bytes]:
    """Yield the data of a member in pieces. :raises InvalidArchive: its length differs from the directory."""
    source.seek(data)
    left, size = member.compressed, 0
    if member.method == ZIP_STORED:
        yield source.read_at(data, left)
        return
    inflater = zlib.decompressobj(-15)
    while not inflater.eof:
        piece = inflater.unconsumed_tail
        if not piece:
            piece = source.read(min(CHUNK, left))
            left -= len(piece)
        inflated = inflater.decompress(piece, CHUNK)
        size += len(inflated)
        if size > member.size or not (piece or inflated):
            raise InvalidArchive(DISAGREE)
        yield inflated
    if left or inflater.unused_data:
        raise InvalidArchive(DISAGREE)
