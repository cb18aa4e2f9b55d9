"""The bytes of an upstream's files: kept, or on their way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from attrs import define, field
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from pypid.interfaces import IContent, IWorkers
from pypid.runtime.open_file import OpenFile
from pypid.runtime.sending import send
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.download import Download
from pypid.upstream.files.partial import translated

__all__ = ["ComingContent", "KeptContent"]


@implementer(IContent)
@define(eq=False)
class KeptContent:
    """The bytes of a file that is kept. It may be evicted or removed meanwhile."""

    path: Path
    """Where it was when it was opened."""
    _file: OpenFile
    _workers: IWorkers
    _counts: FileCounts
    _closed: Callable[[Path], None]
    length: int = field(init=False)
    """How many bytes there are."""
    modified_ns: int = field(init=False)
    """When it was published, if that is known, in nanoseconds since the epoch."""

    _is_closed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        status = self._file.status()
        self.length = status.st_size
        self.modified_ns = status.st_mtime_ns

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        :raises StorageUnavailable: the bytes cannot be read on.
        :raises CancelledError: the consumer went away.
        """
        await send(self._read, consumer, start, stop)

    def close(self) -> None:
        """Let go of the file. Calling it again does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._file.close()
            self._closed(self.path)

    async def _read(self, offset: int, length: int) -> bytes:
        data = await self._workers.run(self.pread, offset, length)
        self._counts.bytes_from_cache += len(data)
        return data

    def pread(self, offset: int, length: int) -> bytes:
        """Read some bytes; it blocks.

        :raises StorageUnavailable: they cannot be read.
        :raises ValueError: the content is closed.
        """
        with translated("read a file"):
            return self._file.read(offset, length)


@implementer(IContent)
@define(eq=False)
class ComingContent:
    """The bytes of a file that was not kept when somebody asked for it.

    Nothing is fetched before something is to be sent: to tell how long a file is, as for HEAD,
    it is enough what its page says.
    """

    length: int
    """How many bytes there are."""
    modified_ns: int
    """When it was published, if that is known, in nanoseconds since the epoch."""
    _obtain: Callable[[], Awaitable[KeptContent | Download]]

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``, as they come.

        :raises NotFound: the upstream does not have it any more.
        :raises UpstreamFailed: it cannot be fetched, or not to its end.
        :raises StorageUnavailable: it cannot be put on disk, or read from there.
        :raises CancelledError: the consumer went away.
        """
        if start >= stop:
            return
        source = await self._obtain()
        if isinstance(source, KeptContent):
            try:
                await source.send_to(consumer, start, stop)
            finally:
                source.close()
            return
        with source.wanted():
            await send(partial(source.read, stop), consumer, start, stop)

    def close(self) -> None:
        """Do nothing: who sends says for how long the file is wanted."""
