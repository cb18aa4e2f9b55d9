"""Core metadata out of distribution archives, of which anything must be expected.

Archives are read where they lie, within bounds, and never extracted to disk. Python's own
``zipfile`` inflates within bounds, but lists whatever a file makes it list. ``tarfile`` has no
bounds to its headers and is not used beyond taking one apart.
"""

from __future__ import annotations

import io
import lzma
from bz2 import BZ2File
from collections.abc import Callable
from gzip import GzipFile
from tarfile import (
    BLOCKSIZE,
    GNUTYPE_LONGLINK,
    GNUTYPE_LONGNAME,
    GNUTYPE_SPARSE,
    SOLARIS_XHDTYPE,
    SUPPORTED_TYPES,
    XGLTYPE,
    XHDTYPE,
    TarInfo,
)
from time import monotonic
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from packaging.utils import canonicalize_version

from pypid.errors import InvalidArchive, PypidError
from pypid.names import ArchiveKind, Filename, is_name, normalize

__all__ = ["core_metadata"]

MAX_METADATA = 2_000_000
MAX_MEMBERS = 50_000
MAX_INFLATED = 2 << 30
MAX_EXTENDED_HEADER = 1_000_000
MAX_ZIP_READ = 16 << 20  # room for the directory of 50,000 members with names of 250 characters
MAX_XZ_MEMORY = 128 << 20  # "xz -9" needs 65 MiB
CHUNK = 1 << 16

_ZIP_DIRECTORY_ENTRY = b"PK\1\2"
_TOO_MANY = f"the archive has more than {MAX_MEMBERS} members"
_UNREADABLE = "the archive cannot be read: it is damaged, or not of the kind that its name says"


def core_metadata(file: BinaryIO, name: Filename, seconds: float = 10.0) -> bytes | None:
    """Give the core metadata of a distribution archive, byte for byte.

    That is ``<name>-<version>.dist-info/METADATA`` of a wheel, ``<directory>/PKG-INFO`` of an
    sdist and ``EGG-INFO/PKG-INFO`` of an egg. An sdist that is a tar is read up to there and
    no further. Blocks; to be called in a worker's thread.

    :param file: the archive, opened for reading and at its beginning.
    :param name: what its file name says; decides which kind of archive it has to be.
    :param seconds: how long the reading may take.
    :returns: the metadata, or ``None`` for a kind of archive that has none and for an old
        sdist or egg that comes without.
    :raises InvalidArchive: it does not open as its kind, is a wheel without metadata, has them
        more than once, or is beyond a bound.
    :raises OSError: the file itself cannot be read.
    """
    source = _Source(file, seconds)
    try:
        return _read_metadata(source, name)
    except PypidError:
        raise
    except Exception as error:
        if source.failure is not None:
            raise source.failure from None
        # Damaged archives make zipfile and the codecs raise far more than they document.
        raise InvalidArchive(_UNREADABLE) from error


class _Source(io.RawIOBase):
    """An archive's file, read as long as there is time, and as far as ``zipfile`` may go.

    ``zipfile`` reads the directory at one go, of whatever length, and only then takes it
    apart; it does not care how many members there should be.
    """

    def __init__(self, file: BinaryIO, seconds: float) -> None:
        self._file = file
        self._seconds = seconds
        self._deadline = monotonic() + seconds
        self.failure: OSError | None = None  # zipfile would take it for a fault of the archive

    def check_time(self) -> None:
        if monotonic() > self._deadline:
            raise InvalidArchive(f"the archive takes more than {self._seconds:g} seconds to read")

    def read(self, size: int = -1) -> bytes:
        self.check_time()
        if size > MAX_ZIP_READ:
            raise InvalidArchive("the archive has a directory that is too long")
        try:
            data = self._file.read(size)
        except OSError as error:
            self.failure = error
            raise
        if data.count(_ZIP_DIRECTORY_ENTRY) > MAX_MEMBERS:
            raise InvalidArchive(_TOO_MANY)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _read_metadata(source: _Source, name: Filename) -> bytes | None:
    """Choose how to read by what the file name says the archive is."""
    if name.kind is ArchiveKind.WHEEL:
        metadata = _zip_metadata(source, lambda path: _is_wheel_metadata(path, name))
        if metadata is None:
            raise InvalidArchive(
                "the wheel has no METADATA in a .dist-info directory of its name and version"
            )
        return metadata
    if name.kind is ArchiveKind.EGG:
        return _zip_metadata(source, lambda path: path == "EGG-INFO/PKG-INFO")
    if name.kind is ArchiveKind.SDIST:
        if name.filename.endswith(".zip"):
            return _zip_metadata(source, _is_sdist_metadata)
        if name.filename.endswith((".tar.gz", ".tgz")):
            return _tar_metadata(_Inflated(GzipFile(fileobj=source, mode="rb"), source))
        if name.filename.endswith(".tar.bz2"):
            return _tar_metadata(_Inflated(BZ2File(source), source))
        if name.filename.endswith(".tar.xz"):
            return _tar_metadata(_Inflated(io.BufferedReader(_XZFile(source), CHUNK), source))
    return None


