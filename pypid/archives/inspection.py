"""The inspection of an uploaded archive, from its first byte to its last."""

from __future__ import annotations

from collections.abc import Sequence, Set
from tarfile import BLOCKSIZE, DIRTYPE, HeaderError, TarInfo
from typing import BinaryIO

from attrs import field, frozen

from pypid.archives.bounds import (
    MAX_INFLATED,
    MAX_METADATA,
    Inflated,
    Source,
    bounded,
    check_size,
    most_inflated,
)
from pypid.archives.compression import inflated
from pypid.archives.contents import Contents, MemberType
from pypid.archives.metadata_files import EGG_METADATA, is_sdist_metadata
from pypid.archives.tars import TarMember, members
from pypid.archives.wheels import inspect_wheel
from pypid.archives.zip_directory import end_of_zip
from pypid.archives.zips import Zip, open_zip
from pypid.errors import InvalidArchive
from pypid.names import ArchiveKind, Filename

__all__ = ["Inspection", "inspect"]

SECONDS = 10.0
MAX_TAIL = 22 + 0xFFFF
_MAGIC = {
    ".tar.Z": b"\x1f\x9d",
    ".exe": b"MZ",
    ".msi": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    ".rpm": b"\xed\xab\xee\xdb",
}


@frozen
class Inspection:
    """The result of the inspection of an archive that is not dangerous."""

    metadata: bytes | None
    """The core metadata, byte for byte; ``None`` for an old kind of archive without metadata."""
    oddities: Sequence[str]
    """Faults that are not dangerous; PyPI would refuse some of them."""
    directory: str = ""
    """The directory of the metadata: a wheel's ``.dist-info``, or the top-level directory of an sdist."""
    paths: Set[str] = field(default=frozenset(), repr=False)
    """The names of all members, without needless dots and slashes."""


def inspect(file: BinaryIO, name: Filename, seconds: float = SECONDS) -> Inspection:
    """Read a whole archive, and check that it agrees with its name for all readers.

    Unlike :func:`pypid.archives.core_metadata`, which is lenient, this
    accepts no archive that two readers may understand in two ways, or that is dangerous to
    extract. Blocks; to be called in a worker's thread.

    :param seconds: the limit of processor time.
    :raises InvalidArchive: the archive must not be published; the text has the first reason.
    :raises OSError: the file itself cannot be read.
    """
    return _inspect(file, seconds, name)


@bounded
def _inspect(source: Source, name: Filename) -> Inspection:
    for suffix, magic in _MAGIC.items():
        if name.filename.endswith(suffix):
            if source.read(len(magic)) != magic:
                raise InvalidArchive(f"the archive does not begin as a file of the kind {suffix} does")
            return Inspection(None, ())
    size = source.size
    stream = inflated(source, name.filename, min(MAX_INFLATED, most_inflated(size)))
    if stream is None:
        return _inspect_zip(source, name, size)
    inspection = _inspect_tar(stream, Contents(), name)
    tail_size = min(size, MAX_TAIL)
    if end_of_zip(source.read_at(size - tail_size, tail_size)) is not None:
        raise InvalidArchive("the archive is a zip, too")
    return inspection


def _inspect_zip(source: Source, name: Filename, size: int) -> Inspection:
    if _is_tar(source.read(BLOCKSIZE)):
        raise InvalidArchive("the archive is a tar, too")
    archive = open_zip(source)
    if sum(member.size for member in archive.members) > most_inflated(size):
        raise InvalidArchive("the archive inflates to more than is likely for one of its size")
    contents = Contents()
    for member in archive.members:
        contents.add(member.name, MemberType.DIRECTORY if member.is_directory else MemberType.FILE)
    oddities = [*archive.oddities, *contents.oddities()]
    if name.kind is ArchiveKind.WHEEL:
        directory, found, more = inspect_wheel(archive, contents, name)
        return Inspection(found, (*oddities, *more), directory, contents.paths.keys())
    if name.kind is ArchiveKind.EGG:
        return Inspection(_zip_metadata(archive, EGG_METADATA), oddities)
    metadata = _zip_metadata(archive, f"{_top(contents)}/PKG-INFO")
    return _sdist(metadata, contents, name, oddities)


def _zip_metadata(archive: Zip, path: str) -> bytes | None:
    found = [member for member in archive.members if member.name == path]
    return archive.read(found[0], MAX_METADATA, "metadata") if found else None


def _inspect_tar(stream: Inflated, contents: Contents, name: Filename) -> Inspection:
    metadata = None
    for member in members(stream):
        if member.is_file:
            path = contents.add(member.path, MemberType.FILE)
            if is_sdist_metadata(path):
                metadata = _read(member)
            continue
        if member.size:  # tarfile continues after the header, others after that many bytes
            raise InvalidArchive("the archive has a member that is no file and has a size")
        if member.is_link:
            contents.add(member.path, MemberType.LINK, member.target, is_symbolic=member.is_symbolic_link)
        elif member.kind == DIRTYPE:
            contents.add(member.path, MemberType.DIRECTORY)
        else:
            raise InvalidArchive("the archive has a member that is no file, no directory and no link")
    if not stream.is_all_zeros():
        raise InvalidArchive("the archive goes on after its end")
    return _sdist(metadata, contents, name, list(contents.oddities()))


def _read(member: TarMember) -> bytes:
    check_size(member.size)
    return member.read()


def _sdist(metadata: bytes | None, contents: Contents, name: Filename, oddities: Sequence[str]) -> Inspection:
    """Check that an sdist has its mandatory parts, and return its inspection (source distribution format)."""
    top = _top(contents)
    if metadata is None:
        raise InvalidArchive("the sdist has no PKG-INFO in its top-level directory")
    if not name.filename.startswith(f"{top}."):
        oddities = (*oddities, "the sdist's top-level directory is not named as the file")
    return Inspection(metadata, oddities, top, contents.paths.keys())


def _top(contents: Contents) -> str:
    top_names = contents.top_names
    if len(top_names) != 1:
        raise InvalidArchive("the sdist does not have one top-level directory with all that is in it")
    return top_names.pop()


def _is_tar(block: bytes) -> bool:
    try:
        TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except HeaderError:
        return False
    return True
