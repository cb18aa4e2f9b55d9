"""What is done to know of changes that nobody asks for: hands may change any project at any time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pypid.catalog import tables
from pypid.catalog.database import Unavailable
from pypid.catalog.parallel import in_parallel
from pypid.catalog.scanner import Scanner
from pypid.catalog.state import CatalogState
from pypid.errors import PypidError
from pypid.interfaces import IWorkers
from pypid.model import Project
from pypid.runtime.single_flight import SingleFlight
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["ROUND", "SLICE", "SWEEP", "Upkeep"]

ROUND = 1.0
"""How often, in seconds, it is seen which projects have moved."""
AGAIN = 3
"""In so many rounds is seen again what has moved."""
SHARE = 0.03
"""How much of a processor that may take: where there are many projects, it is done less often."""
SWEEP = 60.0
"""How often, in seconds, those are looked at as well that did not move, but were not written down whole."""
SLICE = 1000
"""Of so many projects it is seen in one go whether they have moved."""


@define(eq=False)
class Upkeep:
    """Sees every second which projects have moved, and has these looked at.

    To see that costs no more than the fingerprint of each, taken in a thread; or only of those that the
    storage says have moved.
    """

    _storage: ThreadedStorage
    _state: CatalogState
    _scanner: Scanner
    _scans: SingleFlight[Project | None]
    """Projects that are being looked at."""
    _ask: Callable[..., Awaitable[Any]]
    """Calls a function of :mod:`pypid.catalog.tables`. :raises Unavailable: they cannot be used."""
    _prepare: Callable[[bool], Coroutine[Deferred[Any], Any, None]]
    """Hears of what others wrote, and which projects there are. :raises Unavailable: it is in vain."""
    _scan: Callable[[str], Coroutine[Deferred[Any], Any, None]]
    """Sees what became of one project."""
    _workers: IWorkers
    """A thread to take fingerprints in."""
    _clock: IReactorTime | None
    """When to look; without it, that is done when it is asked for alone."""
    _seconds: Callable[[], float]
    """The time in seconds."""
    _start: IDelayedCall | None = field(default=None, init=False)
    _rounds: LoopingCall = field(init=False)
    _is_closed: bool = field(default=False, init=False)
    _fingerprints: dict[str, int] = field(factory=dict, init=False)
    """The hashes of the fingerprints with which projects were seen."""
    _sweeping: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _last_error: str = field(default="", init=False)
    """Why not all could be looked at the last time."""
    _rechecks: dict[str, int] = field(factory=dict, init=False)
    """What moved lately: in how many rounds it is to be seen again, as what had not settled has then."""
    _last_sweep: float | None = field(default=None, init=False)
    _cost: float = field(default=0.0, init=False)
    _resume_at: float = field(default=0.0, init=False)
    _log = Logger()

    def start(self) -> None:
        """Begin as soon as the reactor runs."""
        if self._clock is None:
            return
        self._rounds = LoopingCall(lambda: Deferred.fromCoroutine(self._go_round()))
        self._rounds.clock = self._clock
        self._start = self._clock.callLater(0, self._rounds.start, ROUND)

    def stop(self) -> None:
        """Begin no more."""
        self._is_closed = True
        if self._start is not None and self._start.active():
            self._start.cancel()
        if self._start is not None and self._rounds.running:
            self._rounds.stop()

    async def sweep(self) -> None:
        """Look at all projects, or wait until that is done if it is under way."""
        await self._sweeping.run(None, lambda: self._check_all(is_sweep=True))

    async def _go_round(self) -> None:
        now = self._seconds()
        if self._last_sweep is None or not 0 <= now - self._last_sweep < SWEEP:
            await self.sweep()
        elif None not in self._sweeping:
            await self._check_all(is_sweep=False)

    async def _check_all(self, *, is_sweep: bool) -> None:
        now = self._seconds()
        try:
            await self._prepare(is_sweep)
            if not is_sweep and 0 <= self._resume_at - now < SWEEP:
                return
            self._cost = 0.0
            names = self._state.serials.names()
            slices = [names[start : start + SLICE] for start in range(0, len(names), SLICE)]
            await in_parallel(slices, lambda some: self._check_slice(some, is_sweep=is_sweep))
            if is_sweep:
                self._last_sweep = now
                for name in self._fingerprints.keys() - set(names):
                    self._fingerprints.pop(name, None)
            self._resume_at = now + self._cost / SHARE
            self._last_error = ""
        except Unavailable:
            pass  # it was said why; what is left comes with the next round
        except PypidError as error:
            if self._last_error != str(error):
                self._log.warn("Not all projects could be looked at: {error}", error=str(error))
            self._last_error = str(error)
        except Exception:
            self._log.failure("Not all projects could be looked at")

    async def _check_slice(self, names: Sequence[str], *, is_sweep: bool) -> None:
        """See what became of projects of which some may have changed.

        :raises Unavailable: it would be in vain to read files now.
        """
        moved, seconds = await self._workers.run(self._find_moved, names, is_sweep)
        self._cost += seconds
        if not moved or self._is_closed:
            return
        try:
            await self._ask(tables.numbered)
            await self._scan_moved(moved)
        except BaseException:
            for name in moved:
                self._fingerprints.pop(name, None)
            raise

    def _find_moved(self, names: Sequence[str], is_sweep: bool) -> tuple[Sequence[str], float]:
        """Return which projects are to be looked at, and the seconds that this took; runs in a thread."""
        began, moved = time.thread_time(), []
        suspects = {*self._storage.moved(names), *self._rechecks}
        for name in names:
            if not is_sweep and (name not in suspects or name in self._state.failing):
                continue
            self._count_down(name)
            fingerprint = self._storage.fingerprint(name)
            mark = hash(fingerprint)
            is_unchanged = self._fingerprints.get(name) == mark
            self._fingerprints[name] = mark
            if (is_sweep or not is_unchanged) and not self._state.is_saved(name, fingerprint):
                moved.append(name)
                self._rechecks[name] = AGAIN
        return moved, time.thread_time() - began

    def _count_down(self, name: str) -> None:
        left = self._rechecks.pop(name, 0)
        if left > 1:
            self._rechecks[name] = left - 1

    async def _scan_moved(self, moved: Sequence[str]) -> None:
        """See what became of projects, some at a time, but for those that are, or were, asked for."""
        alone = [name for name in moved if name in self._state.cache]
        together = [name for name in moved if name not in self._state.cache]
        while together and not self._is_closed:
            try:
                found = await self._scanner.scan_some(together)
            except Unavailable:
                raise
            except Exception:  # whose fault it is shows when each is looked at
                alone += together
                break
            together = together[len(found) :]
            for scan, reconciled in found:
                if reconciled is None:
                    alone.append(scan.name)
                elif scan.name not in self._scans and scan.name not in self._state.cache:
                    self._state.apply(scan, reconciled)
        await in_parallel(alone, self._scan)
