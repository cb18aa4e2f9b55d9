"""The download of one file from an upstream to the disk, and from there to all of its readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pypid.errors import NotFound, PypidError, UpstreamFailed
from pypid.interfaces import IWorkers
from pypid.model import File
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.download_slots import DownloadSlot, DownloadSlots
from pypid.upstream.files.fetch import Fetch, describe
from pypid.upstream.files.partial import Partial
from pypid.upstream.files.store import FileStore
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.client import UpstreamClient

__all__ = ["HELD_BACK", "Download"]

HELD_BACK = 64 * 1024
"""Number of bytes at the end of each answer that are sent only after the whole file is verified."""


@define(eq=False)
class Download:
    """Downloads a file once, at the upstream's pace, for any number of readers, each at its own pace.

    Each reader holds the download by :meth:`wanted`; the owner of the download decides what happens
    when no reader is left. The end of every answer, even of one with a part of the file, is held
    back until the length and the digests of the whole file are verified. If that fails, no reader
    gets a complete answer, and the file is not cached.
    """

    project: str
    """The normalized name of the project."""
    file: File
    """The file as its page describes it."""
    modified_ns: int
    """Time of publication, or else of the download, in nanoseconds since the epoch."""
    _client: UpstreamClient
    _clock: IReactorTime
    _store: FileStore
    _workers: IWorkers
    _counts: FileCounts
    _limit: int
    _slow_workers: IWorkers
    _wanted_changed: Callable[[Download], None]
    slot: DownloadSlot | None = field(default=None, init=False)
    """The slot in which it downloads; ``None`` while it waits for one."""
    length: int | None = field(init=False)
    """Size of the file in bytes, or ``None`` as long as it is unknown."""
    _answered: bool = field(default=False, init=False)
    _written: int = field(default=0, init=False)
    _right: bool = field(default=False, init=False)
    _wanted: int = field(default=0, init=False)
    _was_wanted: bool = field(default=False, init=False)
    _failure: PypidError | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)
    _partial: Partial | None = field(default=None, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    _log = Logger()

    @length.default
    def _size(self) -> int | None:
        return self.file.size

    @property
    def is_wanted(self) -> bool:
        """Whether the download has any reader."""
        return self._wanted > 0

    @property
    def is_right(self) -> bool:
        """Whether the whole file is here and verified."""
        return self._right

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Return a context manager that holds the download for one reader."""
        self._wanted += 1
        self._was_wanted = True
        if self._wanted == 1:
            self._wanted_changed(self)
        try:
            yield
        finally:
            self._wanted -= 1
            if not self._wanted:
                self._wanted_changed(self)
                self._let_go()

    async def run(self, slots: DownloadSlots) -> None:
        """Wait for a slot, then download, verify and cache the file.

        Errors are not raised here; readers get them.
        """
        try:
            self.slot = await slots.acquire(str(Origin.of(self.file.url or "")))
            try:
                await self._run()
            finally:
                slots.release(self.slot)
        except CancelledError:
            self._failure = UpstreamFailed(
                f"{describe(self.file)}: it is not fetched to its end, as pypid stops or nobody wanted it"
            )
        except PypidError as error:
            self._fail(error)
        except Exception:
            self._log.failure("Cannot fetch {filename}", filename=self.file.filename)
            self._failure = UpstreamFailed(f"{describe(self.file)}: it cannot be fetched")

    async def _run(self) -> None:
        self._partial = await self._workers.run(self._store.begin, self.project, self.file)
        await self._fetch(self._partial)
        await self._check(self._partial)
        self._right = True
        self._notify()
        await self._keep(self._partial)

    async def end(self) -> None:
        """Mark the download as over, wake its readers, and remove the partial file's name."""
        self._over = True
        self._notify()
        if self._partial is not None:
            await self._workers.run(self._partial.remove)
        self._let_go()

    def _let_go(self) -> None:
        """Close the partial file if the download is over and has no reader any more."""
        if self._over and self._was_wanted and not self._wanted and self._partial is not None:
            self._workers.run(self._partial.discard)
            self._partial = None

    async def over(self) -> None:
        """Wait until the download is over. :raises PypidError: it failed."""
        while not self._over:
            await self._wait()
        self._raise_failure()

    async def answered(self) -> None:
        """Wait until :attr:`length` is known, or the file is complete."""
        while not (self._answered or self._right):
            await self._wait()

    async def whole(self) -> Partial:
        """Wait for the verified file, and return it; it can be read inside of :meth:`wanted`.

        :raises PypidError: the download failed.
        """
        while not self._right or self._partial is None:
            await self._wait()
        return self._partial

    async def read(self, end: int, offset: int, length: int) -> bytes:
        """Wait for bytes that may be sent of an answer up to ``end``, and return at most ``length``.

        :raises PypidError: the download failed, or the partial file cannot be read.
        """
        while self._ready(end) <= offset and not self._right:
            await self._wait()
        if self._partial is None:
            self._raise_failure()
            return b""
        length = min(length, self._ready(end) - offset)
        return await self._workers.run(self._partial.read, offset, max(length, 0))

    def _ready(self, stop: int) -> int:
        """Return the offset up to which bytes may be sent of an answer up to ``stop``."""
        return self._written if self._right else min(self._written, stop - HELD_BACK)

    async def _fetch(self, partial: Partial) -> None:
        fetch = Fetch(self._client, self._clock, self.file, bool(partial.digests.expected), self._limit)

        async def write(piece: bytes) -> None:
            if piece:
                await self._workers.run(partial.append, piece)
                self._counts.bytes_from_upstream += len(piece)
                self._written += len(piece)
            self.length = fetch.length
            self._answered = self._answered or fetch.length is not None
            self._notify()

        await fetch.into(write)
        self.length = fetch.received

    async def _check(self, partial: Partial) -> None:
        """Verify the whole file; if no digest was known, record the one it has.

        :raises UpstreamFailed: a digest is wrong.
        """
        difference = partial.digests.mismatch()
        if difference is not None:
            self._counts.refused += 1
            raise UpstreamFailed(f"{describe(self.file)} is not what its page promises: {difference}")
        if not partial.digests.expected:
            sha256 = partial.digests.found["sha256"]
            await self._workers.run(self._store.record_digest, self.project, self.file.filename, sha256)

    async def _keep(self, partial: Partial) -> None:
        """Move the file into the cache. If that fails it is logged; readers get the file anyway."""
        try:
            await self._slow_workers.run(self._store.add, partial, self.project, self.file, self.modified_ns)
        except OSError as error:
            self._log.warn("{filename} is not kept: {error}", filename=self.file.filename, error=error)

    async def _wait(self) -> None:
        """Wait for progress. :raises PypidError: the download failed."""
        self._raise_failure()
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        await waiting
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _fail(self, error: PypidError) -> None:
        # A copy without the traceback, which refers to this object and would keep the file open.
        self._failure = type(error)(str(error))
        if not isinstance(error, NotFound):
            self._counts.failures += 1
            self._log.error("{error}", error=str(error))

    def _notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)  # ignored by a Deferred that was cancelled
