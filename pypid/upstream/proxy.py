"""Another index, whose pages and files are kept here once they were asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from attrs import define, field
from zope.interface import implementer

from pypid.errors import NotFound, Withheld
from pypid.interfaces import IContent, IContext, IUpstream, IWorkers
from pypid.model import File, Project, Redirect
from pypid.runtime.layout import Layout
from pypid.runtime.lru import WeightedLRU
from pypid.upstream.files.file_cache import CachedFiles
from pypid.upstream.files.provenance import Provenances
from pypid.upstream.http.allowed_hosts import UrlPolicy
from pypid.upstream.http.client import UpstreamClient
from pypid.upstream.options import Settings
from pypid.upstream.pages.disk_cache import PageCache
from pypid.upstream.pages.freshness import LEAST, MAX_FILES, Pages
from pypid.upstream.pages.page_fetch import PageSource
from pypid.upstream.release_policy import FilteredProject
from pypid.upstream.statistics import StatisticsFile

__all__ = ["ProxyUpstream"]

FEW = 200
"""From so many files those that are offered are selected in the time of a tick; more go to a worker."""


@implementer(IUpstream)
@define(eq=False)
class ProxyUpstream:
    """Gives what an index has, as far as the rules let it; see :func:`pypid.upstream.options`."""

    settings: Settings
    """What was asked for."""
    pages: Pages
    """Its pages, whatever the rules say."""
    files: CachedFiles
    """Its files, too."""
    provenances: Provenances
    """The provenance of its files, too."""
    _origin: UpstreamClient
    _reach: UrlPolicy
    _statistics: StatisticsFile
    _workers: IWorkers
    _reactor: Any
    _selections: WeightedLRU[FilteredProject] = field(factory=lambda: WeightedLRU(MAX_FILES), init=False)

    @classmethod
    def make(
        cls, settings: Settings, context: IContext, origin: UpstreamClient | None = None
    ) -> ProxyUpstream:
        """Put one together. Nothing is opened yet.

        :param origin: who asks the upstream, if it is to be done in another way.
        """
        directory = Layout(context.root).cache(settings.name)
        reactor, workers = context.reactor, context.workers(f"upstream {settings.name}", 4)
        # By what they do: nobody is sent a file later because others are hashed or pages are read.
        reading = context.workers(f"upstream {settings.name} pages", 2)
        hashing = context.workers(f"upstream {settings.name} hashing", 2)
        reach = UrlPolicy(settings.url, settings.hosts, settings.allow_private, settings.allow_http)
        origin = origin or UpstreamClient(
            reach,
            reactor,
            settings.timeout.total_seconds(),
            settings.credentials,
            settings.credentials_variable,
            missing=settings.missing,
            via=settings.via,
            via_credentials=settings.via_credentials,
        )
        ttl, max_stale = settings.ttl.total_seconds(), settings.max_stale.total_seconds()
        files = CachedFiles(
            origin, workers, reactor, directory, settings.max_size, settings.offline, hashing=hashing
        )
        pages = Pages(
            PageSource(origin, reading),
            PageCache(directory / "pages", settings.url, reading, files.room),
            reactor,
            ttl=ttl,
            max_stale=max_stale,
            offline=settings.offline,
        )
        provenances = Provenances(origin, files.tree, workers, reactor, ttl, max_stale, settings.offline)
        counters = {"pages": pages.counts, "files": files.counts}
        statistics = StatisticsFile(directory / "statistics.json", counters, workers, reactor)
        return cls(settings, pages, files, provenances, origin, reach, statistics, reading, reactor)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.settings.name

    @property
    def merged(self) -> frozenset[str]:
        """The local projects that it adds files to."""
        return self.settings.merged

    @property
    def summary(self) -> str:
        """Say what is asked, and how."""
        url, rules = self.settings.url, self.settings.policy.rules
        text = f"projects that are not here are fetched from {url} and kept"
        if self.settings.offline:
            text = f"offline: of the projects that are not here, those kept of {url}"
        elif self._origin.web_proxy is not None:
            text += f", through the web proxy {self._origin.web_proxy}"
        return f"{text}; {' '.join(rules)}" if rules else text

    def open(self) -> None:
        """Get ready. :raises CannotStart: with the reason."""
        self._origin.open()
        self.files.open()
        self._statistics.open()

    def close(self) -> None:
        """Let go of everything."""
        self.files.close()
        self._statistics.close()
        self._origin.close()

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:
        """Give a project by normalized name, or ``None`` if the upstream has none.

        :param refresh: ask the upstream even if what is kept is fresh.
        :raises NameWithheld: a rule says that it is not to be asked for this.
        :raises Withheld: a rule says that nothing of what it has is offered.
        :raises UpstreamFailed: it could not be asked.
        """
        self.settings.policy.check_name(name)
        project = await self.pages.project(name, refresh=refresh)
        if project is None:
            return None
        now = self._now()
        selection = self._selections.get(name)
        if selection is None or selection.source is not project or selection.is_over(now):
            selection = await self._select(project, now)
        offered = selection.project
        if offered.withheld and not offered.files:
            raise Withheld(offered.withheld[project.files[-1].filename])
        return offered

    async def content(self, project: str, file: File) -> IContent | Redirect:
        """Open a file, which may still be on its way.

        :raises NotFound: it is not there any more.
        :raises Withheld: a rule says that it is not offered.
        :raises UpstreamFailed: it could not be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        if file.url is None:
            raise NotFound("the upstream does not have that file")
        return await self.files.content(project, file)

    async def keep(self, project: str, file: File) -> bool:
        """Fetch a file unless it is kept; tell whether that was necessary.

        :raises NotFound: it is not there any more.
        :raises Withheld: a rule says that it is not offered.
        :raises OutOfSpace: there is no room for it.
        :raises UpstreamFailed: it could not be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        return await self.files.keep(project, file)

    async def metadata(self, project: str, file: File) -> bytes:
        """Give the core metadata of a file.

        :raises NotFound: it has none to be had alone.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: it could not be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        return await self.files.metadata(project, file)

    async def provenance(self, project: str, file: File) -> bytes:
        """Give the provenance object of a file.

        :raises NotFound: it has none.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: it could not be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        return await self.provenances.provenance(project, file)

    async def _select(self, project: Project, now: datetime) -> FilteredProject:
        """Select what is offered of a project now."""
        select, refusal = self.settings.policy.select, self._reach.refusal
        if len(project.files) > FEW:
            selection = await self._workers.run(select, project, now, refusal)
        else:
            selection = select(project, now, refusal)
        self._selections.put(project.name, selection, max(len(project.files), LEAST))
        return selection

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._reactor.seconds(), UTC)
