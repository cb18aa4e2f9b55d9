"""A blocking storage with threads: the form in which the rest of pypid uses it.

Everything here is called in the reactor's thread and does not block it, unless its docstring says
otherwise. Reading, changing and scanning each have workers of their own, so that none of them holds up
the others. A worker goes on when its caller is cancelled; then whatever it opened is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from threading import Lock
from typing import BinaryIO, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypid.errors import StorageUnavailable
from pypid.interfaces import Admit, IContent, IOpenFile, IStaging, IStorage, IWorkers
from pypid.model import FileRecord, Publication, StoredProject
from pypid.names import Sidecar
from pypid.runtime.threaded_content import threaded_content

__all__ = ["StagedFile", "ThreadedStorage"]

T = TypeVar("T")
_log = Logger()


@define(eq=False)
class ThreadedStorage:
    """Calls a blocking storage in workers' threads."""

    blocking: IStorage
    """The storage itself."""
    _reading: IWorkers
    """For listing, opening and reading, which mostly waits for disks."""
    _changing: IWorkers
    """For staging, publishing and changes, which may wait for the lock of a project."""
    _scanning: IWorkers | None = None
    """For reading many small files, which mostly computes, so few threads are best; default ``_reading``."""
    _hashing: IWorkers | None = None
    """For reading whole files or looking into archives; default ``_reading``."""

    def open(self) -> None:
        """Open the storage; blocks. See :meth:`pypid.interfaces.IStorage.open`."""
        self.blocking.open()

    def close(self) -> None:
        """Close the storage."""
        self.blocking.close()

    def fingerprint(self, project: str | None) -> Hashable:
        """Return a value that differs whenever a project, or the list of projects, may have changed."""
        return self.blocking.fingerprint(project)

    def moved(self, projects: Sequence[str]) -> Sequence[str]:
        """Return the projects that may have changed. Blocks; for one worker's thread at a time."""
        return self.blocking.moved(projects)

    async def run(self, function: Callable[[IStorage], T]) -> T:
        """Call a function with the blocking storage in a thread for reading, and return its result."""
        return await self._reading.run(function, self.blocking)

    async def scan(self, function: Callable[[IStorage], T]) -> T:
        """Call a function that reads many small files in a thread for scanning, and return its result."""
        return await (self._scanning or self._reading).run(function, self.blocking)

    async def read_large(self, function: Callable[[IStorage], T]) -> T:
        """Call a function that reads a whole large file in a thread for that, and return its result."""
        return await (self._hashing or self._reading).run(function, self.blocking)

    async def change(self, function: Callable[[IStorage], T]) -> T:
        """Call a function in a thread for changes, and return its result. Once begun, it runs to its end."""
        return await self._changing.run(function, self.blocking)

    async def projects(self) -> Sequence[str]:
        """Return the normalized names of all projects, sorted."""
        return await self._reading.run(self.blocking.projects)

    async def project(self, name: str) -> StoredProject | None:
        """Return the files and records of a project, or ``None`` if there is no such project."""
        return await self._reading.run(self.blocking.project, name)

    async def content(self, project: str, filename: str) -> IContent:
        """Open a distribution file for sending; the caller closes it.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: the file cannot be read.
        """
        opening: _Handover[IOpenFile] = _Handover(
            partial(self.blocking.open_file, project, filename), lambda file: file.close()
        )
        return threaded_content(await opening.take(self._reading), self._reading)

    async def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call a function in a thread with a file opened for reading and seeking, and return its result.

        It may take as long as the inspection of an archive; downloads do not wait for it.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: the file cannot be read.
        """
        workers = self._hashing or self._reading
        return await workers.run(self.blocking.read, project, filename, function)

    async def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return a sidecar file, or ``None``. See :meth:`pypid.interfaces.IStorage.sidecar`."""
        return await self._reading.run(self.blocking.sidecar, project, filename, sidecar)

    async def stage(self) -> StagedFile:
        """Begin to receive a file.

        :raises OutOfSpace: the disk or the quota is full.
        :raises StorageUnavailable: the storage cannot be written to.
        """
        staging: _Handover[IStaging] = _Handover(self.blocking.stage, lambda staged: staged.discard())
        return StagedFile(await staging.take(self._changing), self._changing)


@define(eq=False)
class StagedFile:
    """An upload in flight; see :class:`pypid.interfaces.IStaging`."""

    blocking: IStaging
    """The blocking staging."""
    _workers: IWorkers
    _ended: bool = field(default=False, init=False)

    def write(self, data: bytes) -> None:
        """Append some bytes. Blocks, in a worker's thread. :raises OutOfSpace: there is no room for them."""
        self.blocking.write(data)

    def reader(self) -> BinaryIO:
        """Open the bytes written so far for reading. Blocks, in a worker's thread; the caller closes it."""
        return self.blocking.reader()

    async def publish(self, publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name. See :meth:`pypid.interfaces.IStaging.publish`.

        Once begun, it runs to its end even if the caller is cancelled.
        """
        if self._ended:
            raise StorageUnavailable("the upload was given up")
        self._ended = True
        return await self._workers.run(self.blocking.publish, publication, admit)

    async def discard(self) -> None:
        """Drop the file. After :meth:`publish`, and when called again, this does nothing."""
        if not self._ended:
            self._ended = True
            await self._workers.run(self.blocking.discard)


@define(eq=False)
class _Handover(Generic[T]):
    """The result of a worker, which is released if the caller is gone when it is ready."""

    _make: Callable[[], T]
    _release: Callable[[T], None]
    _made: list[T] = field(factory=list, init=False)
    _is_abandoned: bool = field(default=False, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    async def take(self, workers: IWorkers) -> T:
        """Make the result in a worker, and return it."""
        try:
            await workers.run(self._work)
        except BaseException:
            with self._turn:
                self._is_abandoned = True
            if self._made:
                # The worker has finished, but its result has not arrived here.
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
