"""The free space of a disk, and the least that should be left of it."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

__all__ = ["DiskSpace"]

RESERVE = 256 * 1024**2
"""Free space, in bytes, that caches leave on their disk; less if one percent of the disk is less."""


@frozen
class DiskSpace:
    """The space of the file system that holds a path."""

    total: int
    """Its size in bytes."""
    free: int
    """The bytes that a user other than root can still write."""

    @classmethod
    def of(cls, path: Path) -> DiskSpace:
        """Return the space where a path is, or would be made. Blocks.

        :raises OSError: the file system does not tell.
        """
        there = next(one for one in (path, *path.parents) if one.exists())
        found = os.statvfs(there)
        return cls(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    @property
    def reserve(self) -> int:
        """The bytes that caches leave for uploads."""
        return min(RESERVE, self.total // 100)

    @property
    def floor(self) -> int:
        """The bytes below which the disk is as good as full.

        It is half of what caches leave free: a cache that fills its disk is no reason for alarm.
        """
        return self.reserve // 2
