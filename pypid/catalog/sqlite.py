"""The catalog: it notices what changed, has it read and written down, and keeps at hand what is asked for."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from zope.interface import implementer

from pypid.catalog import tables
from pypid.catalog.database import Database, Unavailable
from pypid.catalog.entries import Entry
from pypid.catalog.known import Known
from pypid.catalog.parallel import in_parallel
from pypid.catalog.reading import Reader
from pypid.catalog.scanning import Scanner
from pypid.catalog.settling import Settler
from pypid.errors import PypidError
from pypid.interfaces import ICatalog, IWorkers
from pypid.model import Change, Project
from pypid.tasks import SingleFlight
from pypid.threaded_storage import ThreadedStorage

__all__ = ["SqliteCatalog"]

SWEEP = 60.0
"""How often, in seconds, all projects are looked at."""
SLICE = 100
"""How many are looked at before the reactor gets its turn."""
PATIENCE = 1.0
"""How long, in seconds, pages wait for the journal of a new catalog to begin; only serials are in it."""
MANY = 100
"""With more projects than that it takes too long, and pages come without their serials until then."""
FEW = 20
"""So many projects that come or go are looked at before the list of all is given."""

P = ParamSpec("P")
T = TypeVar("T")


@implementer(ICatalog)
@define(eq=False)
class SqliteCatalog:
    """Reads each file once, and looks at a project again when its fingerprint moves.

    What was read is in an SQLite file, which several processes may share. Whatever happens to
    that file, pages are right; what it cannot take down now comes into the journal later.
    """

    storage: ThreadedStorage
    """Where the files are."""
    path: Path | None
    """Where the tables are; ``None`` keeps them in memory."""
    _workers: IWorkers
    """One thread, for the tables alone."""
    _clock: IReactorTime | None = None
    """When to look for what nobody asks for; without it, that is never done."""
    _settler: Settler = field(init=False)
    _scanner: Scanner = field(init=False)
    _known: Known = field(factory=Known, init=False)
    _listed: Hashable = field(factory=object, init=False)
    """With which fingerprint the list of projects was right."""
    _loaded: bool = field(default=False, init=False)
    _began: float = field(default=0.0, init=False)
    """When the putting together of a new journal began."""
    _closed: bool = field(default=False, init=False)
    _start: IDelayedCall | None = field(default=None, init=False)
    _sweeps: LoopingCall = field(init=False)
    _scans: SingleFlight[Project | None] = field(factory=SingleFlight, init=False)
    _chores: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._settler = Settler(Database(self.path, self._seconds), lambda: int(self._seconds() * 1_000_000))
        self._scanner = Scanner(self.storage, self._workers, self._settler, Reader(), lambda: self._closed)
        self._sweeps = LoopingCall(lambda: self._chores.run("sweep", self._sweep))

    def open(self) -> None:
        """Look for what changes, as soon as the reactor runs; whatever the file is like, that will do."""
        if self._clock is not None:
            self._sweeps.clock = self._clock
            self._start = self._clock.callLater(0, self._sweeps.start, SWEEP)

    def close(self) -> None:
        """Let go of everything."""
        self._closed = True
        if self._start is not None and self._start.active():
            self._start.cancel()
        if self._sweeps.running:
            self._sweeps.stop()
        self._workers.run(self._settler.database.close)

    async def projects(self) -> Mapping[str, int]:
        """Give the serial of the last change of each project, by normalized name, sorted by name."""
        if self._listed != self.storage.fingerprint(None):
            await self._chores.run("list", self._list)
        return self._known.serials.view

    async def project(self, name: str) -> Project | None:
        """Give a project by normalized name, or ``None``."""
        for _ in range(2):
            entry = self._known.entries.get(name)
            if entry is not None and entry.fingerprint == self.storage.fingerprint(name):
                return entry.project
            joined = name in self._scans
            project = await self._scans.run(name, lambda: self._scan(name, keep=True))
            if not joined:
                break
            # That one may have listed the project before what this caller knows to be there.
        return project

    def edition(self, name: str) -> Hashable | None:
        """Give a value that differs whenever :meth:`project` may give another project, or ``None``."""
        return self._known.edition(name, self.storage.fingerprint(name))

    def forget(self, name: str) -> None:
        """Look at a project anew when it is next asked for."""
        self._known.forget(name)

    async def last_serial(self) -> int:
        """Give the serial of the last change of all that this process heard of; 0 if there was none yet."""
        await self._load()
        return self._known.serials.last

    async def changes(self, since: int, limit: int) -> Sequence[Change]:
        """Give the journal's rows with serials above ``since``, oldest first; none if they cannot be had."""
        return await self._journal(tables.changes, since, limit)

    async def latest(self, limit: int, *, first_only: bool) -> Sequence[Change]:
        """Give the newest rows that are new releases, newest first; or only each project's first one."""
        return await self._journal(tables.latest, limit, first_only)

    async def count(self) -> tuple[int, int]:
        """Return how many projects and files there are, once all were looked at."""
        await self._chores.run("sweep", self._sweep)
        return await self._ask(tables.count)

    async def _journal(self, function: Callable[..., Sequence[Change]], *args: Any) -> Sequence[Change]:
        try:
            return await self._ask(function, *args)
        except Unavailable:
            return []

    def _ask(
        self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """Call a function of :mod:`pypid.catalog.tables`. :raises Unavailable: they cannot be used."""
        return self._workers.run(lambda: self._settler.database.run(function, *args, **kwargs))

    def _seconds(self) -> float:
        return time.time() if self._clock is None else self._clock.seconds()

    async def _list(self) -> None:
        """Hear of projects that came or went."""
        await self._load()
        fingerprint = self.storage.fingerprint(None)
        names = set(await self.storage.projects())
        moved = names ^ self._known.serials.view.keys()
        if len(moved) <= FEW:
            await in_parallel(sorted(moved), self._look)
        self._known.serials.add(names)
        self._listed = fingerprint

    async def _load(self, *, again: bool = False) -> None:
        """Hear of what is in the tables."""
        if again or not self._loaded:
            with suppress(Unavailable):
                self._known.serials.update(
                    await self._ask(tables.serials), await self._ask(tables.last_serial)
                )
                self._loaded = True

    async def _scan(self, name: str, *, keep: bool) -> Project | None:
        """Find out what a project is now.

        :param keep: whether it is asked for, and not only looked at.
        """
        await self._load()
        fingerprint = self.storage.fingerprint(name)
        entry = self._known.entries.get(name)
        # One that was not there, and where something has moved since, is likely to be there now.
        is_new = entry is None and name not in self._known.serials
        if is_new and await self.storage.project(name) is None:
            self._known.entries.put(name, Entry(fingerprint, None))
            return None
        last, least = entry.project if entry is not None else None, self._known.serials[name]
        look, settled, project = await self._scanner.scan(name, last, least, self._wait_for_journal)
        if self._known.hear(look, settled) and (keep or name in self._known.entries):
            self._known.entries.put(name, Entry(look.fingerprint, project))
        return project

    async def _look(self, name: str) -> None:
        """See what became of a project that nobody may ask for."""
        if self._closed:
            return
        try:
            await self._scans.run(name, lambda: self._scan(name, keep=False))
        except PypidError as error:
            self._log.warn("{project} cannot be looked at: {error}", project=name, error=str(error))
        except Exception:
            self._log.failure("{project} cannot be looked at", project=name)

    async def _look_at_slice(self, numbered: tuple[int, Sequence[str]]) -> None:
        """See what became of projects of which some may have changed.

        :raises Unavailable: it would be in vain to read files now.
        """
        number, names = numbered
        if number and self._clock is not None:
            await deferLater(self._clock, 0)
        moved = [name for name in names if not self._known.is_settled(name, self.storage.fingerprint(name))]
        if moved:
            await self._ask(tables.numbered)
            await self._look_at(moved)

    async def _look_at(self, moved: Sequence[str]) -> None:
        """See what became of projects, some at a time, but for those that are, or were, asked for."""
        alone = [name for name in moved if name in self._known.entries]
        together = [name for name in moved if name not in self._known.entries]
        while together and not self._closed:
            try:
                found = await self._scanner.scan_some(together)
            except Unavailable:
                raise
            except Exception:  # whose fault it is shows when each is looked at
                alone += together
                break
            together = together[len(found) :]
            for look, settled in found:
                if settled is None:
                    alone.append(look.name)
                elif look.name not in self._scans and look.name not in self._known.entries:
                    self._known.hear(look, settled)
        await in_parallel(alone, self._look)

    async def _sweep(self) -> None:
        """Look at all projects, also at those that were never read."""
        try:
            await self._load(again=True)
            if not await self._ask(tables.numbered):
                await self._chores.run("number", self._number)
            await self._names()
            names = list(self._known.serials.view)
            slices = [names[start : start + SLICE] for start in range(0, len(names), SLICE)]
            await in_parallel(enumerate(slices), self._look_at_slice)
        except Unavailable:
            pass  # it was said why; what is left comes with the next sweep
        except PypidError as error:
            self._log.warn("Not all projects could be looked at: {error}", error=str(error))
        except Exception:
            self._log.failure("Not all projects could be looked at")

    async def _wait_for_journal(self) -> None:
        """Wait until a new catalog's journal has begun, but no page is to wait for long."""
        is_long = len(self._known.serials or await self._names()) > MANY
        waiting = self._chores.run("number", self._number)
        if self._clock is not None:
            patience = 0 if is_long else max(0, self._began + PATIENCE - self._clock.seconds())
            waiting.addTimeout(patience, self._clock)
        with suppress(TimedOut, PypidError):
            await waiting

    async def _names(self) -> Sequence[str]:
        """Name all projects."""
        names = await self.storage.projects()
        self._known.serials.add(names)
        return names

    async def _number(self) -> None:
        """Begin the journal with all that is there, in the order of its publication.

        :raises Unavailable: the tables cannot be used.
        """
        self._began = self._seconds()
        self._known.unsettle()
        left = await self._names()
        while left:
            if self._closed:
                raise Unavailable("the catalog is closed")
            left = await self._scanner.note(left)
        await self._ask(tables.number, self._known.serials.last, self._settler.now())
        await self._load(again=True)
        self._known.entries.clear()  # what was put together without its serial
