"""Releases as the pages for old clients show them: with what their core metadata says."""

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

__all__ = ["Headline", "Releases"]

MAX_REMEMBERED = 200_000
"""How many headlines are kept in memory; they are a hundred bytes or two each."""
MAX_READ = 1_000
"""How many projects one search reads the summaries of."""
MAX_SEARCHES = 32
"""How many searches wait for the one that is made now."""
SLICE = 1_000
"""How many projects a worker looks through at a time."""
MAX_HITS = 100
"""How many projects a search finds."""


@frozen
class Headline:
    """A project in a line."""

    name: str
    """Its name as its authors spell it."""
    version: str
    """The version that it is shown with."""
    summary: str
    """What its authors say that it is, maybe nothing."""


@define
class Releases:
    """The releases that are here, and, of projects that are asked for by name, those upstream."""

    index: Index
    """Where they are."""
    _headlines: dict[str, tuple[int, Headline | None]] = field(factory=dict, init=False)
    _turn: DeferredSemaphore = field(factory=partial(DeferredSemaphore, 1), init=False)
    """Searches go through all that is here, so they are made one after the other."""
    _reading: SingleFlight[Headline | None] = field(factory=SingleFlight, init=False)

    async def project(self, name: str) -> Project:
        """Give a project that is here, by normalized name.

        :raises NotFound: it is not here, whether or not an upstream has it.
        """
        if await self.index.catalog.project(name) is not None:
            # The index knows what may be shown of it.
            project = await self.index.project(name)
            if isinstance(project, Project):
                return project
        raise NotFound(f"there is no project {name} here")

    async def project_anywhere(self, name: str, *, refresh: bool) -> Project:
        """Give a project that is here or upstream, by normalized name.

        :param refresh: ask an upstream even if what it keeps is fresh.
        :raises PypidError: as :meth:`pypid.index.publishing.Index.project` says.
        """
        project = await self.index.project(name, refresh=refresh)
        if isinstance(project, Project):
            return project
        raise NotFound(f"there is no project {name} here")

    async def core_metadata(self, project: Project, version: str | None) -> bytes | None:
        """Give the core metadata of one of a release's files, if any has some to be had."""
        for file in json_api.release_files(project, version or ""):
            if file.core_metadata is not None:
                try:
                    return (await self.index.core_metadata(project.name, file.filename))[1]
                except PypidError:
                    # It was removed or changed meanwhile, or cannot be read; the rest of the page can.
                    continue
        return None

    async def headline(self, name: str, serial: int) -> Headline | None:
        """Give a project in a line, or ``None`` if there is nothing of it to be had.

        :param serial: that of its last change; while it is the same, nothing is read again.
        """
        if not self._is_remembered(name, serial):
            headline = await self._reading.run((name, serial), lambda: self._read(name))
            if len(self._headlines) >= MAX_REMEMBERED:
                self._headlines.clear()
            self._headlines[name] = serial, headline
        return self._headlines[name][1]

    async def search(self, query: Query, projects: Mapping[str, int]) -> Sequence[Headline]:
        """Find at most :data:`MAX_HITS` projects; those found by name come first.

        Of a large index, the summaries that were not read yet are left to the next search.

        :param projects: where to look: projects that are here, with the serials of their last changes.
        :raises StorageUnavailable: too many searches wait already.
        """
        if len(self._turn.waiting) >= MAX_SEARCHES:
            raise StorageUnavailable("too many searches at once; try again")
        await self._turn.acquire()
        try:
            return await self._search(query, projects)
        finally:
            self._turn.release()

    async def _search(self, query: Query, projects: Mapping[str, int]) -> Sequence[Headline]:
        named: list[str] = []
        others: list[str] = []
        for names in _sliced(projects):
            some, more = await self.index.workers.run(query.candidates, names)
            named += some
            others += more
        candidates = named + others
        for name in await self.index.workers.run(self._unread, candidates, projects):
            await self.headline(name, projects[name])
        hits: list[Headline] = []
        for names in _sliced(candidates):
            hits += await self.index.workers.run(self._hits, names, query)
            if len(hits) >= MAX_HITS:
                break
        return hits[:MAX_HITS]

    def _is_remembered(self, name: str, serial: int) -> bool:
        remembered = self._headlines.get(name)
        return remembered is not None and remembered[0] == serial

    def _unread(self, candidates: Sequence[str], projects: Mapping[str, int]) -> Sequence[str]:
        """Choose what a search reads; runs in a worker."""
        unread = (name for name in candidates if not self._is_remembered(name, projects[name]))
        return list(islice(unread, MAX_READ))

    def _hits(self, candidates: Sequence[str], query: Query) -> Sequence[Headline]:
        """Choose what a search finds, of what was read; runs in a worker."""
        remembered = ((name, self._headlines.get(name, (0, None))[1]) for name in candidates)
        hits = (one for name, one in remembered if one is not None and query.matches(name, one.summary))
        return list(islice(hits, MAX_HITS))

    async def _read(self, name: str) -> Headline | None:
        try:
            project = await self.project(name)
        except PypidError:
            return None
        version = await self.index.workers.run(json_api.newest_release, project)
        if version is None:
            return None
        found = await self.core_metadata(project, version)
        summary = await self.index.workers.run(_summary, found) if found is not None else ""
        return Headline(project.display_name, version, summary)


def _sliced(names: Iterable[str]) -> Iterator[list[str]]:
    """Cut names into slices that a worker goes through in a few milliseconds, so that others have turns."""
    remaining = iter(names)
    while batch := list(islice(remaining, SLICE)):
        yield batch


def _summary(found: bytes) -> str:
    """Return the summary in core metadata, maybe an empty one; it may take a while."""
    try:
        return core_metadata.parse(found).summary or ""
    except InvalidMetadata:
        return ""
