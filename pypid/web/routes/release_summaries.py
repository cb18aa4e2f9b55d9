"""Releases for the routes for old clients: with their core metadata, and summaries for searches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from attrs import define, field, frozen
from twisted.internet.defer import DeferredSemaphore

from pypid.errors import InvalidMetadata, NotFound, PypidError, StorageUnavailable
from pypid.formats import core_metadata, json_api
from pypid.index.publishing import Index
from pypid.model import Project
from pypid.runtime.single_flight import SingleFlight
from pypid.web.routes.search_query import Query

__all__ = ["ReleaseSummaries", "ReleaseSummary"]

MAX_REMEMBERED = 200_000
"""Largest number of summaries in memory; each takes one or two hundred bytes."""
MAX_READ = 1_000
"""Largest number of projects whose summaries are read for one search."""
MAX_SEARCHES = 32
"""Largest number of searches that wait for the running one."""
SLICE = 1_000
"""Number of projects that a worker examines at a time."""
MAX_HITS = 100
"""Largest number of projects in the result of a search."""


@frozen
class ReleaseSummary:
    """A one-line description of a project."""

    name: str
    """The name of the project, as its authors spell it."""
    version: str
    """The version with which the project is shown."""
    summary: str
    """The authors' summary of the project; it may be empty."""


@define
class ReleaseSummaries:
    """Finds the local releases, and upstream releases of projects that are requested by name."""

    index: Index
    """The index that has the releases."""
    _summaries: dict[str, tuple[int, ReleaseSummary | None]] = field(factory=dict, init=False)
    _turn: DeferredSemaphore = field(factory=partial(DeferredSemaphore, 1), init=False)
    """Searches examine all local projects, so they run one after the other."""
    _reading: SingleFlight[ReleaseSummary | None] = field(factory=SingleFlight, init=False)

    async def project(self, name: str) -> Project:
        """Return a local project by its normalized name.

        :raises NotFound: the project is not here, even if an upstream has it.
        """
        if await self.index.catalog.project(name) is not None:
            # The index knows which parts of the project may be shown.
            project = await self.index.project(name)
            if isinstance(project, Project):
                return project
        raise NotFound(f"there is no project {name} here")

    async def project_anywhere(self, name: str, *, refresh: bool) -> Project:
        """Return a local or upstream project by its normalized name.

        :param refresh: ask an upstream even if the cached page is fresh.
        :raises PypidError: see :meth:`pypid.index.publishing.Index.project`.
        """
        project = await self.index.project(name, refresh=refresh)
        if isinstance(project, Project):
            return project
        raise NotFound(f"there is no project {name} here")

    async def core_metadata(self, project: Project, version: str | None) -> bytes | None:
        """Return the core metadata of a file of a release, or ``None`` if no file has readable metadata."""
        for file in json_api.release_files(project, version or ""):
            if file.core_metadata is not None:
                try:
                    return (await self.index.core_metadata(project.name, file.filename))[1]
                except PypidError:
                    # The file was removed or changed meanwhile, or its metadata cannot be read.
                    # The rest of the page can still be shown.
                    continue
        return None

    async def summary(self, name: str, serial: int) -> ReleaseSummary | None:
        """Return the one-line description of a project, or ``None`` if the project cannot be shown.

        :param serial: the serial of the project's last change; while it is the same, nothing is read again.
        """
        if not self._is_remembered(name, serial):
            summary = await self._reading.run((name, serial), lambda: self._read(name))
            if len(self._summaries) >= MAX_REMEMBERED:
                self._summaries.clear()
            self._summaries[name] = serial, summary
        return self._summaries[name][1]

    async def search(self, query: Query, projects: Mapping[str, int]) -> Sequence[ReleaseSummary]:
        """Return the matching projects, at most :data:`MAX_HITS`. Projects that match by name come first.

        One search reads at most :data:`MAX_READ` new summaries. Later searches read the others.

        :param projects: the local projects to search, with the serials of their last changes.
        :raises StorageUnavailable: too many searches are waiting.
        """
        if len(self._turn.waiting) >= MAX_SEARCHES:
            raise StorageUnavailable("too many searches at once; try again")
        await self._turn.acquire()
        try:
            return await self._search(query, projects)
        finally:
            self._turn.release()

    async def _search(self, query: Query, projects: Mapping[str, int]) -> Sequence[ReleaseSummary]:
        named: list[str] = []
        others: list[str] = []
        for names in _sliced(projects):
            some, more = await self.index.workers.run(query.candidates, names)
            named += some
            others += more
        candidates = named + others
        for name in await self.index.workers.run(self._unread, candidates, projects):
            await self.summary(name, projects[name])
        hits: list[ReleaseSummary] = []
        for names in _sliced(candidates):
            hits += await self.index.workers.run(self._hits, names, query)
            if len(hits) >= MAX_HITS:
                break
        return hits[:MAX_HITS]

    def _is_remembered(self, name: str, serial: int) -> bool:
        remembered = self._summaries.get(name)
        return remembered is not None and remembered[0] == serial

    def _unread(self, candidates: Sequence[str], projects: Mapping[str, int]) -> Sequence[str]:
        """Return the candidates without a known summary, at most :data:`MAX_READ`. Runs in a worker."""
        unread = (name for name in candidates if not self._is_remembered(name, projects[name]))
        return list(islice(unread, MAX_READ))

    def _hits(self, candidates: Sequence[str], query: Query) -> Sequence[ReleaseSummary]:
        """Return the descriptions of the matching candidates with known summaries. Runs in a worker."""
        remembered = ((name, self._summaries.get(name, (0, None))[1]) for name in candidates)
        hits = (one for name, one in remembered if one is not None and query.matches(name, one.summary))
        return list(islice(hits, MAX_HITS))

    async def _read(self, name: str) -> ReleaseSummary | None:
        try:
            project = await self.project(name)
        except PypidError:
            return None
        version = await self.index.workers.run(json_api.newest_release, project)
        if version is None:
            return None
        found = await self.core_metadata(project, version)
        summary = await self.index.workers.run(_summary, found) if found is not None else ""
        return ReleaseSummary(project.display_name, version, summary)


def _sliced(names: Iterable[str]) -> Iterator[list[str]]:
    """Split names into slices.

    A worker needs only a few milliseconds for a slice, so other tasks have their turns in between.
    """
    remaining = iter(names)
    while batch := list(islice(remaining, SLICE)):
        yield batch


def _summary(found: bytes) -> str:
    """Return the summary in core metadata; it may be empty. This may take a while."""
    try:
        return core_metadata.parse(found).summary or ""
    except InvalidMetadata:
        return ""
