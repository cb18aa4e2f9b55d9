"""The bytes of files that lie in a directory."""

from __future__ import annotations

import os
from functools import partial
from typing import BinaryIO

from attrs import define, field
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from pypid.interfaces import IContent, IWorkers
from pypid.sending import send
from pypid.storage.failures import translated

__all__ = ["FileContent"]


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
        try:
            status = os.fstat(self._file.fileno())
        except OSError:
            self._file.close()
            raise
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
        with translated("read a file", reads=True):
            return os.pread(self._file.fileno(), length, offset)
