"""Core metadata read from archives, for upstreams that promise it separately and do not have it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO

from pypid import archives
from pypid.errors import InvalidArchive, InvalidFilename
from pypid.names import parse_filename

__all__ = ["metadata_from_archive"]


def metadata_from_archive(
    read: Callable[[int, int], bytes], length: int, filename: str, project: str
) -> bytes | None:
    """Return the core metadata in a distribution, or ``None`` if it cannot be read. Blocks.

    :param read: called with an offset and a length; returns fewer bytes only at the end.
    :param length: size of the distribution in bytes.
    """
    file: BinaryIO = io.BufferedReader(_Reader(read, length))
    try:
        return archives.core_metadata(file, parse_filename(filename, project))
    except (InvalidArchive, InvalidFilename):
        return None


class _Reader(io.RawIOBase):
    """A binary file over a function that reads at an offset."""

    def __init__(self, read: Callable[[int, int], bytes], length: int) -> None:
        super().__init__()
        self._read, self._length, self._offset = read, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(self._offset, len(buffer))
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._length}[whence]
        self._offset = max(origin + offset, 0)
        return self._offset
