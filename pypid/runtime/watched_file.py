"""Files that other programs may change at any time, and that are read again when they changed."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from attrs import define, field

__all__ = ["SettledFile", "Version", "age", "read_regular", "version_of"]

Version = tuple[int, int, int, int]


def version_of(path: Path) -> Version | None:
    """Return a value that differs when a file has changed, or ``None`` if the file does not exist.

    Its first item is the time of the last change, in nanoseconds. An error that only hides the file for
    now is not its absence: it yields a version of its own, which cannot be read. Blocks.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return 0, 0, -1, error.errno or 0
    # The ctime shows changes of permissions, and back-dated changes.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def age(path: Path, version: Version | None) -> float:
    """Return the least age of a version of a file, in seconds by the system's clock.

    The age of an absence is that of the last change of the directory. 0 if it is unknown. Blocks.
    """
    if version is not None:
        return time.time() - version[0] / 1e9
    try:
        # If it is a symbolic link, its target is missing.
        return time.time() - Path(os.path.realpath(path)).parent.stat().st_mtime
    except OSError:
        return 0.0


def read_regular(path: Path) -> bytes:
    """Return the bytes of a file. Blocks. :raises OSError: it is missing, unreadable or not regular."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(0, "it is not a regular file")
    return path.read_bytes()


@define(eq=False)
class SettledFile:
    """A file whose versions are each read once, and not while one may be half written."""

    path: Path
    """The path of the file."""
    _seen: object = field(factory=object, init=False)
    _read: object = field(factory=object, init=False)
    _reported: object = field(default=None, init=False)
    """The version and the error that were last raised."""

    def poll(self) -> bytes | None:
        """Return the bytes of a new version, once two successive calls have seen it unchanged. Blocks.

        An unreadable version is tried again at every call.

        :returns: ``None`` if the file changed just now, was read already, or is still unreadable.
        :raises OSError: it cannot be read; raised once for each version and reason.
        """
        version = version_of(self.path)
        is_settled, self._seen = version == self._seen, version
        if not is_settled or version == self._read:
            return None
        try:
            data = read_regular(self.path)
        except OSError as error:
            failure = version, error.errno, error.strerror
            if failure == self._reported:
                return None
            self._reported = failure
            raise
        self._read, self._reported = version, None
        if version_of(self.path) != version:
            self._seen = self._read = object()  # it was written to during the read
            return None
        return data
