"""The members of tars ("pax" of POSIX.1-2001, and GNU's ways), one after the other.

``tarfile`` has no bounds to its headers and is not used beyond taking one apart.
"""

from __future__ import annotations

import io
from bz2 import BZ2File
from collections.abc import Iterator
from gzip import GzipFile
from tarfile import (
    GNUTYPE_LONGLINK,
    GNUTYPE_LONGNAME,
    GNUTYPE_SPARSE,
    SOLARIS_XHDTYPE,
    SUPPORTED_TYPES,
    XGLTYPE,
    XHDTYPE,
    TarInfo,
)

from attrs import define, field

from pypid.archives.bounds import CHUNK, MAX_INFLATED, MAX_MEMBERS, TOO_MANY, Inflated, Source, XZFile
from pypid.errors import InvalidArchive

__all__ = ["TarMember", "inflated", "members"]

MAX_EXTENDED_HEADER = 1_000_000
_NAMES = {GNUTYPE_LONGNAME: "path", GNUTYPE_LONGLINK: "linkpath"}


def inflated(source: Source, filename: str, limit: int = MAX_INFLATED) -> Inflated | None:
    """Give the tar in an archive, or ``None`` if its name is not that of a tar that can be inflated."""
    stream: io.BufferedIOBase
    if filename.endswith((".tar.gz", ".tgz")):
        stream = GzipFile(fileobj=source, mode="rb")
    elif filename.endswith(".tar.bz2"):
        stream = BZ2File(source)
    elif filename.endswith(".tar.xz"):
        stream = io.BufferedReader(XZFile(source), CHUNK)
    else:
        return None
    return Inflated(stream, source, limit)


@define
class TarMember:
    """A member whose data come next."""

    header: TarInfo
    """What its own header says."""
    path: str
    """Its name; bytes that are not UTF-8 are surrogates."""
    target: str
    """What it leads to, if it is a link."""
    size: int
    """How many bytes follow."""
    _stream: Inflated
    _read: bool = field(default=False, init=False)

    def read(self) -> bytes:
        """Give its data."""
        self._read = True
        return self._stream.read(self.size)

    def skip(self) -> None:
        """Go past its data, unless they were read."""
        # Links and their kin have none, whatever size they are given.
        if not self._read and (self.header.isreg() or self.header.type not in SUPPORTED_TYPES):
            self._stream.skip(self.size)


def members(stream: Inflated) -> Iterator[TarMember]:
    """Give each member; what follows the last one is still unread.

    :raises InvalidArchive: it is empty, has too many, or has one that readers may disagree upon.
    """
    count = 0
    extended: dict[str, str] = {}
    while (block := stream.read_block()).strip(b"\0"):
        header = TarInfo.frombuf(block, "utf-8", "surrogateescape")
        size = int(extended.get("size", header.size))
        if min(size, header.size) < 0 or header.type == GNUTYPE_SPARSE or "sparse" in extended:
            raise InvalidArchive("the archive has a member that is sparse or of negative size")
        if header.type in (XHDTYPE, SOLARIS_XHDTYPE, XGLTYPE, *_NAMES):
            said = _extended_header(stream, header)
            if header.type != XGLTYPE:
                extended |= said
            elif said:
                raise InvalidArchive("the archive gives all its members one name or size")
            continue
        count += 1
        if count > MAX_MEMBERS:
            raise InvalidArchive(TOO_MANY)
        path, target = extended.get("path", header.name), extended.get("linkpath", header.linkname)
        member = TarMember(header, path, target, size, stream)
        yield member
        member.skip()
        extended = {}
    if not count:
        raise InvalidArchive("the archive is empty")


def _extended_header(stream: Inflated, header: TarInfo) -> dict[str, str]:
    """Read what a header of GNU's or of pax says of the members after it."""
    if header.size > MAX_EXTENDED_HEADER:
        raise InvalidArchive(f"the archive has a header longer than {MAX_EXTENDED_HEADER} bytes")
    data = stream.read(header.size)
    if header.type in _NAMES:
        return {_NAMES[header.type]: _text(data.partition(b"\0")[0])}
    records = {}
    start = 0
    while start < len(data):
        # A record is "<its length> <keyword>=<value>\n".
        space = data.index(b" ", start, start + 20)
        end = start + int(data[start:space])
        if not space < end <= len(data):
            raise InvalidArchive("the archive has a malformed header")
        keyword, _, value = data[space + 1 : end - 1].partition(b"=")
        if keyword in (b"path", b"linkpath", b"size"):
            records[keyword.decode()] = _text(value)
        elif keyword.startswith(b"GNU.sparse."):
            records["sparse"] = ""
        start = end
    return records


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
