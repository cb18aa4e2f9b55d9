"""A request that joins a scan in progress never gets an answer from before the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred

from pypid.catalog.sqlite import SqliteCatalog
from pypid.interfaces import ICatalog, IStorage
from pypid.model import Project
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist
from pypid.testing.catalog_steps import CatalogSteps
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.inline import InlineStorage

T = TypeVar("T")


class SlowStorage(InlineStorage):
    """A storage whose listings take their time to arrive."""

    under_way: Deferred[None] | None = None

    async def scan(self, function: Callable[[IStorage], T]) -> T:
        listed = await super().scan(function)
        if self.under_way is not None:
            await self.under_way
        return listed


class JoiningTests(CatalogSteps, Synchronous):
    def make_storage(self) -> InlineStorage:
        self.slow = SlowStorage(MemoryStorage())
        return self.slow

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        return SqliteCatalog(storage, None, InlineWorkers())

    def pass_time(self, seconds: float) -> None:
        """Have no clock."""

    def ask(self) -> Deferred[Project | None]:
        return Deferred.fromCoroutine(self.catalog.project("foo"))

    def test_a_file_that_is_published_meanwhile_is_in_later_answers(self) -> None:
        self.publish(sdist("foo", "1.0"))
        self.successResultOf(self.ask())
        self.publish(sdist("foo", "1.5"))
        held = self.slow.under_way = Deferred()
        first = self.ask()
        self.slow.under_way = None
        self.publish(sdist("foo", "2.0"))
        second = self.ask()
        self.assertNoResult(second)
        held.callback(None)
        self.successResultOf(first)
        project = self.successResultOf(second)
        assert project is not None
        self.assertEqual(project.versions, ("1.0", "1.5", "2.0"))
