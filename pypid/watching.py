"""Files that other programs change at any time, as seen by those who read them again."""

from __future__ import annotations

import stat
from pathlib import Path

from attrs import define, field

__all__ = ["SettledFile", "Version", "read_regular", "version_of"]

Version = tuple[int, int, int, int]


def version_of(path: Path) -> Version | None:
    """Give what differs when a file has changed, its time of change first; ``None`` if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    # The time of the inode's change tells of permissions, and of a change that was back-dated.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


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

    def look(self) -> bytes | None:
        """Give the bytes of a version that did not change between two looks; it blocks.

        :returns: ``None`` if it changed just now, or was read already.
        :raises OSError: it cannot be read; of each version that is said once.
        """
        version = version_of(self.path)
        is_settled, self._seen = version == self._seen, version
        if not is_settled or version == self._read:
            return None
        self._read = version
        data = read_regular(self.path)
        if version_of(self.path) != version:
            self._seen = self._read = object()  # its writer has begun anew
            return None
        return data
