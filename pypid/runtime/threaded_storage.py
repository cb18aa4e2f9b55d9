"""A storage, which blocks, given threads: what the rest of pypid uses.

Everything here is called in the reactor's thread, and does not block it. Reading, changing, and the
looking through many projects each have workers of their own, so that none of them holds up
another. A worker goes on when nobody waits for it any more; what it opened is then
let go of, whenever that was.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from threading import Lock
from typing import BinaryIO, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.internet.interfaces import IConsumer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.errors import StorageUnavailable
from pypid.interfaces import Admit, IContent, IOpenFile, IStaging, IStorage, IWorkers
from pypid.model import FileRecord, Publication, StoredProject
from pypid.names import Sidecar
from pypid.runtime.sending import send

__all__ = ["StagedFile", "ThreadedContent", "ThreadedStorage"]

T = TypeVar("T")
_log = Logger()


@define(eq=False)
class ThreadedStorage:
    """Asks a blocking storage in workers' threads."""

    blocking: IStorage
    """The storage itself."""
    _reading: IWorkers
    """For what lists, opens and reads: it waits for disks rather than to compute."""
    _changing: IWorkers
    """For what is staged, published and changed: it may wait for others that change the same project."""
    _scanning: IWorkers | None = None
    """For what reads many small files, if that has workers of its own: it computes, and they are best few."""
    _hashing: IWorkers | None = None
    """For what reads files from end to end, or looks into archives, if that has workers of its own."""

    def open(self) -> None:
        """Get ready; as :meth:`pypid.interfaces.IStorage.open`."""
        self.blocking.open()

    def close(self) -> None:
        """Let go of everything."""
        self.blocking.close()

    def fingerprint(self, project: str | None) -> Hashable:
        """Return a value that differs whenever a project, or the list of projects, may have changed."""
        return self.blocking.fingerprint(project)

    def moved(self, projects: Sequence[str]) -> Sequence[str]:
        """Return which of some projects may have changed; for one worker's thread at a time."""
        return self.blocking.moved(projects)

    async def run(self, function: Callable[[IStorage], T]) -> T:
        """Call a function with the blocking storage, in a worker that reads; answer what it returns."""
        return await self._reading.run(function, self.blocking)

    async def scan(self, function: Callable[[IStorage], T]) -> T:
        """Do the same with one that asks for many small things, and computes with them."""
        return await (self._scanning or self._reading).run(function, self.blocking)

    async def read_large(self, function: Callable[[IStorage], T]) -> T:
        """Do the same with one that reads a large file from end to end, which may take minutes."""
        return await (self._hashing or self._reading).run(function, self.blocking)

    async def change(self, function: Callable[[IStorage], T]) -> T:
        """Do the same with one that changes something. Once begun it runs to its end, whoever waits."""
        return await self._changing.run(function, self.blocking)

    async def projects(self) -> Sequence[str]:
        """List the normalized names of all projects, sorted."""
        return await self._reading.run(self.blocking.projects)

    async def project(self, name: str) -> StoredProject | None:
        """List what is kept of a project, or answer ``None`` if there is no such project."""
        return await self._reading.run(self.blocking.project, name)

    async def content(self, project: str, filename: str) -> IContent:
        """Open a distribution file for sending; the caller closes it.

        :raises NotFound: there is none of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """
        opening: _Handover[IOpenFile] = _Handover(
            partial(self.blocking.open_file, project, filename), lambda file: file.close()
        )
        return ThreadedContent(await opening.take(self._reading), self._reading)

    async def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call a function in a worker with a file opened for reading and seeking; answer what it returns.

        It may take as long as an archive takes to look into, so downloads do not wait for it.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """
        workers = self._hashing or self._reading
        return await workers.run(self.blocking.read, project, filename, function)

    async def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Answer what is kept beside a file, or ``None``; as :meth:`pypid.interfaces.IStorage.sidecar`."""
        return await self._reading.run(self.blocking.sidecar, project, filename, sidecar)

    async def stage(self) -> StagedFile:
        """Begin to receive a file.

        :raises OutOfSpace: there is no room.
        :raises StorageUnavailable: it cannot be written to.
        """
        staging: _Handover[IStaging] = _Handover(self.blocking.stage, lambda staged: staged.discard())
        return StagedFile(await staging.take(self._changing), self._changing)


@define(eq=False)
class StagedFile:
    """A file that is being received; see :class:`pypid.interfaces.IStaging`."""

    blocking: IStaging
    """The staging itself."""
    _workers: IWorkers
    _ended: bool = field(default=False, init=False)

    def write(self, data: bytes) -> None:
        """Append some bytes; called in a worker. :raises OutOfSpace: there is no room for them."""
        self.blocking.write(data)

    def reader(self) -> BinaryIO:
        """Open what was written so far for reading; called in a worker. The caller closes it."""
        return self.blocking.reader()

    async def publish(self, publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name; as :meth:`pypid.interfaces.IStaging.publish`.

        Once begun it goes on to its end even if the waiting for it is cancelled.
        """
        if self._ended:
            raise StorageUnavailable("the upload was given up")
        self._ended = True
        return await self._workers.run(self.blocking.publish, publication, admit)

    async def discard(self) -> None:
        """Forget the file. After :meth:`publish`, and when called again, this does nothing."""
        if not self._ended:
            self._ended = True
            await self._workers.run(self.blocking.discard)


@implementer(IContent)
@define(eq=False)
class ThreadedContent:
    """An open file, read in workers' threads while it is sent."""

    _file: IOpenFile
    _workers: IWorkers
    _turn: Lock = field(factory=Lock, init=False)
    _readers: int = field(default=0, init=False)
    _closing: bool = field(default=False, init=False)

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return self._file.length

    @property
    def modified_ns(self) -> int:
        """When they last changed, in nanoseconds since the epoch."""
        return self._file.modified_ns

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        :raises StorageUnavailable: the bytes cannot be read on.
        :raises CancelledError: the consumer went away.
        """
        await send(partial(self._workers.run, self._read), consumer, start, stop)

    def close(self) -> None:
        """Let go of the file, or have the worker do so that still reads from it."""
        with self._turn:
            self._closing = True
            if self._readers:
                return
        self._file.close()

    def _read(self, offset: int, length: int) -> bytes:
        with self._turn:
            if self._closing:
                raise CancelledError  # nobody waits any more
            self._readers += 1
        try:
            return self._file.read(offset, length)
        finally:
            with self._turn:
                self._readers -= 1
                is_last = self._closing and not self._readers
            if is_last:
                self._file.close()


@define(eq=False)
class _Handover(Generic[T]):
    """Something that a worker makes, and that is let go of if nobody is there to take it."""

    _make: Callable[[], T]
    _release: Callable[[T], None]
    _made: list[T] = field(factory=list, init=False)
    _is_abandoned: bool = field(default=False, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    async def take(self, workers: IWorkers) -> T:
        """Have it made, and take it."""
        try:
            await workers.run(self._work)
        except BaseException:
            with self._turn:
                self._is_abandoned = True
            if self._made:
                # It was made, but that was not heard of yet.
                maybeDeferred(workers.run, self._release, self._made.pop()).addErrback(_lost)
            raise
        return self._made.pop()

    def _work(self) -> None:
        if self._is_abandoned:
            return
        made = self._make()
        with self._turn:
            if not self._is_abandoned:
                self._made.append(made)
                return
        self._release(made)


def _lost(failure: Failure) -> None:
    _log.failure("Cannot let go of what nobody waits for", failure=failure)
