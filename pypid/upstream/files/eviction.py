"""Keeping a cache within bounds."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import Lock

from attrs import define, field

from pypid.upstream.counters import FileCounts

__all__ = ["PIN", "CacheEviction", "touch"]

PIN = ".sha256"
"""The end of the names of files that stay."""
RESERVE = 256 * 1024**2
"""How many bytes of its disk a cache leaves to others, unless one percent of it is less."""


@define(eq=False)
class CacheEviction:
    """Removes from a cache the files and pages that were not asked for the longest.

    The cache itself tells, by the times of last access that are set for the purpose; so several
    processes may share one, and anybody may remove what he likes. It is looked through when a
    sixteenth of what may be kept was added, and then left with as much room for more.
    """

    directory: Path
    """Where the cache is: ``files/<project>/<file>`` and ``pages/<file>`` below it."""
    max_size: int
    """How many bytes there may be."""
    _counts: FileCounts
    _added: float = field(default=inf, init=False)
    _turn: Lock = field(factory=Lock, init=False)
    _used: Counter[Path] = field(factory=Counter, init=False)

    def hold(self, path: Path) -> None:
        """Let a file stay that is being sent, until each who said so said :meth:`release` as well."""
        self._used[path] += 1

    def release(self, path: Path) -> None:
        """Let a file go that is not being sent any more."""
        self._used[path] -= 1
        if not self._used[path]:
            del self._used[path]

    def is_enough(self, size: int) -> bool:
        """Tell whether a file of that size may be kept at all."""
        return size <= self.max_size - self.max_size // 16

    def make(self, size: int) -> None:
        """Make room for a file that is about to be added, or just was; it blocks."""
        with self._turn:
            self._added += size
            if self._added > self.max_size // 16:
                found = sorted(self._scan())
                kept = sum(length for _, length, _ in found)
                self._remove(found, kept + size - (self.max_size - self.max_size // 16))
                self._added = 0

    def make_on_disk(self, size: int) -> None:
        """Make room for a file on the disk, if that is about to be full; it blocks. It may not be enough."""
        if size > self._free():  # else nobody waits for one who is looking through a large cache
            with self._turn:
                missing = size - self._free()
                if missing > 0:
                    self._remove(sorted(self._scan()), missing)

    def _remove(self, found: list[tuple[int, int, Path]], surplus: int) -> None:
        for _, length, path in found:
            if surplus <= 0:
                return
            if path not in self._used:
                with suppress(OSError):
                    path.unlink()
                    surplus -= length
                    self._counts.evictions += 1
                with suppress(OSError):  # as when it is not empty
                    path.parent.rmdir()

    def _scan(self) -> Iterator[tuple[int, int, Path]]:
        """Go through all files, with when each was last asked for and its size."""
        for directory in (self.directory / "pages", *self._projects()):
            with suppress(OSError), os.scandir(directory) as entries:
                for entry in entries:
                    if not entry.name.endswith(PIN) and entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield status.st_atime_ns, status.st_size, Path(entry.path)

    def _projects(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from (self.directory / "files").iterdir()

    def _free(self) -> int:
        """Give how many bytes of the disk may be had."""
        there = next(path for path in (self.directory, *self.directory.parents) if path.exists())
        disk = os.statvfs(there)
        return disk.f_bavail * disk.f_frsize - min(RESERVE, disk.f_blocks * disk.f_frsize // 100)


def touch(descriptor: int) -> None:
    """Note that an open file was asked for, whether or not the file system notes when it is read."""
    with suppress(OSError):
        os.utime(descriptor, ns=(time.time_ns(), os.fstat(descriptor).st_mtime_ns))
