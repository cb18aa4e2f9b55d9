"""Partially downloaded files on disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from weakref import finalize

from attrs import define
from twisted.logger import Logger

from pypid.errors import OutOfSpace, StorageUnavailable
from pypid.runtime.open_file import OpenFile
from pypid.upstream.files.digests import Digests

__all__ = ["Partial", "cache_errors", "sweep"]

_log = Logger()


@define(eq=False)
class Partial:
    """A file that is appended to while others read it. All methods block; use them in workers.

    The file stays open, even if it is moved, until it is discarded or this object is collected. When
    the object is collected, for example because the caller left while a worker made it, the file is
    removed unless it was moved. The file is locked while it is open, so that :func:`sweep` leaves it
    alone.
    """

    path: Path
    """The path at which it was created."""
    digests: Digests
    """Digests of the bytes written so far."""
    _file: OpenFile

    def __attrs_post_init__(self) -> None:
        finalize(self, _remove, self.path)

    @classmethod
    def create(cls, directory: Path, digests: Digests) -> Partial:
        """Create an empty partial file, and its directory if that is missing.

        :raises OutOfSpace: the disk is full.
        :raises StorageUnavailable: the file cannot be created.
        """
        path = directory / secrets.token_hex(8)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with cache_errors("take a file"):
            directory.mkdir(parents=True, exist_ok=True)
            partial = cls(path, digests, OpenFile(os.open(path, flags, 0o644)))
            with partial._file.in_use() as descriptor:
                flock(descriptor, LOCK_EX)
        return partial

    def append(self, data: bytes) -> None:
        """Append some bytes.

        :raises OutOfSpace: the disk is full.
        :raises StorageUnavailable: the bytes cannot be written.
        :raises ValueError: the file was discarded.
        """
        with cache_errors("take a file"), self._file.in_use() as descriptor:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        self.digests.update(data)

    def read(self, offset: int, length: int) -> bytes:
        """Read some bytes.

        :raises StorageUnavailable: the bytes cannot be read.
        :raises ValueError: the file was discarded.
        """
        with cache_errors("read a file"):
            return self._file.read(offset, length)

    def remove(self) -> None:
        """Remove the file from its directory, unless it was moved. It stays open."""
        _remove(self.path)

    def discard(self) -> None:
        """Remove the file from its directory, unless it was moved, and close it."""
        self.remove()
        self._file.close()


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Remove the partial files of processes that have ended."""
    with suppress(FileNotFoundError):
        for path in list(directory.iterdir()):
            try:
                _sweep(path)
            except OSError as error:  # for example, locked by a living process
                _log.debug("Left alone: {path!r}: {error}", path=str(path), error=error)


def _sweep(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flock(file, LOCK_EX | LOCK_NB)
        path.unlink()
    finally:
        os.close(file)


@contextmanager
def cache_errors(action: str) -> Iterator[None]:
    """Convert an :exc:`OSError` of the block to an error of pypid; its details go to the log.

    :param action: the action of the block, as in "the cache cannot ... now".
    """
    try:
        yield
    except OSError as error:
        _log.error("The cache cannot {action}: {error}", action=action, error=error)
        if error.errno in (ENOSPC, EDQUOT):
            raise OutOfSpace("the cache's disk is full; try again when its owner made room") from error
        raise StorageUnavailable(f"the cache cannot {action} now; try again later") from error
