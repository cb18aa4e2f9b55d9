"""The periodic check for changes to projects that nobody requests: they may be changed by hand."""

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
"""The time between two checks of all fingerprints, in seconds."""
AGAIN = 3
"""The number of further rounds that check a changed project again."""
SHARE = 0.03
"""The greatest share of a processor for checks: with many projects, they are made less often."""
SWEEP = 60.0
"""The time between two sweeps, in seconds. A sweep also scans unchanged projects not saved completely."""
SLICE = 1000
"""The number of projects whose fingerprints are checked in one call of a thread."""


@define(eq=False)
class Upkeep:
    """Checks every second which projects have changed, and scans these.

    A check costs the fingerprint of each project, taken in a thread, or only of those that the storage
    reports as changed. All methods are for the reactor's thread, unless they say otherwise.
    """

    _storage: ThreadedStorage
    _state: CatalogState
    _scanner: Scanner
    _scans: SingleFlight[Project | None]
    """The scans under way, by project."""
    _ask: Callable[..., Awaitable[Any]]
    """Calls a function of :mod:`pypid.catalog.tables`. :raises Unavailable: the tables cannot be used."""
    _prepare: Callable[[bool], Coroutine[Deferred[Any], Any, None]]
    """Reads changes by others and the list of projects. :raises Unavailable: the tables cannot be used."""
    _scan: Callable[[str], Coroutine[Deferred[Any], Any, None]]
    """Scans one project."""
    _workers: IWorkers
    """A thread for fingerprints."""
    _clock: IReactorTime | None
    """The clock for checks; without it, only explicit sweeps are made."""
    _seconds: Callable[[], float]
    """Returns the time in seconds."""
    _start: IDelayedCall | None = field(default=None, init=False)
    _rounds: LoopingCall = field(init=False)
    _is_closed: bool = field(default=False, init=False)
    _fingerprints: dict[str, int] = field(factory=dict, init=False)
    """The hashes of the last fingerprints, by project."""
    _sweeping: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _last_error: str = field(default="", init=False)
    """The error of the last check; empty if it succeeded."""
    _rechecks: dict[str, int] = field(factory=dict, init=False)
    """Projects that changed lately, with the rounds left to check them again, until they have settled."""
    _last_sweep: float | None = field(default=None, init=False)
    _cost: float = field(default=0.0, init=False)
    _resume_at: float = field(default=0.0, init=False)
    _log = Logger()

    def start(self) -> None:
        """Begin the checks when the reactor runs."""
        if self._clock is None:
            return
        self._rounds = LoopingCall(lambda: Deferred.fromCoroutine(self._go_round()))
        self._rounds.clock = self._clock
        self._start = self._clock.callLater(0, self._rounds.start, ROUND)

    def stop(self) -> None:
        """End the checks."""
        self._is_closed = True
        if self._start is not None and self._start.active():
            self._start.cancel()
        if self._start is not None and self._rounds.running:
            self._rounds.stop()

    async def sweep(self) -> None:
        """Scan all projects that are not saved completely, or wait for the sweep under way."""
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
            pass  # the reason was logged; the next round does the rest
        except PypidError as error:
            if self._last_error != str(error):
                self._log.warn("Not all projects could be looked at: {error}", error=str(error))
            self._last_error = str(error)
        except Exception:
            self._log.failure("Not all projects could be looked at")

    async def _check_slice(self, names: Sequence[str], *, is_sweep: bool) -> None:
        """Check the fingerprints of projects, and scan those that changed.

        :raises Unavailable: the tables cannot be used, so it is useless to read files.
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
        """Return the projects to scan, and the processor time of this call in seconds. Runs in a thread."""
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
        """Scan projects, some at a time; those that are requested, or are in the cache, one by one."""
        alone = [name for name in moved if name in self._state.cache]
        together = [name for name in moved if name not in self._state.cache]
        while together and not self._is_closed:
            try:
                found = await self._scanner.scan_some(together)
            except Unavailable:
                raise
            except Exception:  # single scans show which project failed
                alone += together
                break
            together = together[len(found) :]
            for scan, reconciled in found:
                if reconciled is None:
                    alone.append(scan.name)
                elif scan.name not in self._scans and scan.name not in self._state.cache:
                    self._state.apply(scan, reconciled)
        await in_parallel(alone, self._scan)
