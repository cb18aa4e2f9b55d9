"""Detection of changes to directories and files by their times."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable

from attrs import define

__all__ = ["SETTLED_NS", "ChangeDetector", "never_equal"]

SETTLED_NS = 2_000_000_000
"""The time after its last change, in nanoseconds, when a file or directory counts as settled.

It is longer than a tick of any file system's clock, so that the next change gets another time, and
longer than the pauses of a program that is copying a file in.
"""


def never_equal() -> Hashable:
    """Return a value that is equal to no other value."""
    return object()


@define(eq=False)
class ChangeDetector:
    """Makes stamps of directories, which differ when the directories differ. Any thread may use it."""

    _now: Callable[[], int] = time.time_ns
    """The time in nanoseconds since the epoch."""

    def is_settled(self, status: os.stat_result) -> bool:
        """Return whether the next change is certain to have another time."""
        # No program can set the ctime, and every change moves it.
        return abs(self._now() - status.st_ctime_ns) >= SETTLED_NS

    def stamp(self, path: str) -> Hashable:
        """Return a value that differs whenever the names in a directory may have changed."""
        stamp, settled = self.likely_stamp(path)
        return stamp if settled else never_equal()

    def likely_stamp(self, path: str) -> tuple[Hashable, bool]:
        """Return a value that nearly always differs after a change, and whether it is certain to.

        It is not certain while another change could still have the same time.
        """
        try:
            status = os.stat(path)  # noqa: PTH116 - faster, and done for each request
        except (FileNotFoundError, NotADirectoryError):
            return None, True
        except OSError:
            return never_equal(), False
        # On most file systems a new subdirectory adds a link to its parent.
        times = status.st_mtime_ns, status.st_ctime_ns, status.st_nlink
        return (status.st_dev, status.st_ino, *times), self.is_settled(status)
