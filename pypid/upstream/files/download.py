"""One file on its way from an upstream to the disk, and from there to all who wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from pypid.errors import NotFound, PypidError, UpstreamFailed
from pypid.interfaces import IWorkers
from pypid.model import File
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.fetch import Fetch, named
from pypid.upstream.files.partial import Partial
from pypid.upstream.files.store import FileTree
from pypid.upstream.files.turns import Turn, Turns
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.client import UpstreamClient

__all__ = ["HELD_BACK", "Download"]

HELD_BACK = 64 * 1024
"""How many bytes of an answer do not leave before the whole file is found right."""


@define(eq=False)
class Download:
    """Fetches a file once, at the upstream's pace, for however many readers, each at its own pace.

    Whoever waits for it says so by :meth:`wanted`; what becomes of it when nobody does is not its
    own concern. The end of any answer, even of one with a part of the file, is held back until the
    length and the digests of the whole are right. If they are not, no reader gets to an end, and
    nothing is kept.
    """

    project: str
    """The normalized name of the project."""
    file: File
    """What its page says of it."""
    modified_ns: int
    """When it was published, if that is known, in nanoseconds since the epoch."""
    _origin: UpstreamClient
    _clock: Any
    _tree: FileTree
    _workers: IWorkers
    _counts: FileCounts
    _limit: int
    _keeping: IWorkers
    _wanted_changed: Callable[[Download], None]
    turn: Turn | None = field(default=None, init=False)
    """Its turn, once it has come."""
    length: int | None = field(init=False)
    """How many bytes there are, as far as that is known."""
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
        """Whether anybody waits for it."""
        return self._wanted > 0

    @property
    def is_right(self) -> bool:
        """Whether all of it is here, and found right."""
        return self._right

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Wait for it, or for some of it, in the block."""
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

    async def run(self, turns: Turns) -> None:
        """Fetch, check and keep the file, when its turn has come. If that fails :meth:`end` tells why."""
        try:
            self.turn = await turns.take(str(Origin.of(self.file.url or "")))
            try:
                await self._run()
            finally:
                turns.release(self.turn)
        except CancelledError:
            self._failure = UpstreamFailed(
                f"{named(self.file)}: it is not fetched to its end, as pypid stops or nobody wanted it"
            )
        except PypidError as error:
            self._fail(error)
        except Exception:
            self._log.failure("Cannot fetch {filename}", filename=self.file.filename)
            self._failure = UpstreamFailed(f"{named(self.file)}: it cannot be fetched")

    async def _run(self) -> None:
        self._partial = await self._workers.run(self._tree.begin, self.project, self.file)
        await self._fetch(self._partial)
        await self._check(self._partial)
        self._right = True
        self._tell()
        await self._keep(self._partial)

    async def end(self) -> None:
        """Tell the readers that it is over, and leave nothing but the file, if that is kept."""
        self._over = True
        self._tell()
        if self._partial is not None:
            await self._workers.run(self._partial.remove)
        self._let_go()

    def _let_go(self) -> None:
        """Close the partial file once all is over and nobody reads it any more."""
        if self._over and self._was_wanted and not self._wanted and self._partial is not None:
            self._workers.run(self._partial.discard)
            self._partial = None

    async def over(self) -> None:
        """Wait until it is over. :raises PypidError: the download failed."""
        while not self._over:
            await self._news()
        self._raise_failure()

    async def answered(self) -> None:
        """Wait until :attr:`length` is known, if it will be before the end."""
        while not (self._answered or self._right):
            await self._news()

    async def whole(self) -> Partial:
        """Wait for the end, and give the file on disk, which may be read as long as it is wanted.

        :raises PypidError: the download failed.
        """
        while not self._right or self._partial is None:
            await self._news()
        return self._partial

    async def read(self, end: int, offset: int, length: int) -> bytes:
        """Give some bytes of an answer that goes to ``end``, when there are some that may leave.

        :raises PypidError: the download failed, or what is there cannot be read.
        """
        while self._ready(end) <= offset and not self._right:
            await self._news()
        if self._partial is None:
            self._raise_failure()
            return b""
        length = min(length, self._ready(end) - offset)
        return await self._workers.run(self._partial.read, offset, max(length, 0))

    def _ready(self, stop: int) -> int:
        """Tell up to which offset bytes may leave of an answer that goes to ``stop``."""
        return self._written if self._right else min(self._written, stop - HELD_BACK)

    async def _fetch(self, partial: Partial) -> None:
        fetch = Fetch(self._origin, self._clock, self.file, bool(partial.digests.expected), self._limit)

        async def write(piece: bytes) -> None:
            if piece:
                await self._workers.run(partial.append, piece)
                self._counts.bytes_from_upstream += len(piece)
                self._written += len(piece)
            self.length = fetch.length
            self._answered = self._answered or fetch.length is not None
            self._tell()

        await fetch.into(write)
        self.length = fetch.received

    async def _check(self, partial: Partial) -> None:
        """See whether the whole is what was promised; if nothing was, promise it from now on."""
        difference = partial.digests.difference()
        if difference is not None:
            self._counts.refused += 1
            raise UpstreamFailed(f"{named(self.file)} is not what its page promises: {difference}")
        if not partial.digests.expected:
            sha256 = partial.digests.found["sha256"]
            await self._workers.run(self._tree.pin, self.project, self.file.filename, sha256)

    async def _keep(self, partial: Partial) -> None:
        """Keep it. Where that fails all who wait have it anyway."""
        try:
            await self._keeping.run(self._tree.keep, partial, self.project, self.file, self.modified_ns)
        except OSError as error:
            self._log.warn("{filename} is not kept: {error}", filename=self.file.filename, error=error)

    async def _news(self) -> None:
        """Wait for something new. :raises PypidError: the download failed."""
        self._raise_failure()
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        await waiting
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _fail(self, error: PypidError) -> None:
        # Without the traceback: that leads back here, and would keep the partial file open for long.
        self._failure = type(error)(str(error))
        if not isinstance(error, NotFound):
            self._counts.failures += 1
            self._log.error("{error}", error=str(error))

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)  # ignored by a Deferred that was cancelled
