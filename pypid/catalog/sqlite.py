"""The catalog: it detects changes, has files read, saves the results, and caches requested projects."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import define, field
from prometheus_client.core import Metric
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pypid.catalog import tables
from pypid.catalog.data_version import DataVersion
from pypid.catalog.database import Database, Unavailable
from pypid.catalog.first_journal import FirstJournal
from pypid.catalog.journal import Journal
from pypid.catalog.parallel import in_parallel
from pypid.catalog.project_cache import CachedProject
from pypid.catalog.reader import Reader
from pypid.catalog.reconciler import Reconciler
from pypid.catalog.scanner import Scanner
from pypid.catalog.serials import LONG
from pypid.catalog.state import CatalogState
from pypid.catalog.upkeep import Upkeep
from pypid.errors import PypidError, StorageUnavailable
from pypid.interfaces import ICatalog, IMeasured, IWorkers
from pypid.model import Change, Project
from pypid.runtime.single_flight import SingleFlight
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.runtime.worker_processes import WorkerProcesses

__all__ = ["SqliteCatalog"]

FEW = 20
"""The greatest number of new and removed projects that are scanned before the list is returned."""

P = ParamSpec("P")
T = TypeVar("T")


@implementer(ICatalog, IMeasured)
@define(eq=False)
class SqliteCatalog:
    """Reads each file once, and scans a project again when its fingerprint changes.

    The results are in an SQLite file, which several processes may share. Pages are right whatever happens
    to that file; changes that cannot be saved now enter the journal later. Only for the reactor's thread.
    """

    storage: ThreadedStorage
    """The storage of the files."""
    path: Path | None
    """The path of the SQLite file; ``None`` keeps the tables in memory."""
    _workers: IWorkers
    """One thread, only for the tables."""
    _clock: IReactorTime | None = None
    """The clock for periodic checks of all projects; without it, there are none."""
    _lookout: IWorkers | None = None
    """One thread for fingerprints and for sorting long lists; default ``_workers``."""
    _processes: WorkerProcesses | None = None
    """Where many files are described; without them, that is done in the threads that read the files."""
    _reconciler: Reconciler = field(init=False)
    _scanner: Scanner = field(init=False)
    _state: CatalogState = field(factory=CatalogState, init=False)
    _journal: Journal = field(init=False)
    _first_journal: FirstJournal = field(init=False)
    _upkeep: Upkeep = field(init=False)
    _list_fingerprint: Hashable = field(factory=object, init=False)
    """The fingerprint of the current list of projects."""
    _listed_names: Sequence[str] | None = field(default=None, init=False)
    """The projects listed at that time."""
    _departures: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _scans: SingleFlight[Project | None] = field(factory=SingleFlight, init=False)
    _tasks: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _sorting: SingleFlight[Mapping[str, int]] = field(factory=SingleFlight, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._reconciler = Reconciler(
            Database(self.path, self._seconds), lambda: int(self._seconds() * 1_000_000)
        )
        self._scanner = Scanner(
            self.storage, self._workers, self._reconciler, Reader(self._processes), lambda: self._closed
        )
        self._journal = Journal(self._state, self._ask, DataVersion(self.path))
        self._first_journal = FirstJournal(
            self.storage,
            self._state,
            self._scanner,
            self._journal,
            self._ask,
            self._clock,
            self._seconds,
            lambda: self._closed,
        )
        self._upkeep = Upkeep(
            storage=self.storage,
            state=self._state,
            scanner=self._scanner,
            scans=self._scans,
            ask=self._ask,
            prepare=self._prepare,
            scan=self._scan_unasked,
            workers=self._lookout or self._workers,
            clock=self._clock,
            seconds=self._seconds,
        )

    def open(self) -> None:
        """Begin the periodic checks when the reactor runs. The state of the file does not matter."""
        self._upkeep.start()

    def collect(self) -> Iterable[Metric]:
        """Return what this process knows of the projects, in numbers."""
        return self._state.collect()

    def close(self) -> None:
        """End the checks, and close the file."""
        self._closed = True
        self._upkeep.stop()
        self._journal.close()
        self._workers.run(self._reconciler.database.close)

    async def projects(self) -> Mapping[str, int]:
        """Return the serial of the last change of each project, by normalized name, sorted by name."""
        await self._journal.catch_up()
        for _ in range(2):
            if self._list_fingerprint == self.storage.fingerprint(None):
                break
            joined = "list" in self._tasks
            await self._tasks.run("list", self._list)
            if not joined:
                break
            # That listing may have begun before the changes that this caller has to see.
        view = self._state.serials.view
        if view is None:
            view = await self._sorting.run(self._state.serials.version, self._sort)
        return view

    async def project(self, name: str) -> Project | None:
        """Return a project by normalized name, or ``None``."""
        for _ in range(2):
            cached = self._state.cache.get(name)
            if cached is not None and cached.fingerprint == self.storage.fingerprint(name):
                return cached.project
            joined = name in self._scans
            project = await self._scans.run(name, lambda: self._scan(name, keep=True))
            if not joined:
                break
            # That scan may have begun before the changes that this caller has to see.
        return project

    def validator(self, name: str, project: Project | None = None) -> Hashable | None:
        """Return a value that differs whenever :meth:`project` may return another project, or ``None``."""
        return self._state.validator(name, project, self.storage.fingerprint)

    def forget(self, name: str) -> None:
        """Scan a project again at the next request."""
        self._state.forget(name)

    async def last_serial(self) -> int:
        """Return the serial of the last change of all that this process knows of, or 0."""
        await self._journal.catch_up()
        return self._state.serials.last

    async def changes(self, since: int, limit: int) -> Sequence[Change]:
        """Return the journal's rows with serials above ``since``, oldest first.

        :raises StorageUnavailable: they cannot be read now.
        """
        return await self._rows(tables.changes, since, limit)

    async def latest(self, limit: int, *, first_only: bool) -> Sequence[Change]:
        """Return the newest rows for new releases, newest first; or only each project's first release."""
        return await self._rows(tables.latest, limit, first_only)

    async def count(self) -> tuple[int, int]:
        """Return the numbers of projects and of files, after a sweep of all projects."""
        await self._upkeep.sweep()
        return await self._ask(tables.count)

    @property
    def saved(self) -> int:
        """The number of projects whose files were all read and saved."""
        return self._state.saved

    async def rebuild(self) -> tuple[int, int, Mapping[str, str]]:
        """Delete the file, and make it anew.

        :returns: the numbers of projects and of files, and the errors of projects that cannot be read.
        :raises StorageUnavailable: the file cannot be deleted or written.
        """
        try:
            await self._workers.run(self._reconciler.database.delete)
            await self._prepare(True)
            projects, files = await self.count()
        except Unavailable as error:
            raise StorageUnavailable(f"{self.path} cannot be written: {error}") from error
        if projects + len(self._state.failing) < len(self._state.serials):
            raise StorageUnavailable(f"{self.path} could not be written to the end: try again")
        return projects, files, dict(self._state.failing)

    async def _rows(self, function: Callable[..., Sequence[Change]], *args: Any) -> Sequence[Change]:
        try:
            return await self._ask(function, *args)
        except Unavailable as error:
            # None would say to a mirror that nothing happened.
            raise StorageUnavailable("the journal cannot be read now") from error

    def _ask(
        self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """Call a function of :mod:`pypid.catalog.tables`. :raises Unavailable: the tables cannot be used."""
        return self._workers.run(lambda: self._reconciler.database.run(function, *args, **kwargs))

    def _seconds(self) -> float:
        return time.time() if self._clock is None else self._clock.seconds()

    async def _list(self, few: int = FEW) -> None:
        """Update the serials with new projects, and with removed ones if there are few of both."""
        await self._journal.load()
        serials, fingerprint = self._state.serials, self.storage.fingerprint(None)
        names, departures = await self.storage.projects(), serials.departures
        listed: Sequence[str] | None = names
        if names is not self._listed_names or departures != self._departures:
            differing = await self._in_thread(len(names), serials.differing, names)
            came = sorted(name for name in differing if name not in serials)
            if len(differing) <= few:
                await in_parallel(sorted(differing), self._scan_unasked)
            elif len(came) < len(differing):
                listed, fingerprint = None, object()  # the next request handles removals
            serials.add(came)
        self._listed_names, self._departures, self._list_fingerprint = listed, departures, fingerprint

    async def _in_thread(self, size: int, function: Callable[..., T], *args: object) -> T:
        """Call a function here, or in a thread if there are many names."""
        return await (self._lookout or self._workers).run(function, *args) if size > LONG else function(*args)

    async def _sort(self) -> Mapping[str, int]:
        """Return all serials sorted by name, and keep that view. The sorting runs in a thread."""
        serials = self._state.serials
        version = serials.version
        view = await self._in_thread(len(serials), serials.sorted, serials.order())
        if version == serials.version:
            serials.keep(view)
        return view

    async def _scan(self, name: str, *, keep: bool) -> Project | None:
        """Scan a project and return it.

        :param keep: whether to cache it, as it was requested.
        """
        await self._journal.load()
        fingerprint = self.storage.fingerprint(name)
        cached = self._state.cache.get(name)
        # A cached absence whose fingerprint has changed is probably a new project by now.
        is_new = cached is None and name not in self._state.serials
        if is_new and await self.storage.project(name) is None:
            self._state.cache.put(name, CachedProject(fingerprint, None))
            return None
        last, least = cached.project if cached is not None else None, self._state.serials[name]
        scan, reconciled, project = await self._scanner.scan(name, last, least, self._first_journal.wait)
        if self._state.apply(scan, reconciled) and (keep or name in self._state.cache):
            self._state.cache.put(name, CachedProject(scan.fingerprint, project))
        return project

    async def _scan_unasked(self, name: str) -> None:
        """Scan a project without a request for it, and log errors."""
        if self._closed:
            return
        try:
            await self._scans.run(name, lambda: self._scan(name, keep=False))
        except PypidError as error:
            if self._state.failing.get(name) != str(error):
                self._log.warn("{project} cannot be looked at: {error}", project=name, error=str(error))
            self._state.failing[name] = str(error)
        except Exception:
            self._log.failure("{project} cannot be looked at", project=name)
            self._state.failing[name] = ""
        else:
            self._state.failing.pop(name, None)

    async def _prepare(self, is_sweep: bool) -> None:
        """Read the changes by other processes and the list of projects, before a check.

        :raises Unavailable: the tables cannot be used.
        """
        await self._journal.load()
        await self._journal.read_on()
        if is_sweep and not await self._ask(tables.numbered):
            await self._first_journal.begin()
        if self._list_fingerprint != self.storage.fingerprint(None):
            await self._tasks.run("new names", lambda: self._list(few=0))
