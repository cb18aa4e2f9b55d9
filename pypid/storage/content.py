"""Files of a directory, opened for reading."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from attrs import define, field
from zope.interface import implementer

from pypid.interfaces import ILocalFile, ISendableFile
from pypid.runtime.open_file import Identity, identity, path_of, reopen
from pypid.storage.failures import translate_errors

__all__ = ["OpenFile"]


@implementer(ISendableFile, ILocalFile)
@define(eq=False)
class OpenFile:
    """An open file. Like Python's own files, it is closed when the last reference is gone."""

    _file: BinaryIO | FileIO
    _path: Path | None = None
    """The path of the file, if it is known already."""
    _identity: Identity = field(init=False)
    length: int = field(init=False)
    """The length in bytes."""
    modified_ns: int = field(init=False)
    """The time of the last change, in nanoseconds since the epoch."""

    def __attrs_post_init__(self) -> None:
        try:
            status = os.fstat(self._file.fileno())
        except OSError:
            self._file.close()
            raise
        self.length = status.st_size
        self.modified_ns = status.st_mtime_ns
        self._identity = identity(status)
        if self._path is None:
            # It was opened by its name in a directory whose name may be any spelling of the project's.
            self._path = self.local_path()

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from an offset, or fewer at the end of the file. Blocks.

        :raises StorageUnavailable: they cannot be read.
        """
        with translate_errors("read a file", reads=True):
            return os.pread(self._file.fileno(), length, offset)

    def fileno(self) -> int:
        """Return the descriptor, which stays open until :meth:`close`."""
        return self._file.fileno()

    def reopen(self) -> OpenFile | None:
        """Open the file once more, unless it was changed, replaced or removed."""
        if self._path is None:
            return None
        descriptor = reopen(self._path, self._identity)
        return OpenFile(FileIO(descriptor), self._path) if descriptor is not None else None

    def local_path(self) -> Path | None:
        """Return the path that the file has now; ``None`` if it has none."""
        return path_of(self._file.fileno())

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()
