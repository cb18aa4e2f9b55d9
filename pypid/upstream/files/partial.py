"""Files that are on their way from an upstream, on disk."""

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

__all__ = ["Partial", "sweep", "translated"]

_log = Logger()


@define(eq=False)
class Partial:
    """A file that grows at its end, while others read what is there. All of it blocks.

    It is open, wherever it is moved, until it is discarded or nobody has this object any more. When
    nobody has it, as when nobody waits for what a worker makes, it is removed unless it was moved.
    It has a lock as long as it is open, by which :func:`sweep` knows what is still of use.
    """

    path: Path
    """Where it was made."""
    digests: Digests
    """Those of what was written so far."""
    _file: OpenFile

    def __attrs_post_init__(self) -> None:
        finalize(self, _remove, self.path)

    @classmethod
    def create(cls, directory: Path, digests: Digests) -> Partial:
        """Make an empty one, and its directory too if somebody cleared that away.

        :raises OutOfSpace: there is no room.
        :raises StorageUnavailable: it cannot be made.
        """
        path = directory / secrets.token_hex(8)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with translated("take a file"):
            directory.mkdir(parents=True, exist_ok=True)
            partial = cls(path, digests, OpenFile(os.open(path, flags, 0o644)))
            with partial._file.in_use() as descriptor:
                flock(descriptor, LOCK_EX)
        return partial

    def append(self, data: bytes) -> None:
        """Write some bytes at the end.

        :raises OutOfSpace: there is no room for them.
        :raises StorageUnavailable: they could not be written.
        :raises ValueError: it was discarded.
        """
        with translated("take a file"), self._file.in_use() as descriptor:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        self.digests.update(data)

    def read(self, offset: int, length: int) -> bytes:
        """Read some bytes.

        :raises StorageUnavailable: they cannot be read.
        :raises ValueError: it was discarded.
        """
        with translated("read a file"):
            return self._file.read(offset, length)

    def remove(self) -> None:
        """Take its name away, unless it was moved elsewhere."""
        _remove(self.path)

    def discard(self) -> None:
        """Take its name away and close it, as nobody reads it any more."""
        self.remove()
        self._file.close()


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Clear away what processes left that are no more."""
    with suppress(FileNotFoundError):
        for path in list(directory.iterdir()):
            try:
                _sweep(path)
            except OSError as error:  # as when its process lives
                _log.debug("Left alone: {path!r}: {error}", path=str(path), error=error)


def _sweep(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flock(file, LOCK_EX | LOCK_NB)
        path.unlink()
    finally:
        os.close(file)


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn an :exc:`OSError` of the block into an error of pypid; its details go to the log.

    :param action: what the block does: "the cache cannot ... now".
    """
    try:
        yield
    except OSError as error:
        _log.error("The cache cannot {action}: {error}", action=action, error=error)
        if error.errno in (ENOSPC, EDQUOT):
            raise OutOfSpace("the cache's disk is full; try again when its owner made room") from error
        raise StorageUnavailable(f"the cache cannot {action} now; try again later") from error
