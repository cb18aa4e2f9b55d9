"""The pages of an upstream: when a cached page is served, and when it is fetched again.

The rules are those of web caches (RFC 9111, RFC 5861): a page is fresh for some time; then it is
fetched again, and the stale page is served if the upstream fails or is slow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

from attrs import define, evolve, field
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pypid.errors import UpstreamFailed
from pypid.model import Project
from pypid.names import is_name, normalize
from pypid.runtime.lru import WeightedLRU
from pypid.runtime.single_flight import SingleFlight
from pypid.upstream.counters import PageCounts
from pypid.upstream.http.upstream_failures import Unreachable
from pypid.upstream.pages.disk_cache import ROUNDING, CachedPage, PageCache
from pypid.upstream.pages.page_source import PageSource

__all__ = ["MAX_FILES", "MIN_WEIGHT", "PageState", "Pages"]

PATIENCE = 2.0
"""For how many seconds a request waits for the upstream if there is a stale page to serve."""
NEGATIVE_TTL = 60.0
"""For how many seconds the absence of a project is fresh."""
REFRESH_INTERVAL = 3.0
"""For how many seconds an answer is fresh even to requests with ``refresh``."""
PAUSE = 10.0
"""For how many seconds after a failure a page is not fetched if there is a stale one to serve."""
FAILURE_TTL = 3.0
"""For how many seconds after a failure a page is not fetched if there is none to serve."""
DISK_CHECK_INTERVAL = 0.5
"""Minimum interval, in seconds, of checks for a newer page on disk."""
MAX_FILES = 50_000
"""Number of files in all projects in memory; each takes about a kilobyte."""
MIN_WEIGHT = 10
"""Number of files that a project counts as if it has fewer."""


@define(eq=False)
class PageState:
    """The known state of a project and of its page."""

    page: CachedPage | None = None
    """The page, or ``None`` if the project is missing or unknown."""
    confirmed_at: float = -inf
    """When the page, or its absence, was last confirmed by the upstream."""
    fetched_at: float = -inf
    """When the last fetch ended, successful or not."""
    fetching_since: float | None = None
    """When the current fetch began; ``None`` if there is none."""
    failure: UpstreamFailed | None = None
    """The error of the last fetch; ``None`` if it succeeded."""
    loaded_at: float = -inf
    """When the page was last loaded from disk, or looked for there."""
    checked_disk_at: float = -inf
    """When the time of the file on disk was last checked."""
    is_on_disk: bool = False
    """Whether there was a file on disk at the last check."""
    stale: Project | None = None
    """The project, marked as stale since ``confirmed_at``."""


@define(eq=False)
class Pages:
    """Returns projects from a cache; the same object as long as the page does not change.

    All methods belong to the reactor's thread. Times are in seconds since the epoch.
    """

    _source: PageSource
    _cache: PageCache
    _reactor: IReactorTime
    ttl: float
    """For how many seconds a page is fresh."""
    max_stale: float
    """Greatest age, in seconds, of a stale page that is served while the upstream fails."""
    offline: bool = False
    """Whether no request is sent, and cached pages are served whatever their age."""
    counts: PageCounts = field(factory=PageCounts)
    """Counters of requests and their results."""
    _states: WeightedLRU[PageState] = field(factory=lambda: WeightedLRU(MAX_FILES), init=False)
    _loads: SingleFlight[PageState] = field(factory=SingleFlight, init=False)
    _fetches: SingleFlight[PageState] = field(factory=SingleFlight, init=False)
    _log = Logger()

    async def project(self, name: str, *, refresh: bool = False) -> Project | None:
        """Return a project by normalized name, or ``None`` if the upstream does not have it.

        A fresh page in memory is returned without waiting.

        :param refresh: whether to fetch even a fresh page, unless it was fetched a moment ago.
        :raises UpstreamFailed: the page cannot be fetched, and no cached one can be served.
        """
        state = self._states.get(name)
        if state is None:
            if not is_name(name) or normalize(name) != name:
                return None  # without a request: no project can have this name
            state = await self._loads.run(name, lambda: self._load(name))
        if self._must_reload(name, state, refresh):
            await self._reload(name, state)
        if self._must_fetch(state, refresh):
            state = await self._fetch_patiently(name, state)
        elif state.page is not None and state.failure is None:
            self.counts.hits += 1
        return self._result(name, state)

    def _must_fetch(self, state: PageState, refresh: bool) -> bool:
        """Return whether the page has to be fetched before an answer."""
        if self.offline:
            return False
        now = self._reactor.seconds()
        if refresh:
            return not 0 <= now - state.fetched_at < REFRESH_INTERVAL
        if 0 <= now - state.confirmed_at < (self.ttl if state.page is not None else NEGATIVE_TTL):
            return False
        if state.failure is None:
            return True
        pause = PAUSE if self._may_be_stale(state) else FAILURE_TTL
        # For a host that cannot be reached, the circuit breaker decides when to try again.
        fails_again = pause == PAUSE or not isinstance(state.failure, Unreachable)
        return not (fails_again and 0 <= now - state.fetched_at < pause)

    def _must_reload(self, name: str, state: PageState, refresh: bool) -> bool:
        """Return whether another process may have saved a page that is newer than the one in memory."""
        if state.fetching_since is not None:
            return False
        if self.offline:
            is_due = not 0 <= self._reactor.seconds() - state.loaded_at < self.ttl
        else:
            is_due = self._must_fetch(state, refresh)
        return is_due or self._is_newer_on_disk(name, state)

    def _is_newer_on_disk(self, name: str, state: PageState) -> bool:
        """Return whether another process saved or confirmed a page after this one did.

        If another process removed the page from disk, the one in memory becomes stale. The file's
        status is checked at intervals, seldom enough to do it in the reactor's thread.
        """
        now = self._reactor.seconds()
        if 0 <= now - state.checked_disk_at < DISK_CHECK_INTERVAL:
            return False
        state.checked_disk_at = now
        confirmed = self._cache.confirmed(name)
        if confirmed is None:
            if state.is_on_disk and state.page is not None and not self.offline:
                state.confirmed_at = min(state.confirmed_at, now - self.ttl)
                state.is_on_disk = False
            return False
        state.is_on_disk = True
        return confirmed > state.confirmed_at + ROUNDING

    async def _reload(self, name: str, state: PageState) -> None:
        """Load the page from disk if another process saved or confirmed it meanwhile."""
        state.loaded_at = self._reactor.seconds()
        found = await self._cache.load(name, state.confirmed_at)
        if found is None or state.fetching_since is not None:
            return
        page, state.confirmed_at = found
        if state.page is None or (page.digest, page.complete) != (state.page.digest, state.page.complete):
            state.page = page
        state.failure = state.stale = None
        self._remember(name, state)

    def _may_be_stale(self, state: PageState) -> bool:
        age = self._reactor.seconds() - state.confirmed_at
        return state.page is not None and age <= self.max_stale

    async def _fetch_patiently(self, name: str, state: PageState) -> PageState:
        """Fetch a page once for all requests; wait only for a while if there is a stale page to serve."""
        if not self._may_be_stale(state):
            return await self._fetches.run(name, lambda: self._fetch(name, state))
        began = state.fetching_since if state.fetching_since is not None else self._reactor.seconds()
        patience = began + PATIENCE - self._reactor.seconds()
        if patience <= 0:
            return state
        asking = self._fetches.run(name, lambda: self._fetch(name, state))
        try:
            return await asking.addTimeout(patience, self._reactor)
        except TimedOut:  # the fetch goes on
            return state

    async def _fetch(self, name: str, state: PageState) -> PageState:
        """Fetch a page, and update the state and the cache with the result."""
        state.fetching_since = began = self._reactor.seconds()
        previous = state.page
        try:
            state.page = await self._source.fetch(name, previous)
        except UpstreamFailed as error:
            if state.failure is None:
                self._log.warn("{error}", error=str(error))
            # A copy without the traceback, which would keep all local variables in memory.
            state.failure = type(error)(str(error))
            self.counts.failures += 1
        else:
            state.failure = state.stale = None
            state.confirmed_at = began
        finally:
            state.fetched_at, state.fetching_since = self._reactor.seconds(), None
        self._remember(name, state)
        if state.failure is None:
            await self._save(name, state, previous)
        return state

    async def _save(self, name: str, state: PageState, previous: CachedPage | None) -> None:
        """Write the state to disk: save, confirm or remove the page."""
        if state.page is not None and state.page is previous:
            self.counts.revalidated += 1
            await self._cache.confirm(name, state.page, state.confirmed_at)
            return
        self.counts.misses += 1
        if state.page is not None:
            await self._cache.save(name, state.page, state.confirmed_at)
        elif previous is not None:
            # The project is gone. It may have been withdrawn for a good reason, so forget the page.
            self._log.info("The upstream does not have {project} any more", project=name)
            await self._cache.remove(name)

    def _result(self, name: str, state: PageState) -> Project | None:
        """Return the project of a state, marked as stale if it is.

        :raises UpstreamFailed: there is no page, or it is too old.
        """
        if state.page is None:
            if state.failure is not None:
                raise type(state.failure)(str(state.failure))
            if self.offline:
                raise UpstreamFailed(f"the upstream is not asked, and the page of {name} is not kept")
            return None
        age = self._reactor.seconds() - state.confirmed_at
        if self.offline or age < self.ttl or (state.failure is None and state.fetching_since is None):
            return state.page.project
        if state.failure is not None and age > self.max_stale:
            raise type(state.failure)(str(state.failure))
        self.counts.stale += 1
        if state.stale is None:
            since = datetime.fromtimestamp(state.confirmed_at, UTC)
            state.stale = evolve(state.page.project, stale_since=since)
        return state.stale

    async def _load(self, name: str) -> PageState:
        """Return the state of a project from the page on disk, if there is one."""
        state = PageState(loaded_at=self._reactor.seconds())
        if found := await self._cache.load(name):
            state.page, state.confirmed_at = found
        if state.page is not None or not self.offline:
            self._remember(name, state)
        return state

    def _remember(self, name: str, state: PageState) -> None:
        files = len(state.page.project.files) if state.page is not None else 0
        self._states.put(name, state, max(files, MIN_WEIGHT))
