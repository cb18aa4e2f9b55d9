"""Core metadata out of wheels that are here, for upstreams that promise it and do not have it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from pypid import archives
from pypid.errors import InvalidArchive, InvalidFilename
from pypid.names import parse_filename

__all__ = ["metadata_inside"]


def metadata_inside(
    read: Callable[[int, int], bytes], length: int, filename: str, project: str
) -> bytes | None:
    """Give the core metadata that is in a distribution, or ``None`` if none can be read; it blocks.

    :param read: gives the bytes at an offset, as many as are asked for if there are as many.
    :param length: how many bytes the distribution has.
    """
    file = cast(BinaryIO, io.BufferedReader(_Reader(read, length)))
    try:
        return archives.core_metadata(file, parse_filename(filename, project))
    except (InvalidArchive, InvalidFilename):
        return None


class _Reader(io.RawIOBase):
    """A file of what a function reads."""

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
