"""Files that other programs change at any time, as seen by those who read them again."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from attrs import define, field

__all__ = ["SettledFile", "Version", "age", "read_regular", "version_of"]

Version = tuple[int, int, int, int]


def version_of(path: Path) -> Version | None:
    """Return what differs when a file has changed, its time of change first; ``None`` if it is not there.

    What hides it for now is told from that: it is a version of its own, which cannot be read.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return 0, 0, -1, error.errno or 0
    # The time of the inode's change tells of permissions, and of a change that was back-dated.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def age(path: Path, version: Version | None) -> float:
    """Return for how many seconds a version of a file has lasted at least, by the system's clock.

    That of a file that is gone is told by the directory that it was in.
    """
    if version is not None:
        return time.time() - version[0] / 1e9
    try:
        # Of a link, what it leads to is what is missing.
        return time.time() - Path(os.path.realpath(path)).parent.stat().st_mtime
    except OSError:
        return 0.0


def read_regular(path: Path) -> bytes:
    """Give the bytes of a file; it blocks. :raises OSError: it is not there, or not a regular file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(0, "it is not a regular file")
    return path.read_bytes()


@define(eq=False)
class SettledFile:
    """A file of which each version is read once, and none while it may still be half written."""

    path: Path
    """Where it is."""
    _seen: object = field(factory=object, init=False)
    _read: object = field(factory=object, init=False)
    _told: object = field(default=None, init=False)
    """The trouble that was last told, and of which version."""

    def look(self) -> bytes | None:
        """Give the bytes of a version that did not change between two looks; it blocks.

        A version that cannot be read is tried again with every look.

        :returns: ``None`` if it changed just now, was read already, or cannot be read still.
        :raises OSError: it cannot be read; of each version, each reason is said once.
        """
        version = version_of(self.path)
        is_settled, self._seen = version == self._seen, version
        if not is_settled or version == self._read:
            return None
        try:
            data = read_regular(self.path)
        except OSError as error:
            trouble = version, error.errno, error.strerror
            if trouble == self._told:
                return None
            self._told = trouble
            raise
        self._read, self._told = version, None
        if version_of(self.path) != version:
            self._seen = self._read = object()  # its writer has begun anew
            return None
        return data
