"""The contract suite of upstreams for clients that go away while workers are busy."""

from __future__ import annotations

import gc
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from pypid.interfaces import IUpstream, IWorkers
from pypid.model import File, Project, Redirect
from pypid.testing.content import MemoryConsumer
from pypid.testing.fakes import Synchronous
from pypid.testing.workers import HeldWorkers, abandon, holdings

__all__ = ["HeldUpstreamContract"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is not a test case
    _Base = object

_Asking = Coroutine[Deferred[Any], Any, object]


class HeldUpstreamContract(_Base):
    """The promises of :class:`pypid.interfaces.IUpstream` about clients that go away.

    Each request is repeated, and abandoned at each moment at which it waits for the workers. When
    they have finished, no descriptor, thread, lock or partial file is left, and the next request
    is answered.
    """

    offered: tuple[str, ...] = ()
    """Normalized names of projects that the provider under test has."""
    directories: Sequence[Path] = ()
    """The directories of partial files; they may be missing."""

    def make_held_upstream(self, workers: IWorkers) -> IUpstream:
        """Return the provider under test, not opened yet, with an empty cache."""
        raise NotImplementedError

    def assert_idle(self, upstream: IUpstream) -> None:
        """Check that a provider without requests has no work under way."""

    def setUp(self) -> None:
        """Create workers that work only on command."""
        super().setUp()
        self.workers = HeldWorkers()

    def test_fault_a1_project(self) -> None:
        """A client that goes away during the request for a page leaves nothing behind."""
        for name in self.offered:
            self.cold(lambda upstream, name=name: self.project(upstream, name))
            self.warm(lambda upstream, name=name: self.project(upstream, name))

    def test_fault_a1_content(self) -> None:
        """A client that goes away while a file is opened, fetched or sent leaves nothing behind."""
        for name, file in self.files():
            self.cold(lambda upstream, name=name, file=file: self.content(upstream, name, file))
            self.warm(lambda upstream, name=name, file=file: self.content(upstream, name, file))

    def test_fault_a1_metadata(self) -> None:
        """A client that goes away during the request for metadata leaves nothing behind."""
        for name, file in self.files():
            if file.core_metadata is not None:
                self.cold(lambda upstream, name=name, file=file: upstream.metadata(name, file))
                self.warm(lambda upstream, name=name, file=file: upstream.metadata(name, file))

    def test_fault_a1_provenance(self) -> None:
        """A client that goes away during the request for provenance leaves nothing behind."""
        for name, file in self.files():
            if file.provenance_url is not None:
                self.cold(lambda upstream, name=name, file=file: upstream.provenance(name, file))
                self.warm(lambda upstream, name=name, file=file: upstream.provenance(name, file))

    def files(self) -> Sequence[tuple[str, File]]:
        """Return all files of the offered projects."""
        upstream = self.opened()
        found = []
        for name in self.offered:
            project = self.done(self.project(upstream, name))
            found += [(name, file) for file in project.files] if isinstance(project, Project) else []
        upstream.close()
        return found

    def cold(self, ask: Any) -> None:
        """Abandon a request at each moment, each time of a provider with an empty cache."""
        asked: list[IUpstream] = []
        before = self.held()

        def start() -> _Asking:
            asked.append(self.opened())
            coroutine: _Asking = ask(asked[-1])
            return coroutine

        def after() -> None:
            upstream = asked.pop()
            self.assert_idle(upstream)
            upstream.close()
            self.workers.work_all()
            del upstream
            self.assert_held(before)

        abandon(self.workers, start, after)
        after()

    def warm(self, ask: Any) -> None:
        """Abandon a request at each moment, each time of a provider that has the answer cached."""
        upstream = self.opened()
        self.done(ask(upstream))
        before = self.held()

        def after() -> None:
            self.assert_idle(upstream)
            self.assert_held(before)

        abandon(self.workers, lambda: ask(upstream), after)
        after()
        upstream.close()

    def opened(self) -> IUpstream:
        """Return a provider, opened."""
        upstream = self.make_held_upstream(self.workers)
        upstream.open()
        return upstream

    def held(self) -> object:
        """Return the resources that this process holds, without garbage."""
        gc.collect()
        return holdings(*self.directories)

    def assert_held(self, before: object) -> None:
        """Check that this process holds the same resources as before, after a collection if need be."""
        if holdings(*self.directories) != before:
            self.assertEqual(self.held(), before)

    def done(self, coroutine: _Asking) -> Any:
        """Return the result of a request after all the work it needs."""
        asking = Deferred.fromCoroutine(coroutine)
        self.workers.work_all()
        return self.successResultOf(asking)

    async def project(self, upstream: IUpstream, name: str) -> Project | Redirect | None:
        """Request a project."""
        return await upstream.project(name)

    async def content(self, upstream: IUpstream, name: str, file: File) -> None:
        """Request a file, and receive it."""
        content = await upstream.content(name, file)
        if not isinstance(content, Redirect):
            try:
                await content.send_to(MemoryConsumer(), 0, content.length)
            finally:
                content.close()
