"""Telling one state of a directory or file from the next, as far as times can tell."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable

from attrs import define

__all__ = ["SETTLED_NS", "ChangeDetector", "never_equal"]

SETTLED_NS = 2_000_000_000
"""How long after its last change, in nanoseconds, something counts as settled.

It is longer than a tick of any file system's clock, so the next change has another time, and
longer than the pauses of a program that is just copying a file in.
"""


def never_equal() -> Hashable:
    """Return a value that no other one that anybody has is equal to."""
    return object()


@define(eq=False)
class ChangeDetector:
    """Stamps what it is shown."""

    _now: Callable[[], int] = time.time_ns
    """The time in nanoseconds since the epoch."""

    def is_settled(self, status: os.stat_result) -> bool:
        """Tell whether another change would have another time."""
        # Nobody can set the time of the last change of status, and all changes move it.
        return abs(self._now() - status.st_ctime_ns) >= SETTLED_NS

    def stamp(self, path: str) -> Hashable:
        """Give a value that differs whenever the names in a directory may have changed."""
        stamp, settled = self.likely_stamp(path)
        return stamp if settled else never_equal()

    def likely_stamp(self, path: str) -> tuple[Hashable, bool]:
        """Give a value that most likely differs then, and whether it is certain to.

        It is not while another change could have the same time.
        """
        try:
            status = os.stat(path)  # noqa: PTH116 - it is done for each request
        except (FileNotFoundError, NotADirectoryError):
            return None, True
        except OSError:
            return never_equal(), False
        # Most file systems count a directory that is made in another one as a link to that.
        times = status.st_mtime_ns, status.st_ctime_ns, status.st_nlink
        return (status.st_dev, status.st_ino, *times), self.is_settled(status)
