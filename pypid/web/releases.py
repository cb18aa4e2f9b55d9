"""Releases as the pages for old clients show them: with what their core metadata says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from attrs import define, field, frozen

from pypid import legacy, metadata
from pypid.errors import InvalidMetadata, NotFound, PypidError
from pypid.index import Index
from pypid.model import Project
from pypid.tasks import SingleFlight
from pypid.web.search import Query

__all__ = ["Headline", "Releases"]

MAX_REMEMBERED = 200_000
"""How many headlines are kept in memory; they are a hundred bytes or two each."""
MAX_READ = 1_000
"""How many projects one search reads the summaries of."""
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
        :raises PypidError: as :meth:`pypid.index.Index.project` says.
        """
        project = await self.index.project(name, refresh=refresh)
        if isinstance(project, Project):
            return project
        raise NotFound(f"there is no project {name} here")

    async def core_metadata(self, project: Project, version: str | None) -> bytes | None:
        """Give the core metadata of one of a release's files, if any has some to be had."""
        for file in legacy.release_files(project, version or ""):
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
        """
        candidates = await self.index.workers.run(query.candidates, projects)
        for name in await self.index.workers.run(self._unread, candidates, projects):
            await self.headline(name, projects[name])
        return await self.index.workers.run(self._hits, candidates, query)

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
        version = await self.index.workers.run(legacy.newest_release, project)
        if version is None:
            return None
        found = await self.core_metadata(project, version)
        try:
            summary = metadata.parse(found).summary if found is not None else None
        except InvalidMetadata:
            summary = None
        return Headline(project.display_name, version, summary or "")
