"""The content of an upstream's files: cached, or being downloaded."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from pypid.interfaces import IContent, ILocalFile, ISendableContent, IWorkers
from pypid.runtime.open_file import Identity, OpenFile, identity, reopen
from pypid.runtime.send_bytes import CHUNK, send
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.download import Download
from pypid.upstream.files.eviction import touch
from pypid.upstream.files.partial import cache_errors

__all__ = ["CachedContent", "DownloadContent"]

TOUCH_INTERVAL = 0.02
"""Least number of seconds between two writes of the time of a file's last use."""


@implementer(ISendableContent, ILocalFile)
@define(eq=False)
class CachedContent:
    """The bytes of a cached file. They stay readable if the file is evicted or removed meanwhile."""

    path: Path
    """The path that the file had when it was opened."""
    _file: OpenFile
    _workers: IWorkers
    _counts: FileCounts
    _closed: Callable[[Path], None]
    length: int = field(init=False)
    """Size in bytes."""
    modified_ns: int = field(init=False)
    """Time of publication, or else of the download, in nanoseconds since the epoch."""

    _identity: Identity = field(init=False)
    _touched: float = field(default=-inf, init=False)
    """When :meth:`reopen` last had the time of the last use written."""
    _is_closed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        status = self._file.status()
        self.length = status.st_size
        self.modified_ns = status.st_mtime_ns
        self._identity = identity(status)

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        :raises StorageUnavailable: the bytes cannot be read.
        :raises CancelledError: the consumer went away.
        """
        await send(self._read, consumer, start, stop)

    def local_path(self) -> Path | None:
        """Return the path that the file has now; ``None`` if it has none."""
        return self._file.local_path()

    def close(self) -> None:
        """Close the file. Further calls do nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._file.close()
            self._closed(self.path)

    def fileno(self) -> int:
        """Return the descriptor of the file, which stays open until :meth:`close`."""
        return self._file.fileno()

    async def load(self, start: int, stop: int) -> None:
        """Read bytes in a worker, so that the kernel has them in memory afterwards.

        :raises StorageUnavailable: the bytes cannot be read.
        """
        await self._workers.run(self._load, start, stop)

    def count(self, length: int) -> None:
        """Count bytes that the kernel has sent."""
        self._counts.bytes_from_cache += length

    def reopen(self) -> CachedContent | None:
        """Open the same bytes once more, unless they were evicted or removed, and count this as a hit.

        They are not exempt from eviction meanwhile, but stay readable.
        """
        descriptor = reopen(self.path, self._identity)
        if descriptor is None:
            return None
        self._counts.hits += 1
        if time.monotonic() - self._touched > TOUCH_INTERVAL:
            self._touched = time.monotonic()
            Deferred.fromCoroutine(self._touch()).addErrback(lambda _: None)
        return CachedContent(self.path, OpenFile(descriptor), self._workers, self._counts, lambda _: None)

    async def _touch(self) -> None:
        """Take note on disk that the file was used, so that it is not evicted."""
        await self._workers.run(_touch, self.path, self._identity)

    def _load(self, start: int, stop: int) -> None:
        for offset in range(start, stop, CHUNK):
            self.pread(offset, min(CHUNK, stop - offset))

    async def _read(self, offset: int, length: int) -> bytes:
        data = await self._workers.run(self.pread, offset, length)
        self._counts.bytes_from_cache += len(data)
        return data

    def pread(self, offset: int, length: int) -> bytes:
        """Read some bytes. Blocks.

        :raises StorageUnavailable: the bytes cannot be read.
        :raises ValueError: the content is closed.
        """
        with cache_errors("read a file"):
            return self._file.read(offset, length)


def _touch(path: Path, expected: Identity) -> None:
    """Set the access time of a file to now, unless it was changed, replaced or removed. Blocks."""
    descriptor = reopen(path, expected)
    if descriptor is not None:
        try:
            touch(descriptor)
        finally:
            os.close(descriptor)


@implementer(IContent)
@define(eq=False)
class DownloadContent:
    """The bytes of a file that was not cached when it was requested.

    The download begins when bytes are to be sent. The length comes from the file's page, so that a
    HEAD request needs no download.
    """

    length: int
    """Size in bytes."""
    modified_ns: int
    """Time of publication, or else of the download, in nanoseconds since the epoch."""
    _obtain: Callable[[], Awaitable[CachedContent | Download]]

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``, as they come.

        :raises NotFound: the upstream does not have the file any more.
        :raises UpstreamFailed: the file cannot be downloaded, or not to its end.
        :raises StorageUnavailable: the file cannot be written to disk, or read from there.
        :raises CancelledError: the consumer went away.
        """
        if start >= stop:
            return
        source = await self._obtain()
        if isinstance(source, CachedContent):
            try:
                await source.send_to(consumer, start, stop)
            finally:
                source.close()
            return
        with source.wanted():
            await send(partial(source.read, stop), consumer, start, stop)

    def close(self) -> None:
        """Do nothing: the download is held only while :meth:`send_to` runs."""
