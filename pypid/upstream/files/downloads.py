"""All current downloads of an upstream: one for each file, abandoned ones only for a while."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pypid.interfaces import IWorkers
from pypid.model import File
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.download import Download
from pypid.upstream.files.download_slots import DownloadSlots
from pypid.upstream.files.store import FileStore
from pypid.upstream.http.client import UpstreamClient

__all__ = ["ABANDONED", "GRACE", "Downloads"]

ABANDONED = 8
"""Number of downloads that go on without readers, because clients that gave up often ask again."""
GRACE = 120.0
"""For how many seconds a download goes on without readers."""

_Key = tuple[str, str, str | None, int | None, frozenset[tuple[str, str]]]


@define(eq=False)
class Downloads:
    """Begins downloads, and ends downloads without readers.

    A download that is abandoned, because its last reader left, gives up its slot. It goes on without
    one for a while, a few such downloads at a time, and a new reader takes it over where it is. A
    download that is abandoned before it has a slot ends at once.
    """

    _client: UpstreamClient
    _workers: IWorkers
    _slow_workers: IWorkers
    """For slow work: going through a large cache to evict files."""
    _reactor: IReactorTime
    _store: FileStore
    _counts: FileCounts
    _limit: int
    ended: int = field(default=0, init=False)
    """Number of downloads that have ended so far."""
    _slots: DownloadSlots = field(init=False)
    _current: dict[_Key, Download] = field(factory=dict, init=False)
    _running: dict[Download, Deferred[None]] = field(factory=dict, init=False)
    _abandoned: dict[Download, IDelayedCall] = field(factory=dict, init=False)

    @_slots.default
    def _make_slots(self) -> DownloadSlots:
        return DownloadSlots(self._reactor)

    def close(self) -> None:
        """Cancel all downloads."""
        for running in list(self._running.values()):
            running.cancel()

    def find(self, project: str, file: File) -> Download | None:
        """Return the current download of a file, if there is one."""
        return self._current.get(_key(project, file))

    def begin(self, project: str, file: File, modified_ns: int) -> Download:
        """Begin the download of a file for which :meth:`find` returned ``None``."""
        download = Download(
            project,
            file,
            modified_ns,
            self._client,
            self._reactor,
            self._store,
            self._workers,
            self._counts,
            self._limit,
            slow_workers=self._slow_workers,
            wanted_changed=self._wanted_changed,
        )
        self._counts.downloads += 1
        self._current[_key(project, file)] = download
        running = self._running[download] = Deferred.fromCoroutine(self._run(download))
        running.addBoth(self._done, download)
        return download

    def _done(self, outcome: object, download: Download) -> object:
        del self._running[download]
        return outcome

    async def _run(self, download: Download) -> None:
        try:
            await download.run(self._slots)
        finally:
            self.ended += 1
            del self._current[_key(download.project, download.file)]
            self._forget(download)
            await download.end()

    def _wanted_changed(self, download: Download) -> None:
        """Abandon a download whose last reader left, or take its slot back for its first new one."""
        if download.is_wanted:
            if download.slot is not None and self._forget(download):
                self._slots.reclaim(download.slot)
        elif self.find(download.project, download.file) is download and not download.is_right:
            self._abandon(download)

    def _abandon(self, download: Download) -> None:
        if download.slot is None:
            self._running[download].cancel()
            return
        self._abandoned[download] = self._reactor.callLater(GRACE, self._give_up, download)
        self._slots.lend(download.slot)
        if len(self._abandoned) > ABANDONED:
            self._give_up(next(iter(self._abandoned)))

    def _give_up(self, download: Download) -> None:
        self._forget(download)
        self._running[download].cancel()

    def _forget(self, download: Download) -> bool:
        """Remove a download from the abandoned ones; return whether it was one of them."""
        call = self._abandoned.pop(download, None)
        if call is not None and call.active():
            call.cancel()
        return call is not None


def _key(project: str, file: File) -> _Key:
    """Return the key of a download. A page may later promise other bytes under the same file name."""
    return project, file.filename, file.url, file.size, frozenset(file.hashes.items())
