"""Open files: those that a worker opens for a caller who may be gone by then, and those opened once more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from weakref import finalize

from attrs import define, field

__all__ = ["Identity", "OpenFile", "identity", "path_of", "reopen"]

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Identity = tuple[int, int, int, int]
"""A value that differs when other bytes are in a file's place."""


def identity(status: os.stat_result) -> Identity:
    """Return the identity of a file with this ``fstat``: its device and number, length and time of change."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def reopen(path: Path, expected: Identity) -> int | None:
    """Return a new descriptor of a file that was open before, at the cost of an ``open`` and a ``stat``.

    :returns: ``None`` if the file is not there any more, or was changed or replaced.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    if identity(os.fstat(descriptor)) == expected:
        return descriptor
    os.close(descriptor)
    return None


def path_of(descriptor: int) -> Path | None:
    """Return the path that the file of a descriptor has now; ``None`` if it was removed, or it is unknown.

    Linux knows it. No disk is asked, so the reactor's thread may do so.
    """
    try:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        is_linked = os.fstat(descriptor).st_nlink > 0
    except OSError:
        return None
    return path if is_linked and path.is_absolute() else None


@define(eq=False)
class OpenFile:
    """An open file, for any number of threads.

    It is closed when the last reference is gone: a client may go away while a worker opens a file for it,
    and then nobody takes the worker's result. While a thread reads, the descriptor stays open even
    after :meth:`close`, so that no thread can read from another file that got the same number.
    """

    _descriptor: int
    _lock: Lock = field(factory=Lock, init=False)
    _readers: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _let_go: finalize[[int], OpenFile] = field(init=False)

    @_let_go.default
    def _close_when_unused(self) -> finalize[[int], OpenFile]:
        return finalize(self, os.close, self._descriptor)

    @classmethod
    def open(cls, path: Path) -> OpenFile:
        """Open a file for reading. Blocks.

        :raises OSError: it does not exist, cannot be read, or is a symbolic link.
        """
        return cls(os.open(path, _FLAGS))

    def fileno(self) -> int:
        """Return the descriptor, which stays open until :meth:`close`."""
        return self._descriptor

    def status(self) -> os.stat_result:
        """Return its ``fstat``. :raises ValueError: it is closed."""
        with self.in_use() as descriptor:
            return os.fstat(descriptor)

    def read(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from an offset. Blocks.

        :raises OSError: they cannot be read.
        :raises ValueError: it is closed.
        """
        with self.in_use() as descriptor:
            return os.pread(descriptor, length, offset)

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set the times of last access and last change, in nanoseconds since the epoch.

        :raises OSError: they cannot be set.
        :raises ValueError: it is closed.
        """
        with self.in_use() as descriptor:
            os.utime(descriptor, ns=(accessed_ns, modified_ns))

    def local_path(self) -> Path | None:
        """Return the path that it has now; ``None`` if it has none. :raises ValueError: it is closed."""
        with self.in_use() as descriptor:
            return path_of(descriptor)

    def close(self) -> None:
        """Close the file as soon as no thread reads from it. A second call does nothing."""
        with self._lock:
            self._closed = True
            if self._readers:
                return
        self._let_go()

    @contextmanager
    def in_use(self) -> Iterator[int]:
        """Yield the descriptor, and keep it open during the block. :raises ValueError: it is closed."""
        with self._lock:
            if self._closed:
                raise ValueError("the file is closed")
            self._readers += 1
        try:
            yield self._descriptor
        finally:
            with self._lock:
                self._readers -= 1
                last = self._closed and not self._readers
            if last:
                self._let_go()
