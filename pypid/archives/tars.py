"""The members of tars, in order."""

from __future__ import annotations

from collections.abc import Iterator
from tarfile import LNKTYPE, REGULAR_TYPES, SUPPORTED_TYPES, SYMTYPE

from attrs import define, field

from pypid.archives.bounds import MAX_MEMBERS, TOO_MANY, Inflated
from pypid.archives.tar_headers import Extended, parse_header, size_of
from pypid.errors import InvalidArchive

__all__ = ["TarMember", "members"]


@define
class TarMember:
    """A member; its data are the next bytes of the stream."""

    kind: bytes
    """Its type flag, one byte."""
    path: str
    """Its name; bytes that are not UTF-8 are surrogates."""
    target: str
    """Its target, if it is a link."""
    size: int
    """The length of its data in bytes, if it is a file."""
    _stream: Inflated
    _was_read: bool = field(default=False, init=False)

    @property
    def is_file(self) -> bool:
        """True if it is a regular file."""
        return self.kind in REGULAR_TYPES

    @property
    def is_symbolic_link(self) -> bool:
        """True if it is a symbolic link."""
        return self.kind == SYMTYPE

    @property
    def is_link(self) -> bool:
        """True if it is a link of either kind."""
        return self.kind in (SYMTYPE, LNKTYPE)

    def read(self) -> bytes:
        """Return its data."""
        self._was_read = True
        return self._stream.read(self.size)

    def skip(self) -> None:
        """Skip its data, unless they were read."""
        # Links, directories and devices have no data, whatever size the header has.
        if not self._was_read and (self.is_file or self.kind not in SUPPORTED_TYPES):
            self._stream.skip(self.size)


def members(stream: Inflated) -> Iterator[TarMember]:
    """Yield each member; the bytes after the last one stay unread.

    :raises InvalidArchive: the tar is empty, has too many members, or an ambiguous one.
    """
    count = 0
    extended = Extended()
    while (block := stream.read_block()).strip(b"\0"):
        header = parse_header(block)
        if extended.add(stream, header):
            continue
        count += 1
        if count > MAX_MEMBERS:
            raise InvalidArchive(TOO_MANY)
        said = extended.take()
        size = size_of(header, said.get("size"))
        path, target = said.get("path", header.name), said.get("linkpath", header.target)
        member = TarMember(header.kind, path, target, size, stream)
        yield member
        member.skip()
    extended.check_end()
    if not count:
        raise InvalidArchive("the archive is empty")
