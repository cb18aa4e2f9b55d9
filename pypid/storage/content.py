"""Sending the bytes of files to consumers that may be slower than the disk."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import BinaryIO

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from pypid.errors import StorageUnavailable
from pypid.interfaces import IContent, IWorkers
from pypid.storage.failures import translated

__all__ = ["CHUNK", "FileContent", "send"]

CHUNK = 128 * 1024
"""How many bytes are read at a time; one such chunk waits while the consumer is busy.

Twice that is faster by a tenth, but then a few hundred slow readers take half as much memory again.
"""


@implementer(IPushProducer)
@define(eq=False)
class _Valve:
    """Says when the consumer wants more."""

    stopped: bool = False
    """The consumer is gone and wants nothing more."""
    _resumed: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        """Hold back."""
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        """Go on."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """End, since nobody is there any more."""
        self.stopped = True
        self.resumeProducing()

    async def passage(self) -> None:
        """Wait until the consumer wants more. :raises CancelledError: it never will."""
        if self._resumed is not None:
            await self._resumed
        if self.stopped:
            raise CancelledError


async def send(
    read: Callable[[int, int], Awaitable[bytes]], consumer: IConsumer, start: int, stop: int
) -> None:
    """Write what ``read(offset, length)`` gives for the bytes from ``start`` to before ``stop``.

    :raises StorageUnavailable: there are fewer bytes.
    :raises CancelledError: the consumer, or who waited for this, went away.
    """
    valve = _Valve()
    consumer.registerProducer(valve, True)
    try:
        while start < stop:
            chunk = await read(start, min(CHUNK, stop - start))
            if not chunk:
                raise StorageUnavailable("the file became shorter while it was sent")
            await valve.passage()
            consumer.write(chunk)
            start += len(chunk)
    finally:
        # A consumer that stopped its producer has let go of it, and may be half taken apart.
        if not valve.stopped:
            consumer.unregisterProducer()


@implementer(IContent)
@define(eq=False)
class FileContent:
    """The bytes of an open file."""

    _file: BinaryIO
    _workers: IWorkers
    length: int = field(init=False)
    """How many bytes there are."""
    modified_ns: int = field(init=False)
    """When they last changed, in nanoseconds since the epoch."""

    def __attrs_post_init__(self) -> None:
        status = os.fstat(self._file.fileno())
        self.length = status.st_size
        self.modified_ns = status.st_mtime_ns

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        :raises StorageUnavailable: the bytes cannot be read on.
        :raises CancelledError: the consumer went away.
        """
        await send(partial(self._workers.run, self._read), consumer, start, stop)

    def close(self) -> None:
        """Let go of the file. Calling it again does nothing."""
        self._file.close()

    def _read(self, offset: int, length: int) -> bytes:
        with translated("read a file"):
            return os.pread(self._file.fileno(), length, offset)
