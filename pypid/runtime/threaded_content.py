"""Open files of a blocking storage, in the form in which the rest of pypid sends them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Lock

from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from pypid.interfaces import (
    IContent,
    ILocalFile,
    IOpenFile,
    ISendableContent,
    ISendableFile,
    IWorkers,
)
from pypid.runtime.send_bytes import CHUNK, send

__all__ = ["ThreadedContent", "ThreadedSendableContent", "threaded_content"]


def threaded_content(file: IOpenFile, workers: IWorkers) -> IContent:
    """Return the content of an open file, which the kernel can send if the file is on this machine."""
    if ISendableFile.providedBy(file):
        return ThreadedSendableContent(file, workers, file)
    return ThreadedContent(file, workers)


@implementer(IContent, ILocalFile)
@define(eq=False)
class ThreadedContent:
    """An open file of a storage, read in workers' threads while it is sent."""

    _file: IOpenFile
    _workers: IWorkers
    _turn: Lock = field(factory=Lock, init=False)
    _readers: int = field(default=0, init=False)
    _closing: bool = field(default=False, init=False)

    @property
    def length(self) -> int:
        """The length in bytes."""
        return self._file.length

    @property
    def modified_ns(self) -> int:
        """The time of the last change, in nanoseconds since the epoch."""
        return self._file.modified_ns

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        :raises StorageUnavailable: the rest of the bytes cannot be read.
        :raises CancelledError: the consumer went away.
        """
        await send(partial(self._workers.run, self._read), consumer, start, stop)

    def local_path(self) -> Path | None:
        """Return the path that the file has now; ``None`` if it has none."""
        return self._file.local_path() if ILocalFile.providedBy(self._file) else None

    def close(self) -> None:
        """Close the file, or let the last worker that still reads from it close it."""
        with self._turn:
            self._closing = True
            if self._readers:
                return
        self._file.close()

    def _read(self, offset: int, length: int) -> bytes:
        with self._turn:
            if self._closing:
                raise CancelledError  # the caller is gone
            self._readers += 1
        try:
            return self._file.read(offset, length)
        finally:
            with self._turn:
                self._readers -= 1
                is_last = self._closing and not self._readers
            if is_last:
                self._file.close()


@implementer(ISendableContent, ILocalFile)
@define(eq=False)
class ThreadedSendableContent(ThreadedContent):
    """The same for a file on this machine."""

    _local: ISendableFile
    """The same file."""

    def fileno(self) -> int:
        """Return the descriptor of the file, which stays open until :meth:`close`."""
        return self._local.fileno()

    async def load(self, start: int, stop: int) -> None:
        """Read bytes in a worker, so that the kernel has them in memory afterwards.

        :raises StorageUnavailable: the bytes cannot be read.
        """
        await self._workers.run(self._load, start, stop)

    def count(self, length: int) -> None:
        """Do nothing: nobody counts the bytes of a storage."""

    def reopen(self) -> ThreadedSendableContent | None:
        """Open the same bytes once more. See :meth:`pypid.interfaces.ISendableContent.reopen`."""
        file = self._local.reopen()
        return ThreadedSendableContent(file, self._workers, file) if file is not None else None

    def _load(self, start: int, stop: int) -> None:
        for offset in range(start, stop, CHUNK):
            self._read(offset, min(CHUNK, stop - offset))
