"""The pages of an upstream: which of them is shown as it is kept, and when it is asked for again.

The rules are those that web caches have (RFC 9111, RFC 5861): a page is fresh for a time; then it
is asked for again, and shown all the same if the upstream fails or takes long.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.logger import Logger

from pypid.errors import UpstreamFailed
from pypid.model import Project
from pypid.names import is_name, normalize
from pypid.runtime.lru import WeightedLRU
from pypid.runtime.single_flight import SingleFlight
from pypid.upstream.counters import PageCounts
from pypid.upstream.http.upstream_failures import Unreachable
from pypid.upstream.pages.disk_cache import ROUNDING, CachedPage, PageCache
from pypid.upstream.pages.page_fetch import PageSource

__all__ = ["LEAST", "MAX_FILES", "Pages"]

PATIENCE = 2.0
"""For how long, in seconds, a request waits where there is a stale page to show."""
NEGATIVE_TTL = 60.0
"""For how long, in seconds, a project that is not there is taken not to be."""
SETTLED = 3.0
"""For how long, in seconds, an answer is fresh to those who demand a fresh one."""
PAUSE = 10.0
"""How long, in seconds, after a failure the upstream is not asked where there is a stale page to show."""
FAILURE_TTL = 3.0
"""For how long, in seconds, a page of which there is none to show is not asked for after it failed."""
GLANCE = 0.5
"""How often, in seconds, at most, is it seen whether there is a newer page on disk."""
MAX_FILES = 50_000
"""How many files the projects that are in memory may have; each takes about a kilobyte."""
LEAST = 10
"""As how many files a project counts that has fewer."""


@define(eq=False)
class PageState:
    """What is known of a project."""

    page: CachedPage | None = None
    """Its page, if it has one."""
    confirmed: float = -inf
    """When that was last known to be right."""
    asked: float = -inf
    """When the upstream was last asked, in vain or not."""
    began: float | None = None
    """Since when it is being asked."""
    failure: UpstreamFailed | None = None
    """Why it was asked in vain, the last time."""
    looked: float = -inf
    """When it was last looked for on disk."""
    glanced: float = -inf
    """When it was last seen whether there is a newer one on disk."""
    lies_on_disk: bool = False
    """Whether there was any on disk then."""
    stale: Project | None = None
    """The project, marked as stale since ``confirmed``."""


@define(eq=False)
class Pages:
    """Gives projects, the very same objects for as long as nothing changed."""

    _source: PageSource
    _cache: PageCache
    _reactor: Any
    ttl: float
    """For how long, in seconds, a page is fresh."""
    max_stale: float
    """How old, in seconds, a page may be that is shown because the upstream cannot be asked."""
    offline: bool = False
    """Whether nothing is asked for, and what is kept is right, whatever its age."""
    counts: PageCounts = field(factory=PageCounts)
    """What came of the questions so far."""
    _known: WeightedLRU[PageState] = field(factory=lambda: WeightedLRU(MAX_FILES), init=False)
    _loads: SingleFlight[PageState] = field(factory=SingleFlight, init=False)
    _questions: SingleFlight[PageState] = field(factory=SingleFlight, init=False)
    _log = Logger()

    async def project(self, name: str, *, refresh: bool = False) -> Project | None:
        """Give a project by normalized name, without waiting if its page is fresh and in memory.

        :param refresh: ask for it even if it is fresh, unless that was done a moment ago.
        :raises UpstreamFailed: nobody knows what it has.
        """
        known = self._known.get(name)
        if known is None:
            if not is_name(name) or normalize(name) != name:
                return None  # and nobody is asked for such a thing
            known = await self._loads.run(name, lambda: self._load(name))
        if self._has_to_look(name, known, refresh):
            await self._look(name, known)
        if self._has_to_ask(known, refresh):
            known = await self._ask(name, known)
        elif known.page is not None and known.failure is None:
            self.counts.hits += 1
        return self._shown(name, known)

    def _has_to_ask(self, known: PageState, refresh: bool) -> bool:
        """Tell whether the upstream is to be asked before anything is shown."""
        if self.offline:
            return False
        now = self._reactor.seconds()
        if refresh:
            return not 0 <= now - known.asked < SETTLED
        if 0 <= now - known.confirmed < (self.ttl if known.page is not None else NEGATIVE_TTL):
            return False
        if known.failure is None:
            return True
        pause = PAUSE if self._may_be_stale(known) else FAILURE_TTL
        # Whether a host that cannot be reached is to be asked again is for others to say.
        known_to_fail = pause == PAUSE or not isinstance(known.failure, Unreachable)
        return not (known_to_fail and 0 <= now - known.asked < pause)

    def _has_to_look(self, name: str, known: PageState, refresh: bool) -> bool:
        """Tell whether another process found out, or may have, what is not known here."""
        if known.began is not None:
            return False
        if self.offline:
            is_due = not 0 <= self._reactor.seconds() - known.looked < self.ttl
        else:
            is_due = self._has_to_ask(known, refresh)
        return is_due or self._is_newer_on_disk(name, known)

    def _is_newer_on_disk(self, name: str, known: PageState) -> bool:
        """Return whether another process kept a page, or found one right, after this one did.

        A page that another process took away is not fresh any more. This looks at the file's status
        now and then, and so seldom that nobody has to wait for a worker for it.
        """
        now = self._reactor.seconds()
        if 0 <= now - known.glanced < GLANCE:
            return False
        known.glanced = now
        confirmed = self._cache.confirmed(name)
        if confirmed is None:
            if known.lies_on_disk and known.page is not None and not self.offline:
                known.confirmed = min(known.confirmed, now - self.ttl)
                known.lies_on_disk = False
            return False
        known.lies_on_disk = True
        return confirmed > known.confirmed + ROUNDING

    async def _look(self, name: str, known: PageState) -> None:
        """Take over what another process kept meanwhile."""
        known.looked = self._reactor.seconds()
        found = await self._cache.load(name, known.confirmed)
        if found is None or known.began is not None:
            return
        page, known.confirmed = found
        if known.page is None or (page.digest, page.complete) != (known.page.digest, known.page.complete):
            known.page = page
        known.failure = known.stale = None
        self._remember(name, known)

    def _may_be_stale(self, known: PageState) -> bool:
        age = self._reactor.seconds() - known.confirmed
        return known.page is not None and age <= self.max_stale

    async def _ask(self, name: str, known: PageState) -> PageState:
        """Ask the upstream, once for all who want to know; give it up after a while if that is no matter."""
        if not self._may_be_stale(known):
            return await self._questions.run(name, lambda: self._answered(name, known))
        began = known.began if known.began is not None else self._reactor.seconds()
        patience = began + PATIENCE - self._reactor.seconds()
        if patience <= 0:
            return known
        asking = self._questions.run(name, lambda: self._answered(name, known))
        try:
            return await asking.addTimeout(patience, self._reactor)
        except TimedOut:  # it is asked for all the same
            return known

    async def _answered(self, name: str, known: PageState) -> PageState:
        """Ask the upstream, and take down what came of it."""
        known.began = began = self._reactor.seconds()
        previous = known.page
        try:
            known.page = await self._source.fetch(name, previous)
        except UpstreamFailed as error:
            if known.failure is None:
                self._log.warn("{error}", error=str(error))
            # Without the traceback, which holds on to all that was there when it was raised.
            known.failure = type(error)(str(error))
            self.counts.failures += 1
        else:
            known.failure = known.stale = None
            known.confirmed = began
        finally:
            known.asked, known.began = self._reactor.seconds(), None
        self._remember(name, known)
        if known.failure is None:
            await self._keep(name, known, previous)
        return known

    async def _keep(self, name: str, known: PageState, previous: CachedPage | None) -> None:
        """Let what is on disk be what is known."""
        if known.page is not None and known.page is previous:
            self.counts.revalidated += 1
            await self._cache.confirm(name, known.page, known.confirmed)
            return
        self.counts.misses += 1
        if known.page is not None:
            await self._cache.save(name, known.page, known.confirmed)
        elif previous is not None:
            # Not there any more: whoever withdrew it may have had a good reason.
            self._log.info("The upstream does not have {project} any more", project=name)
            await self._cache.remove(name)

    def _shown(self, name: str, known: PageState) -> Project | None:
        """Give what is known of a project. :raises UpstreamFailed: that is too old, or nothing."""
        if known.page is None:
            if known.failure is not None:
                raise type(known.failure)(str(known.failure))
            if self.offline:
                raise UpstreamFailed(f"the upstream is not asked, and the page of {name} is not kept")
            return None
        age = self._reactor.seconds() - known.confirmed
        if self.offline or age < self.ttl or (known.failure is None and known.began is None):
            return known.page.project
        if known.failure is not None and age > self.max_stale:
            raise type(known.failure)(str(known.failure))
        self.counts.stale += 1
        if known.stale is None:
            since = datetime.fromtimestamp(known.confirmed, UTC)
            known.stale = evolve(known.page.project, stale_since=since)
        return known.stale

    async def _load(self, name: str) -> PageState:
        """Look for a page on disk."""
        known = PageState(looked=self._reactor.seconds())
        if found := await self._cache.load(name):
            known.page, known.confirmed = found
        if known.page is not None or not self.offline:
            self._remember(name, known)
        return known

    def _remember(self, name: str, known: PageState) -> None:
        files = len(known.page.project.files) if known.page is not None else 0
        self._known.put(name, known, max(files, LEAST))
