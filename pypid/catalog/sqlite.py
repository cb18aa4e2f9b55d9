"""The catalog: it notices what changed, has it read and written down, and keeps at hand what is asked for."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pypid.catalog import tables
from pypid.catalog.database import Database, Unavailable
from pypid.catalog.journal import Journal
from pypid.catalog.parallel import in_parallel
from pypid.catalog.project_cache import CachedProject
from pypid.catalog.reader import Reader
from pypid.catalog.reconciler import Reconciler
from pypid.catalog.scanner import Scanner
from pypid.catalog.serials import LONG
from pypid.catalog.state import CatalogState
from pypid.catalog.upkeep import Upkeep
from pypid.catalog.writings import Writings
from pypid.errors import PypidError
from pypid.interfaces import ICatalog, IWorkers
from pypid.model import Change, Project
from pypid.runtime.single_flight import SingleFlight
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["SqliteCatalog"]

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
    _lookout: IWorkers | None = None
    """One thread, to see what has moved and to sort long lists; without it, that for the tables."""
    _settler: Reconciler = field(init=False)
    _scanner: Scanner = field(init=False)
    _known: CatalogState = field(factory=CatalogState, init=False)
    _journal: Journal = field(init=False)
    _upkeep: Upkeep = field(init=False)
    _listed: Hashable = field(factory=object, init=False)
    """With which fingerprint the list of projects was right."""
    _names: Sequence[str] | None = field(default=None, init=False)
    """The projects that were listed then."""
    _departures: int = field(default=0, init=False)
    _began: float = field(default=0.0, init=False)
    """When the putting together of a new journal began."""
    _closed: bool = field(default=False, init=False)
    _scans: SingleFlight[Project | None] = field(factory=SingleFlight, init=False)
    _chores: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _sorting: SingleFlight[Mapping[str, int]] = field(factory=SingleFlight, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._settler = Reconciler(
            Database(self.path, self._seconds), lambda: int(self._seconds() * 1_000_000)
        )
        self._scanner = Scanner(self.storage, self._workers, self._settler, Reader(), lambda: self._closed)
        self._journal = Journal(self._known, self._ask, Writings(self.path))
        self._upkeep = Upkeep(
            storage=self.storage,
            known=self._known,
            scanner=self._scanner,
            scans=self._scans,
            ask=self._ask,
            prepare=self._prepare,
            look=self._look,
            workers=self._lookout or self._workers,
            clock=self._clock,
            seconds=self._seconds,
        )

    def open(self) -> None:
        """Look for what changes, as soon as the reactor runs; whatever the file is like, that will do."""
        self._upkeep.start()

    def close(self) -> None:
        """Let go of everything."""
        self._closed = True
        self._upkeep.stop()
        self._journal.close()
        self._workers.run(self._settler.database.close)

    async def projects(self) -> Mapping[str, int]:
        """Give the serial of the last change of each project, by normalized name, sorted by name."""
        await self._journal.catch_up()
        for _ in range(2):
            if self._listed == self.storage.fingerprint(None):
                break
            joined = "list" in self._chores
            await self._chores.run("list", self._list)
            if not joined:
                break
            # That one may have listed them before what this caller knows to be there.
        view = self._known.serials.view
        if view is None:
            view = await self._sorting.run(self._known.serials.version, self._sort)
        return view

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
        await self._journal.catch_up()
        return self._known.serials.last

    async def changes(self, since: int, limit: int) -> Sequence[Change]:
        """Give the journal's rows with serials above ``since``, oldest first; none if they cannot be had."""
        return await self._rows(tables.changes, since, limit)

    async def latest(self, limit: int, *, first_only: bool) -> Sequence[Change]:
        """Give the newest rows that are new releases, newest first; or only each project's first one."""
        return await self._rows(tables.latest, limit, first_only)

    async def count(self) -> tuple[int, int]:
        """Return how many projects and files there are, once all were looked at."""
        await self._upkeep.sweep()
        return await self._ask(tables.count)

    async def _rows(self, function: Callable[..., Sequence[Change]], *args: Any) -> Sequence[Change]:
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

    async def _list(self, few: int = FEW) -> None:
        """Hear of projects that came or went; of those that went only if they are few."""
        await self._journal.load()
        serials, fingerprint = self._known.serials, self.storage.fingerprint(None)
        names, departures = await self.storage.projects(), serials.departures
        listed: Sequence[str] | None = names
        if names is not self._names or departures != self._departures:
            moved = await self._in_thread(len(names), serials.differing, names)
            came = sorted(name for name in moved if name not in serials)
            if len(moved) <= few:
                await in_parallel(sorted(moved), self._look)
            elif len(came) < len(moved):
                listed, fingerprint = None, object()  # some went: who asks for the list is to see to that
            serials.add(came)
        self._names, self._departures, self._listed = listed, departures, fingerprint

    async def _in_thread(self, size: int, function: Callable[..., T], *args: object) -> T:
        """Call a function here, or in a thread if so many names take long."""
        return await (self._lookout or self._workers).run(function, *args) if size > LONG else function(*args)

    async def _sort(self) -> Mapping[str, int]:
        """Put all serials into the order of names, in a thread since they are many."""
        serials = self._known.serials
        version = serials.version
        view = await self._in_thread(len(serials), serials.sorted, serials.order())
        if version == serials.version:
            serials.keep(view)
        return view

    async def _scan(self, name: str, *, keep: bool) -> Project | None:
        """Find out what a project is now.

        :param keep: whether it is asked for, and not only looked at.
        """
        await self._journal.load()
        fingerprint = self.storage.fingerprint(name)
        entry = self._known.entries.get(name)
        # One that was not there, and where something has moved since, is likely to be there now.
        is_new = entry is None and name not in self._known.serials
        if is_new and await self.storage.project(name) is None:
            self._known.entries.put(name, CachedProject(fingerprint, None))
            return None
        last, least = entry.project if entry is not None else None, self._known.serials[name]
        look, settled, project = await self._scanner.scan(name, last, least, self._wait_for_journal)
        if self._known.hear(look, settled) and (keep or name in self._known.entries):
            self._known.entries.put(name, CachedProject(look.fingerprint, project))
        return project

    async def _look(self, name: str) -> None:
        """See what became of a project that nobody may ask for."""
        if self._closed:
            return
        try:
            await self._scans.run(name, lambda: self._scan(name, keep=False))
        except PypidError as error:
            if self._known.failing.get(name) != str(error):
                self._log.warn("{project} cannot be looked at: {error}", project=name, error=str(error))
            self._known.failing[name] = str(error)
        except Exception:
            self._log.failure("{project} cannot be looked at", project=name)
            self._known.failing[name] = ""
        else:
            self._known.failing.pop(name, None)

    async def _prepare(self, is_sweep: bool) -> None:
        """Hear of what others wrote, and which projects there are, before some are looked at.

        :raises Unavailable: the tables cannot be used.
        """
        await self._journal.load()
        await self._journal.read_on()
        if is_sweep and not await self._ask(tables.numbered):
            await self._chores.run("number", self._number)
        if self._listed != self.storage.fingerprint(None):
            await self._chores.run("new names", lambda: self._list(few=0))

    async def _wait_for_journal(self) -> None:
        """Wait until a new catalog's journal has begun, but no page is to wait for long."""
        is_long = len(self._known.serials or await self._all_names()) > MANY
        waiting = self._chores.run("number", self._number)
        if self._clock is not None:
            patience = 0 if is_long else max(0, self._began + PATIENCE - self._clock.seconds())
            waiting.addTimeout(patience, self._clock)
        with suppress(TimedOut, PypidError):
            await waiting

    async def _all_names(self) -> Sequence[str]:
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
        left = await self._all_names()
        while left:
            if self._closed:
                raise Unavailable("the catalog is closed")
            left = await self._scanner.note(left)
        await self._ask(tables.number, self._known.serials.last, self._settler.now())
        await self._journal.load(again=True)
        self._known.entries.clear()  # what was put together without its serial
