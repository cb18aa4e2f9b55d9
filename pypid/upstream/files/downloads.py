"""The files that are being fetched: each once, and none for long that nobody wants any more."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from pypid.interfaces import IWorkers
from pypid.model import File
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.download import Download
from pypid.upstream.files.store import FileTree
from pypid.upstream.files.turns import Turns
from pypid.upstream.http.client import UpstreamClient

__all__ = ["ABANDONED", "GRACE", "Downloads"]

ABANDONED = 8
"""How many go on that nobody wants any more: who gave up will often ask again."""
GRACE = 120.0
"""For how many seconds they do."""

_Key = tuple[str, str, str | None, int | None, frozenset[tuple[str, str]]]


@define(eq=False)
class Downloads:
    """Begins downloads, and ends those that nobody wants any more.

    What is abandoned gives up its turn. It goes on outside of the turns, a few at a time and for a
    while, and whoever asks for the file meanwhile takes it over as far as it is. What is abandoned
    before its turn has come ends at once.
    """

    _origin: UpstreamClient
    _workers: IWorkers
    _keeping: IWorkers
    """For what may take long: looking through a large cache for what to remove."""
    _reactor: Any
    _tree: FileTree
    _counts: FileCounts
    _limit: int
    ended: int = field(default=0, init=False)
    """How many have ended so far."""
    _turns: Turns = field(init=False)
    _current: dict[_Key, Download] = field(factory=dict, init=False)
    _running: dict[Download, Deferred[None]] = field(factory=dict, init=False)
    _abandoned: dict[Download, IDelayedCall] = field(factory=dict, init=False)

    @_turns.default
    def _make_turns(self) -> Turns:
        return Turns(self._reactor)

    def close(self) -> None:
        """Give all of them up."""
        for running in list(self._running.values()):
            running.cancel()

    def find(self, project: str, file: File) -> Download | None:
        """Return the download of a file, if it is being fetched."""
        return self._current.get(_key(project, file))

    def begin(self, project: str, file: File, modified_ns: int) -> Download:
        """Begin to fetch a file that :meth:`find` does not find. It goes on as long as it is wanted."""
        download = Download(
            project,
            file,
            modified_ns,
            self._origin,
            self._reactor,
            self._tree,
            self._workers,
            self._counts,
            self._limit,
            keeping=self._keeping,
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
            await download.run(self._turns)
        finally:
            self.ended += 1
            del self._current[_key(download.project, download.file)]
            self._forget(download)
            await download.end()

    def _wanted_changed(self, download: Download) -> None:
        """See what is to become of a download that is wanted now, or is not any more."""
        if download.is_wanted:
            if download.turn is not None and self._forget(download):
                self._turns.reclaim(download.turn)
        elif self.find(download.project, download.file) is download and not download.is_right:
            self._abandon(download)

    def _abandon(self, download: Download) -> None:
        if download.turn is None:
            self._running[download].cancel()
            return
        self._abandoned[download] = self._reactor.callLater(GRACE, self._give_up, download)
        self._turns.lend(download.turn)
        if len(self._abandoned) > ABANDONED:
            self._give_up(next(iter(self._abandoned)))

    def _give_up(self, download: Download) -> None:
        self._forget(download)
        self._running[download].cancel()

    def _forget(self, download: Download) -> bool:
        """Count a download no longer among the abandoned ones; return whether it was one."""
        call = self._abandoned.pop(download, None)
        if call is not None and call.active():
            call.cancel()
        return call is not None


def _key(project: str, file: File) -> _Key:
    """Return what tells one fetch from another: a page may come to promise other bytes under an old name."""
    return project, file.filename, file.url, file.size, frozenset(file.hashes.items())
