"""Core metadata from distribution archives of any age and any tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from packaging.utils import canonicalize_version

from pypid.archives.bounds import MAX_METADATA, Source, bounded, check_size
from pypid.archives.compression import inflated
from pypid.archives.tars import members
from pypid.errors import InvalidArchive
from pypid.names import ArchiveKind, Filename, is_name, normalize

__all__ = ["EGG_METADATA", "core_metadata", "is_sdist_metadata", "is_wheel_metadata"]

EGG_METADATA = "EGG-INFO/PKG-INFO"
"""The path of the metadata in an egg."""


def core_metadata(file: BinaryIO, name: Filename, seconds: float = 10.0) -> bytes | None:
    """Return the core metadata of a distribution archive, byte for byte.

    They are ``<name>-<version>.dist-info/METADATA`` of a wheel, ``<directory>/PKG-INFO`` of an
    sdist and ``EGG-INFO/PKG-INFO`` of an egg. An sdist that is a tar is read only up
    to this file. Blocks; to be called in a worker's thread.

    :param file: the archive, opened for reading, at position 0.
    :param name: the parsed file name, which decides the kind of archive.
    :param seconds: the limit of processor time.
    :returns: the metadata, or ``None`` for a kind of archive without metadata, and for an old
        sdist or egg without them.
    :raises InvalidArchive: the archive cannot be read as its kind, is a wheel without metadata, has metadata
        more than once, or exceeds a bound.
    :raises OSError: the file itself cannot be read.
    """
    return _core_metadata(file, seconds, name)


@bounded
def _core_metadata(source: Source, name: Filename) -> bytes | None:
    """Return the core metadata of an archive of the kind that its name has."""
    if name.kind is ArchiveKind.WHEEL:
        metadata = _zip_metadata(source, lambda path: is_wheel_metadata(path, name))
        if metadata is None:
            raise InvalidArchive(
                "the wheel has no METADATA in a .dist-info directory of its name and version"
            )
        return metadata
    if name.kind is ArchiveKind.EGG:
        return _zip_metadata(source, lambda path: path == EGG_METADATA)
    if name.kind is ArchiveKind.SDIST:
        if name.filename.endswith(".zip"):
            return _zip_metadata(source, is_sdist_metadata)
        return _tar_metadata(source, name.filename)
    return None


def is_wheel_metadata(path: str, name: Filename) -> bool:
    """Return whether a path in a wheel is its METADATA; old tools spell the directory in many ways."""
    stem = path.removesuffix(".dist-info/METADATA")
    if stem == path or "/" in stem:
        return False
    project, _, version = stem.rpartition("-")
    if not is_name(project) or normalize(project) != name.project:
        return False
    return canonicalize_version(version) == canonicalize_version(name.version)


def is_sdist_metadata(path: str) -> bool:
    """Return whether a path in an sdist is the PKG-INFO of its top-level directory."""
    directory, _, rest = path.removeprefix("./").partition("/")
    return rest == "PKG-INFO" and directory not in ("", ".", "..")


def _zip_metadata(source: Source, is_metadata: Callable[[str], bool]) -> bytes | None:
    """Return the one member for which ``is_metadata`` is true, or ``None``."""
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
    check_size(member.file_size)
    with archive.open(member) as stream:
        return stream.read(MAX_METADATA)


def _tar_metadata(source: Source, filename: str) -> bytes | None:
    """Return the first PKG-INFO in a top-level directory, or ``None``."""
    stream = inflated(source, filename)
    for member in members(stream) if stream is not None else ():
        if member.is_file and is_sdist_metadata(member.path):
            check_size(member.size)
            return member.read()
    return None
