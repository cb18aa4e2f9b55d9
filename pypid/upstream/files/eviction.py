"""The size limit of a cache: the least recently used files are removed."""

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

from pypid.runtime.disk_space import DiskSpace
from pypid.upstream.counters import FileCounts

__all__ = ["DIGEST_SUFFIX", "CacheEviction", "touch"]

DIGEST_SUFFIX = ".sha256"
"""Suffix of the files with recorded digests, which are never evicted."""


@define(eq=False)
class CacheEviction:
    """Removes the least recently used files and pages from a cache.

    The order comes from the access times of the files, which the cache sets itself. So several
    processes may share a cache, and files may be deleted by hand. The cache is scanned each time
    that a sixteenth of its size limit has been added; then a sixteenth of the limit is made free.
    All methods are safe to call in several threads, except :meth:`pin` and :meth:`unpin`, which
    belong to the reactor's thread.
    """

    directory: Path
    """Directory of the cache, with ``files/<project>/<file>`` and ``pages/<file>`` below it."""
    max_size: int
    """Size limit in bytes."""
    _counts: FileCounts
    size: int | None = field(default=None, init=False)
    """The size of the cache in bytes, as last seen and added to; ``None`` before the first scan."""
    _added: float = field(default=inf, init=False)
    _turn: Lock = field(factory=Lock, init=False)
    _pinned: Counter[Path] = field(factory=Counter, init=False)

    def pin(self, path: Path) -> None:
        """Exempt a file that is being sent from eviction, until :meth:`unpin` was called as often."""
        self._pinned[path] += 1

    def unpin(self, path: Path) -> None:
        """Undo one call of :meth:`pin`."""
        self._pinned[path] -= 1
        if not self._pinned[path]:
            del self._pinned[path]

    def fits(self, size: int) -> bool:
        """Return whether a file of ``size`` bytes can be cached at all."""
        return size <= self.max_size - self.max_size // 16

    def make_room(self, size: int) -> None:
        """Evict files if ``size`` bytes, just added or about to be, exceed the limit. Blocks."""
        with self._turn:
            self._added += size
            if self.size is not None:
                self.size += size
            if self._added > self.max_size // 16:
                found = sorted(self._scan())
                kept = self.size = sum(length for _, length, _ in found)
                self._remove(found, kept + size - (self.max_size - self.max_size // 16))
                self._added = 0

    def make_room_on_disk(self, size: int) -> None:
        """Evict files if the disk has no room for ``size`` bytes. Blocks; the room may still not suffice."""
        if size > self._free():  # do not wait for a scan without need
            with self._turn:
                missing = size - self._free()
                if missing > 0:
                    self._remove(sorted(self._scan()), missing)

    def _remove(self, found: list[tuple[int, int, Path]], surplus: int) -> None:
        for _, length, path in found:
            if surplus <= 0:
                return
            if path not in self._pinned:
                with suppress(OSError):
                    path.unlink()
                    surplus -= length
                    if self.size is not None:
                        self.size -= length
                    self._counts.evictions += 1
                with suppress(OSError):  # for example, it is not empty
                    path.parent.rmdir()

    def _scan(self) -> Iterator[tuple[int, int, Path]]:
        """Return access time in ns, size in bytes, and path of each file that can be evicted."""
        for directory in (self.directory / "pages", *self._projects()):
            with suppress(OSError), os.scandir(directory) as entries:
                for entry in entries:
                    if not entry.name.endswith(DIGEST_SUFFIX) and entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield status.st_atime_ns, status.st_size, Path(entry.path)

    def _projects(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from (self.directory / "files").iterdir()

    def _free(self) -> int:
        """Return the number of bytes that the cache may still use of its disk."""
        disk = DiskSpace.of(self.directory)
        return disk.free - disk.reserve


def touch(descriptor: int) -> None:
    """Set the access time of an open file to now, also on file systems mounted without access times."""
    with suppress(OSError):
        os.utime(descriptor, ns=(time.time_ns(), os.fstat(descriptor).st_mtime_ns))
