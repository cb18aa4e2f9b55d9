"""An upstream index whose pages and files are cached once they have been requested."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from attrs import define, field
from prometheus_client.core import Metric
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from pypid.errors import NotFound, Withheld
from pypid.interfaces import IContent, IContext, IMeasured, ITroubled, IUpstream, IWorkers
from pypid.model import File, Project, Redirect
from pypid.runtime.layout import Layout
from pypid.runtime.lru import WeightedLRU
from pypid.upstream.cache_metrics import cache_metrics
from pypid.upstream.files.file_cache import FileCache
from pypid.upstream.files.provenance import Provenances
from pypid.upstream.http.allowed_hosts import UrlPolicy
from pypid.upstream.http.client import UpstreamClient
from pypid.upstream.options import Settings
from pypid.upstream.pages.disk_cache import PageCache
from pypid.upstream.pages.freshness import MAX_FILES, MIN_WEIGHT, Pages
from pypid.upstream.pages.page_source import PageSource
from pypid.upstream.release_policy import FilteredProject
from pypid.upstream.statistics import StatisticsFile

__all__ = ["ProxyUpstream"]

INLINE_FILES = 200
"""Number of files up to which a project is filtered in the reactor's thread; larger ones in a worker."""


@implementer(IUpstream, ITroubled, IMeasured)
@define(eq=False)
class ProxyUpstream:
    """Serves the projects of an index that the release policy allows, from a cache.

    The settings are described in :mod:`pypid.upstream.options`.
    """

    settings: Settings
    """The settings of the upstream."""
    pages: Pages
    """Its pages, before the release policy is applied."""
    files: FileCache
    """Its files, without regard to the release policy."""
    provenances: Provenances
    """The provenance of its files, without regard to the release policy."""
    _client: UpstreamClient
    _url_policy: UrlPolicy
    _statistics: StatisticsFile
    _workers: IWorkers
    _reactor: IReactorTime
    _selections: WeightedLRU[FilteredProject] = field(factory=lambda: WeightedLRU(MAX_FILES), init=False)

    @classmethod
    def make(
        cls, settings: Settings, context: IContext, client: UpstreamClient | None = None
    ) -> ProxyUpstream:
        """Return an upstream with all of its parts. Nothing is opened yet.

        :param client: the HTTP client, if not the usual one.
        """
        directory = Layout(context.root).cache(settings.name)
        reactor, workers = context.reactor, context.workers(f"upstream {settings.name}", 4)
        # Separate pools, so that transfers do not wait while files are hashed or pages are parsed.
        reading = context.workers(f"upstream {settings.name} pages", 2)
        hashing = context.workers(f"upstream {settings.name} hashing", 2)
        url_policy = UrlPolicy(settings.url, settings.hosts, settings.allow_private, settings.allow_http)
        client = client or UpstreamClient(
            url_policy,
            reactor,
            settings.timeout.total_seconds(),
            settings.credentials,
            settings.credentials_variable,
            missing=settings.missing,
            via=settings.via,
            via_credentials=settings.via_credentials,
        )
        ttl, max_stale = settings.ttl.total_seconds(), settings.max_stale.total_seconds()
        files = FileCache(
            client, workers, reactor, directory, settings.max_size, settings.offline, hashing=hashing
        )
        pages = Pages(
            PageSource(client, reading),
            PageCache(directory / "pages", settings.url, reading, files.eviction),
            reactor,
            ttl=ttl,
            max_stale=max_stale,
            offline=settings.offline,
        )
        provenances = Provenances(client, files.store, workers, reactor, ttl, max_stale, settings.offline)
        counters = {"pages": pages.counts, "files": files.counts}
        statistics = StatisticsFile(directory / "statistics.json", counters, workers, reactor)
        return cls(settings, pages, files, provenances, client, url_policy, statistics, reading, reactor)

    @property
    def name(self) -> str:
        """Its name in logs."""
        return self.settings.name

    @property
    def merged(self) -> frozenset[str]:
        """Normalized names of the local projects to which its files are added."""
        return self.settings.merged

    @property
    def summary(self) -> str:
        """One line for the log about the index and the policy."""
        url, rules = self.settings.url, self.settings.policy.rules
        text = f"projects that are not here are fetched from {url} and kept"
        if self.settings.offline:
            text = f"offline: of the projects that are not here, those kept of {url}"
        elif self._client.web_proxy is not None:
            text += f", through the web proxy {self._client.web_proxy}"
        return f"{text}; {' '.join(rules)}" if rules else text

    def collect(self) -> Iterable[Metric]:
        """Return the counters of the upstream and its cache."""
        return cache_metrics(
            self.name,
            self._client.counts,
            self.pages.counts,
            self.files.counts,
            self.files.eviction.size,
            self.files.max_size,
        )

    def trouble(self) -> str | None:
        """Return one line if a host of the upstream failed repeatedly; kept pages and files are served."""
        found = self._client.trouble()
        return f"{found}; what is kept of it is served" if found is not None else None

    def open(self) -> None:
        """Read credentials and statistics, and clean up. Blocks briefly.

        :raises CannotStart: the credentials or the web proxy cannot be used.
        """
        self._client.open()
        self.files.open()
        self._statistics.open()

    def close(self) -> None:
        """Cancel all requests and downloads, and write the statistics."""
        self.files.close()
        self._statistics.close()
        self._client.close()

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:
        """Return a project by normalized name, or ``None`` if the upstream does not have it.

        :param refresh: whether to ask the upstream even if the cached page is fresh.
        :raises NameWithheld: a rule forbids the project by its name; no request is sent.
        :raises Withheld: a rule or the URL policy withholds each of the project's files.
        :raises UpstreamFailed: the page cannot be fetched, and no cached one can be served.
        """
        self.settings.policy.check_name(name)
        project = await self.pages.project(name, refresh=refresh)
        if project is None:
            return None
        now = self._now()
        selection = self._selections.get(name)
        if selection is None or selection.source is not project or selection.is_outdated(now):
            selection = await self._select(project, now)
        offered = selection.project
        if offered.withheld and not offered.files:
            raise Withheld(offered.withheld[project.files[-1].filename])
        return offered

    async def content(self, project: str, file: File) -> IContent | Redirect:
        """Return the content of a file; it may be downloaded only when it is sent.

        :raises NotFound: the upstream does not have the file any more.
        :raises Withheld: a rule withholds the file.
        :raises UpstreamFailed: it cannot be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        if file.url is None:
            raise NotFound("the upstream does not have that file")
        return await self.files.content(project, file)

    async def ensure_cached(self, project: str, file: File) -> bool:
        """Download a file unless it is cached; return whether it was downloaded.

        :raises NotFound: the upstream does not have the file any more.
        :raises Withheld: a rule withholds the file.
        :raises OutOfSpace: the cache or its disk has no room for the file.
        :raises UpstreamFailed: it cannot be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        return await self.files.ensure_cached(project, file)

    async def metadata(self, project: str, file: File) -> bytes:
        """Return the core metadata of a file.

        :raises NotFound: the upstream has no core metadata for the file.
        :raises Withheld: a rule withholds the file.
        :raises UpstreamFailed: it cannot be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        return await self.files.metadata(project, file)

    async def provenance(self, project: str, file: File) -> bytes:
        """Return the provenance object of a file.

        :raises NotFound: the upstream has no provenance for the file.
        :raises Withheld: a rule withholds the file.
        :raises UpstreamFailed: it cannot be fetched.
        """
        self.settings.policy.check_file(project, file, self._now())
        return await self.provenances.provenance(project, file)

    async def _select(self, project: Project, now: datetime) -> FilteredProject:
        """Apply the release policy and the URL policy to a project, and remember the result."""
        select, refusal = self.settings.policy.select, self._url_policy.why_refused
        if len(project.files) > INLINE_FILES:
            selection = await self._workers.run(select, project, now, refusal)
        else:
            selection = select(project, now, refusal)
        self._selections.put(project.name, selection, max(len(project.files), MIN_WEIGHT))
        return selection

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._reactor.seconds(), UTC)
