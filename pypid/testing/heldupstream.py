"""What every upstream has to pass whose workers take their time while its clients go away."""

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
else:  # the suite itself is no test case
    _Base = object

_Asking = Coroutine[Deferred[Any], Any, object]


class HeldUpstreamContract(_Base):
    """The promises of :class:`pypid.interfaces.IUpstream` about clients that go away.

    Each question is asked again and again, and given up at each moment at which it waits for the
    workers. When these have done what they were asked for, no descriptor, thread, lock or file
    on its way is left, and the next one who asks gets an answer.
    """

    offered: tuple[str, ...] = ()
    """Normalized names of projects that the provider under test has."""
    directories: Sequence[Path] = ()
    """Where files are that are on their way; they may be missing."""

    def make_held_upstream(self, workers: IWorkers) -> IUpstream:
        """Make the provider under test, not opened yet, that knows and keeps nothing so far."""
        raise NotImplementedError

    def assert_idle(self, upstream: IUpstream) -> None:
        """Check that a provider whom nobody asks anything is at work on nothing."""

    def setUp(self) -> None:
        """Make workers that wait to be told."""
        super().setUp()
        self.workers = HeldWorkers()

    def test_fault_a1_project(self) -> None:
        """Who goes away while a page is looked for leaves nothing behind."""
        for name in self.offered:
            self.cold(lambda upstream, name=name: self.project(upstream, name))
            self.warm(lambda upstream, name=name: self.project(upstream, name))

    def test_fault_a1_content(self) -> None:
        """Who goes away while a file is opened, fetched or sent leaves nothing behind."""
        for name, file in self.files():
            self.cold(lambda upstream, name=name, file=file: self.content(upstream, name, file))
            self.warm(lambda upstream, name=name, file=file: self.content(upstream, name, file))

    def test_fault_a1_metadata(self) -> None:
        """Who goes away while metadata are looked for leaves nothing behind."""
        for name, file in self.files():
            if file.core_metadata is not None:
                self.cold(lambda upstream, name=name, file=file: upstream.metadata(name, file))
                self.warm(lambda upstream, name=name, file=file: upstream.metadata(name, file))

    def test_fault_a1_provenance(self) -> None:
        """Who goes away while provenance is looked for leaves nothing behind."""
        for name, file in self.files():
            if file.provenance_url is not None:
                self.cold(lambda upstream, name=name, file=file: upstream.provenance(name, file))
                self.warm(lambda upstream, name=name, file=file: upstream.provenance(name, file))

    def files(self) -> Sequence[tuple[str, File]]:
        """Return all files of the projects that are offered."""
        upstream = self.opened()
        found = []
        for name in self.offered:
            project = self.done(self.project(upstream, name))
            found += [(name, file) for file in project.files] if isinstance(project, Project) else []
        upstream.close()
        return found

    def cold(self, ask: Any) -> None:
        """Give a question up at each moment; each time a provider is asked that knows nothing."""
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
        """Give a question up at each moment; each time a provider is asked that knows the answer."""
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
        """Make a provider, and open it."""
        upstream = self.make_held_upstream(self.workers)
        upstream.open()
        return upstream

    def held(self) -> object:
        """Return what this process holds, but for garbage."""
        gc.collect()
        return holdings(*self.directories)

    def assert_held(self, before: object) -> None:
        """Check that this process holds what it held before, at the latest when garbage is collected."""
        if holdings(*self.directories) != before:
            self.assertEqual(self.held(), before)

    def done(self, coroutine: _Asking) -> Any:
        """Return the outcome of a question after all the work that it takes."""
        asking = Deferred.fromCoroutine(coroutine)
        self.workers.work_all()
        return self.successResultOf(asking)

    async def project(self, upstream: IUpstream, name: str) -> Project | Redirect | None:
        """Ask for a project."""
        return await upstream.project(name)

    async def content(self, upstream: IUpstream, name: str, file: File) -> None:
        """Ask for a file, and take it."""
        content = await upstream.content(name, file)
        if not isinstance(content, Redirect):
            try:
                await content.send_to(MemoryConsumer(), 0, content.length)
            finally:
                content.close()
