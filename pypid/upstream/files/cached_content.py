"""The content of an upstream's files: cached, or being downloaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from attrs import define, field
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from pypid.interfaces import IContent, ILocalFile, IWorkers
from pypid.runtime.open_file import OpenFile
from pypid.runtime.send_bytes import send
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.download import Download
from pypid.upstream.files.partial import cache_errors

__all__ = ["CachedContent", "DownloadContent"]


@implementer(IContent, ILocalFile)
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

    _is_closed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        status = self._file.status()
        self.length = status.st_size
        self.modified_ns = status.st_mtime_ns

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