def _is_wheel_metadata(path: str, name: Filename) -> bool:
    """Tell whether a wheel's member is its METADATA; directories are spelled in many ways."""
    stem = path.removesuffix(".dist-info/METADATA")
    if stem == path or "/" in stem:
        return False
    project, _, version = stem.rpartition("-")
    if not is_name(project) or normalize(project) != name.project:
        return False
    return canonicalize_version(version) == canonicalize_version(name.version)


def _is_sdist_metadata(path: str) -> bool:
    """Tell whether an sdist's member is the PKG-INFO of its top-level directory."""
    directory, _, rest = path.removeprefix("./").partition("/")
    return rest == "PKG-INFO" and directory not in ("", ".", "..")


def _zip_metadata(source: _Source, is_metadata: Callable[[str], bool]) -> bytes | None:
    """Read the one member that ``is_metadata`` says is the one, or give ``None``."""
    with ZipFile(source) as archive:
        found = [member for member in archive.infolist() if is_metadata(member.filename)]
        if not found:
            return None
        if len(found) > 1:
            raise InvalidArchive("the archive has its metadata more than once")
        return _zip_member(archive, found[0])


def _zip_member(archive: ZipFile, member: ZipInfo) -> bytes:
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # others are inflated without bounds
        raise InvalidArchive("the archive has its metadata compressed by other means than deflate")
    _check_size(member.file_size)
    with archive.open(member) as stream:
        return stream.read(MAX_METADATA)


def _check_size(size: int) -> None:
    if size > MAX_METADATA:
        raise InvalidArchive(f"the archive has metadata longer than {MAX_METADATA} bytes")


class _XZFile(io.RawIOBase):
    """Inflates what xz made, as :class:`lzma.LZMAFile` does, but with a limit to its memory."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._lzma = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data and not self._lzma.eof:
            compressed = self._source.read(CHUNK) if self._lzma.needs_input else b""
            if self._lzma.needs_input and not compressed:
                raise EOFError
            data = self._lzma.decompress(compressed, len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Inflated:
    """The bytes of a tar, inflated: read only forwards, and not too many."""

    def __init__(self, stream: io.BufferedIOBase, source: _Source) -> None:
        self._stream = stream
        self._source = source
        self._left = MAX_INFLATED

    def read_block(self) -> bytes:
        """Give the next header, or nothing at the end."""
        return self._read(BLOCKSIZE)

    def read(self, size: int) -> bytes:
        """Give the data of a member, and go on to the next header."""
        data = self._read_exactly(size)
        self._read_exactly(-size % BLOCKSIZE)
        return data

    def skip(self, size: int) -> None:
        """Go past the data of a member, to the next header."""
        size += -size % BLOCKSIZE
        self._check_left(size)
        while size:
            size -= len(self._read_exactly(min(size, CHUNK)))

    def _read(self, size: int) -> bytes:
        self._source.check_time()
        self._check_left(size)
        self._left -= size
        return self._stream.read(size)

    def _check_left(self, size: int) -> None:
        if size > self._left:
            raise InvalidArchive(f"the archive inflates to more than {MAX_INFLATED >> 30} GiB")

    def _read_exactly(self, size: int) -> bytes:
        data = self._read(size)
        if len(data) < size:
            raise EOFError
        return data


def _tar_metadata(stream: _Inflated) -> bytes | None:
    """Read the first PKG-INFO that lies one directory deep ("pax" of POSIX.1-2001, and GNU's ways)."""
    members = 0
    extended: dict[str, str] = {}
    while (block := stream.read_block()).strip(b"\0"):
        header = TarInfo.frombuf(block, "utf-8", "replace")
        size = int(extended.get("size", header.size))
        if min(size, header.size) < 0 or header.type == GNUTYPE_SPARSE:
            raise InvalidArchive("the archive has a member that is sparse or of negative size")
        if header.type in (XHDTYPE, SOLARIS_XHDTYPE, GNUTYPE_LONGNAME):
            extended |= _extended_header(stream, header)
            continue
        if header.type in (XGLTYPE, GNUTYPE_LONGLINK):
            stream.skip(header.size)
            continue
        members += 1
        if members > MAX_MEMBERS:
            raise InvalidArchive(_TOO_MANY)
        if header.isreg() and _is_sdist_metadata(extended.get("path", header.name)):
            _check_size(size)
            return stream.read(size)
        if header.isreg() or header.type not in SUPPORTED_TYPES:  # links and their kin have no data
            stream.skip(size)
        extended = {}
    if not members:
        raise InvalidArchive("the archive is empty")
    return None


def _extended_header(stream: _Inflated, header: TarInfo) -> dict[str, str]:
    """Read what a header of GNU's or of pax says of the member after it."""
    if header.size > MAX_EXTENDED_HEADER:
        raise InvalidArchive(f"the archive has a header longer than {MAX_EXTENDED_HEADER} bytes")
    data = stream.read(header.size)
    if header.type == GNUTYPE_LONGNAME:
        return {"path": data.partition(b"\0")[0].decode("utf-8", "replace")}
    records = {}
    start = 0
    while start < len(data):
        # A record is "<its length> <keyword>=<value>\n".
        space = data.index(b" ", start, start + 20)
        end = start + int(data[start:space])
        if not space < end <= len(data):
            raise InvalidArchive("the archive has a malformed header")
        keyword, _, value = data[space + 1 : end - 1].partition(b"=")
        if keyword in (b"path", b"size"):
            records[keyword.decode()] = value.decode("utf-8", "replace")
        start = end
    return records
