"""Receivers of request bodies, which process the bytes as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from pypid.errors import TooLarge
from pypid.interfaces import IWorkers
from pypid.model import Principal
from pypid.runtime.single_flight import shield
from pypid.runtime.threaded_storage import StagedFile
from pypid.upload.form import FormReader, UploadForm

__all__ = ["MAX_IGNORED", "MAX_SMALL", "Body", "IgnoredBody", "SmallBody", "UploadBody"]

MAX_IGNORED = 64 * 1024
"""Largest size in bytes of a body that is not expected."""
MAX_SMALL = 64 * 1024
"""Largest size in bytes of a body that is kept in memory."""
MAX_BACKLOG = 1024 * 1024
"""Largest number of bytes that may wait for a worker before the client is paused."""


class Body(Protocol):
    """Receives a body as it arrives. It works for the channel, and is not an interface for plugins."""

    held_up: bool
    """Whether the client has to wait for the server, and is not to blame for a slow body."""

    def write(self, data: bytes) -> None:
        """Receive some bytes. :raises TooLarge: the body has become too large."""

    def abandon(self) -> None:
        """Discard the body: nobody will use it."""


@define
class IgnoredBody:
    """A short body of a request that needs no body."""

    held_up: bool = False
    _size: int = field(default=0, init=False)

    def write(self, data: bytes) -> None:
        """Count the bytes and discard them."""
        self._size += len(data)
        if self._size > MAX_IGNORED:
            raise TooLarge("no body is expected here")

    def abandon(self) -> None:
        """Do nothing: there is nothing to discard."""


@define(eq=False)
class SmallBody:
    """A body that is kept in memory: a short form, or an XML-RPC call."""

    held_up: bool = False
    data: bytearray = field(factory=bytearray, init=False)
    """The bytes that have arrived so far."""

    def write(self, data: bytes) -> None:
        """Receive some bytes. :raises TooLarge: the body has become too large."""
        self.data += data
        if len(self.data) > MAX_SMALL:
            raise TooLarge(f"the body is larger than the {MAX_SMALL} bytes that are taken here")

    def abandon(self) -> None:
        """Discard the body."""
        self.data.clear()


@define(eq=False)
class UploadBody:
    """An upload's form, which a worker reads and stages as it arrives.

    Whenever the worker becomes free, it gets all bytes that are waiting. When too many bytes are waiting,
    the client's connection is paused. So memory use does not grow with the file, and neither hashing nor
    the disk blocks the reactor.
    """

    staging: StagedFile
    """The staging of the file."""
    principal: Principal | None
    """The user who uploads the file, if any."""
    _reader: FormReader
    _workers: IWorkers
    _limit: int
    _connection: IPushProducer
    """The client's connection, which is paused while too many bytes wait for the worker."""
    _failed: Callable[[Failure], object]
    """Called once if the form is found to be invalid, or the storage full, before the form's end."""
    _backlog: list[bytes] = field(factory=list, init=False)
    _waiting: int = field(default=0, init=False)
    _size: int = field(default=0, init=False)
    _working: bool = field(default=False, init=False)
    _failure: Failure | None = field(default=None, init=False)
    _abandoned: bool = field(default=False, init=False)
    _handed_over: bool = field(default=False, init=False)
    _idle: Deferred[None] | None = field(default=None, init=False)
    held_up: bool = field(default=False, init=False)

    def write(self, data: bytes) -> None:
        """Receive some bytes. :raises TooLarge: the upload has become too large."""
        self._size += len(data)
        if self._size > self._limit:
            raise TooLarge(f"the upload is larger than the {self._limit} bytes that are taken here")
        self._backlog.append(data)
        self._waiting += len(data)
        if self._waiting > MAX_BACKLOG and not self.held_up:
            self.held_up = True
            self._connection.pauseProducing()
        if not self._working:
            self._working = True
            shield(self._work())

    async def form(self) -> UploadForm:
        """Wait until the worker has reached the end, and return the complete form.

        From then on the staging belongs to the caller. If an error is raised, the staging is discarded.

        :raises InvalidForm: the form ends too early, or is malformed.
        """
        self._handed_over = True
        if self._working:
            self._idle = Deferred()
            await self._idle
        try:
            if self._failure is not None:
                self._failure.raiseException()
            return self._reader.finish()
        except BaseException:
            await self.staging.discard()
            raise

    def abandon(self) -> None:
        """Discard the staging as soon as no worker writes to it, unless :meth:`form` was called."""
        if self._handed_over:
            return
        self._abandoned = True
        self._backlog.clear()
        if not self._working:
            shield(self.staging.discard())

    async def _work(self) -> None:
        try:
            while self._backlog and self._failure is None:
                batch, self._backlog, self._waiting = self._backlog, [], 0
                await self._workers.run(self._read, batch)
                if self.held_up:
                    self.held_up = False
                    self._connection.resumeProducing()
        except BaseException:
            self._failure = Failure()
        self._working = False
        if self._idle is not None:
            self._idle.callback(None)
        elif self._abandoned:
            await self.staging.discard()
        elif self._failure is not None:
            self._failed(self._failure)

    def _read(self, batch: list[bytes]) -> None:
        """Feed the reader. Runs in a worker."""
        self._reader.feed(b"".join(batch))
