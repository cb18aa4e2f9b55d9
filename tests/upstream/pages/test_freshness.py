"""When cached pages of an upstream are served, and when they are fetched again."""

import os
import shutil
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pypid.errors import UpstreamFailed, UpstreamTimedOut
from pypid.model import Project
from pypid.testing.fakes import HeldWorkers, InlineWorkers, Synchronous
from pypid.testing.memory_client import MemoryClient
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.eviction import CacheEviction
from pypid.upstream.http.upstream_failures import FailedAnswer, Unreachable
from pypid.upstream.pages import freshness as pages_module
from pypid.upstream.pages.disk_cache import PageCache
from pypid.upstream.pages.freshness import FAILURE_TTL, NEGATIVE_TTL, PAUSE, Pages
from pypid.upstream.pages.page_source import PageSource

TTL = 600
MAX_STALE = 7 * 86400
START = 1_780_000_000
ENTRY = {"url": "x", "hashes": {}, "size": 1, "upload-time": "2026-01-31T12:00:00Z"}
ONE = {**ENTRY, "filename": "foo-1.0.tar.gz"}
TWO = {**ENTRY, "filename": "foo-2.0.tar.gz"}


class PagesTests(Synchronous):
    """Pages of an index in memory, with a manual clock."""

    def setUp(self) -> None:
        root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        self.directory = root / "pages"
        self.clock = Clock()
        self.clock.advance(START)
        self.origin = MemoryClient()
        self.origin.put_project("foo", ONE)
        self.pages = self.restarted()

    def restarted(self, **settings: Any) -> Pages:
        """Make pages that have nothing in memory yet."""
        workers = InlineWorkers()
        eviction = CacheEviction(self.directory.parent, 1_000_000, FileCounts())
        cache = PageCache(self.directory, self.origin.url, workers, eviction)
        settings = {"ttl": TTL, "max_stale": MAX_STALE} | settings
        return Pages(PageSource(self.origin, workers), cache, self.clock, **settings)

    def project(self, name: str = "foo", **options: Any) -> Project:
        """Return an existing project, which must be there at once."""
        project = self.result(self.pages.project(name, **options))
        assert project is not None
        return project

    def asking(self, **options: Any) -> Deferred[Project | None]:
        """Begin a request for a project."""
        return Deferred.fromCoroutine(self.pages.project("foo", **options))

    def lose(self, error: UpstreamFailed | None = None) -> None:
        """Let the index fail from now on."""
        self.origin.failure = error or UpstreamFailed("index.example.org answers 503")

    def at_once(self, coroutine: Coroutine[Deferred[Any], Any, Project | None]) -> Project | None:
        """Return what a coroutine has without waiting, as the web's short cut does."""
        try:
            coroutine.send(None)
        except StopIteration as done:
            project: Project | None = done.value
            return project
        raise AssertionError("it waits")

    def test_fresh(self) -> None:
        """A fresh page is returned as the same object, at once and without a request."""
        first = self.project()
        self.clock.advance(TTL - 1)
        self.pages._loads = self.pages._fetches = None  # type: ignore[assignment]
        self.assertIs(self.at_once(self.pages.project("foo")), first)
        self.assertEqual(self.origin.asked, ["/simple/foo/"])
        self.assertIsNone(first.stale_since)
        self.assertEqual((self.pages.counts.hits, self.pages.counts.misses), (1, 1))

    def test_what_is_asked(self) -> None:
        """Requests prefer JSON, and their URL ends in a slash."""
        self.project()
        self.assertRegex(
            self.origin.headers[0]["Accept"], r"^application/vnd.pypi.simple.v1\+json, .*text/html; q=0"
        )
        self.assertNotIn("If-None-Match", self.origin.headers[0])

    def test_malformed_names_never_go_upstream(self) -> None:
        for name in ("", "Foo", "foo_bar", "foo/../bar", "foo bar", "-foo", "foo\n", "föö", "f" * 101, ".."):
            self.assertIsNone(self.result(self.pages.project(name)))
            self.assertIsNone(self.result(self.pages.project(name, refresh=True)))
        self.assertEqual(self.origin.asked, [])
        self.assertFalse(self.directory.exists())

    def test_not_modified(self) -> None:
        """A stale page is revalidated with its entity tag; if unchanged, the same object is fresh again."""
        first = self.project()
        self.clock.advance(TTL)
        self.assertIs(self.project(), first)
        self.assertIn("If-None-Match", self.origin.headers[1])
        self.clock.advance(TTL - 1)
        self.assertIs(self.project(), first)
        self.assertEqual(len(self.origin.asked), 2)
        self.assertEqual((self.pages.counts.revalidated, self.pages.counts.misses), (1, 1))

    def test_changed(self) -> None:
        """A changed page is another object."""
        self.project()
        self.origin.put_project("foo", ONE, TWO)
        self.clock.advance(TTL)
        self.assertEqual([file.version for file in self.project().files], ["1.0", "2.0"])

    def test_same_without_entity_tags(self) -> None:
        """Without entity tags, an equal page is the same object, too."""
        self.origin.with_tags = False
        first = self.project()
        self.clock.advance(TTL)
        self.assertIs(self.project(), first)
        self.assertEqual(self.pages.counts.revalidated, 1)
        self.origin.put_project("foo", ONE, comment="another serial")
        self.clock.advance(TTL)
        self.assertIs(self.project(), first)
        self.assertEqual(len(self.origin.asked), 3)

    def test_ttl_of_nothing(self) -> None:
        """Every time it is asked, and what it says is fresh."""
        self.pages = self.restarted(ttl=0)
        first = self.project()
        self.assertIs(self.project(), first)
        self.assertIsNone(self.project().stale_since)
        self.assertEqual(len(self.origin.asked), 3)

    def test_refresh(self) -> None:
        """A request with ``refresh`` fetches a fresh page, unless that was done a moment ago."""
        self.project()
        self.origin.put_project("foo", ONE, TWO)
        self.clock.advance(10)
        self.assertEqual(len(self.project().files), 1)
        self.assertEqual(len(self.project(refresh=True).files), 2)
        for _ in range(20):
            self.clock.advance(0.1)
            self.project(refresh=True)
        self.assertEqual(len(self.origin.asked), 2)
        self.clock.advance(2)
        self.project(refresh=True)
        self.assertEqual(len(self.origin.asked), 3)

    def test_refresh_fails(self) -> None:
        """What is fresh is shown all the same, and is not called stale."""
        first = self.project()
        self.clock.advance(10)
        self.lose()
        self.assertIs(self.project(refresh=True), first)

    def test_many_ask_once(self) -> None:
        """Simultaneous requests share one fetch; if one is cancelled the others go on."""
        self.origin.held = True
        waiting = [self.asking() for _ in range(50)]
        waiting[0].cancel()
        waiting[7].cancel()
        self.origin.release()
        self.failureResultOf(waiting.pop(7), CancelledError)
        self.failureResultOf(waiting.pop(0), CancelledError)
        projects = [self.successResultOf(one) for one in waiting]
        self.assertEqual(len({id(project) for project in projects}), 1)
        self.assertEqual(self.origin.asked, ["/simple/foo/"])

    def test_all_go_away(self) -> None:
        """A page is cached even if all requests for it were cancelled."""
        self.origin.held = True
        waiting = self.asking()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.origin.release()
        self.origin.held = False
        self.project()
        self.assertEqual(len(self.origin.asked), 1)

    def test_unknown_project(self) -> None:
        """The absence of a project is fresh for a minute."""
        self.assertIsNone(self.result(self.pages.project("bar")))
        self.origin.put_project("bar", {**ENTRY, "filename": "bar-1.0.tar.gz"})
        self.clock.advance(59)
        self.assertIsNone(self.at_once(self.pages.project("bar")))
        self.assertEqual(len(self.origin.asked), 1)
        self.clock.advance(1)
        self.assertEqual(self.project("bar").name, "bar")

    def test_unknown_project_refreshed(self) -> None:
        self.assertIsNone(self.result(self.pages.project("bar")))
        self.origin.put_project("bar", {**ENTRY, "filename": "bar-1.0.tar.gz"})
        self.clock.advance(5)
        self.assertEqual(self.project("bar", refresh=True).name, "bar")

    def test_vanished_project(self) -> None:
        """A project that was removed from the index is not served as stale: it may be malicious."""
        self.project()
        self.origin.remove("/simple/foo/")
        self.clock.advance(TTL)
        self.assertIsNone(self.result(self.pages.project("foo")))
        self.assertEqual(list(self.directory.iterdir()), [])
        self.lose()
        self.assertIsNone(self.result(self.pages.project("foo")))
        self.clock.advance(60)
        self.failure(self.pages.project("foo"), UpstreamFailed)

    def test_b244_t60_stale_if_error(self) -> None:
        """While the index fails, the last good page is served, as one object marked as stale."""
        first = self.project()
        self.clock.advance(TTL)
        self.lose()
        stale = self.project()
        self.assertEqual(stale.files, first.files)
        self.assertEqual(stale.stale_since, datetime.fromtimestamp(START, UTC))
        self.clock.advance(11)
        self.assertIs(self.project(), stale)
        self.assertEqual(self.pages.counts.failures, 2)
        self.assertEqual(self.pages.counts.stale, 2)
        self.origin.failure = None
        self.clock.advance(11)
        self.assertIs(self.project(), first)
        self.clock.advance(TTL)
        self.lose()
        self.assertEqual(self.project().stale_since, datetime.fromtimestamp(START + TTL + 22, UTC))

    def test_t60_failures_are_not_repeated(self) -> None:
        """While the index is down, a thousand requests are answered at once with few fetches."""
        self.project()
        self.clock.advance(TTL)
        self.lose()
        stale = self.project()
        for _ in range(1000):
            self.assertIs(self.at_once(self.pages.project("foo")), stale)
        self.assertEqual(len(self.origin.asked), 2)
        self.clock.advance(10)
        self.project()
        self.assertEqual(len(self.origin.asked), 3)

    def test_b244_nothing_to_show(self) -> None:
        """Without a cached page the failure is raised, and a request a moment later tries again."""
        self.lose(UpstreamTimedOut("index.example.org did not answer in 30 s"))
        for _ in range(2):
            text = self.failure(self.pages.project("foo"), UpstreamTimedOut)
            self.assertEqual(text, "index.example.org did not answer in 30 s")
            self.clock.advance(FAILURE_TTL)
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.failure = None
        self.assertEqual(self.project().name, "foo")

    def test_fault_a5_a_failing_page_is_not_asked_for_again_and_again(self) -> None:
        """A page that fails is fetched once in a few seconds, whatever the number of requests."""
        for name in ("foo", "bar"):
            self.lose(FailedAnswer("index.example.org: it answers with status 500"))
            for _ in range(100):
                self.failure(self.pages.project(name), FailedAnswer)
                self.clock.advance(FAILURE_TTL / 200)
            self.origin.failure = None
        self.assertEqual(self.origin.asked, ["/simple/foo/", "/simple/bar/"])

    def test_a_host_that_is_back_is_asked_at_once(self) -> None:
        """What says nothing about the page is not held against it."""
        self.lose(Unreachable("index.example.org: it refuses connections"))
        self.failure(self.pages.project("foo"), Unreachable)
        self.origin.failure = None
        self.assertEqual(self.project().name, "foo")

    def test_too_old_to_be_shown(self) -> None:
        """A page is stale for so long, and then it is as if there were none; yet it is asked about."""
        first = self.project()
        self.lose()
        self.clock.advance(MAX_STALE)
        self.assertIsNotNone(self.project().stale_since)
        self.clock.advance(1)
        self.failure(self.pages.project("foo"), UpstreamFailed)
        self.origin.failure = None
        self.clock.advance(FAILURE_TTL)
        self.assertIs(self.project(), first)
        self.assertIn("If-None-Match", self.origin.headers[-1])

    def test_t59_nonsense_is_a_failure(self) -> None:
        """A malformed page does not replace a good one."""
        self.project()
        for body in (b"", b"<html>", b"[" * 100_000, b'{"files": [], "name": "bar"}'):
            self.origin.put("/simple/foo/", body)
            self.clock.advance(TTL)
            self.assertIsNotNone(self.project().stale_since)
        self.assertIn(
            "cannot be used", self.failure(self.restarted(max_stale=0).project("foo"), UpstreamFailed)
        )

    def test_stale_while_it_is_asked_for(self) -> None:
        """After two seconds of waiting for a slow index, the old page is served until the new one comes."""
        self.project()
        self.origin.put_project("foo", ONE, TWO)
        self.clock.advance(TTL)
        self.origin.held = True
        waiting = self.asking()
        self.clock.advance(1.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        stale = self.successResultOf(waiting)
        assert stale is not None
        self.assertEqual(len(stale.files), 1)
        self.assertEqual(stale.stale_since, datetime.fromtimestamp(START, UTC))
        self.assertIs(self.at_once(self.pages.project("foo")), stale)
        self.assertEqual(len(self.origin.asked), 2)
        self.origin.release()
        fresh = self.at_once(self.pages.project("foo"))
        assert fresh is not None
        self.assertEqual((len(fresh.files), fresh.stale_since), (2, None))
        self.assertEqual(self.pages.counts.stale, 2)

    def test_slow_and_then_failing(self) -> None:
        """A failure without a waiting request is no unhandled error in the log."""
        self.project()
        self.clock.advance(TTL)
        self.origin.held = True
        waiting = self.asking()
        self.clock.advance(2)
        stale = self.successResultOf(waiting)
        self.lose()
        self.origin.release()
        self.assertIs(self.at_once(self.pages.project("foo")), stale)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_slow_with_nothing_to_show(self) -> None:
        """It is waited for as long as it takes."""
        self.origin.held = True
        waiting = self.asking()
        self.clock.advance(29)
        self.assertNoResult(waiting)
        self.origin.release()
        self.assertIsNotNone(self.successResultOf(waiting))

    def test_client_goes_away_while_it_is_slow(self) -> None:
        """The others wait on, and get the new page."""
        self.project()
        self.origin.put_project("foo", ONE, TWO)
        self.clock.advance(TTL)
        self.origin.held = True
        first, second = self.asking(), self.asking()
        self.clock.advance(1)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.origin.release()
        project = self.successResultOf(second)
        assert project is not None
        self.assertEqual(len(project.files), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_a_restart(self) -> None:
        """What is on disk is fresh for the rest of its time, and then asked for with its entity tag."""
        first = self.project()
        self.pages = self.restarted()
        self.clock.advance(TTL - 1)
        again = self.project()
        self.assertEqual(again, first)
        self.assertEqual(len(self.origin.asked), 1)
        self.clock.advance(1)
        self.assertIs(self.project(), again)
        self.assertIn("If-None-Match", self.origin.headers[1])
        self.pages = self.restarted()
        self.clock.advance(TTL - 1)
        self.project()
        self.assertEqual(len(self.origin.asked), 2)

    def test_t60_stale_after_a_restart(self) -> None:
        self.project()
        self.pages = self.restarted()
        self.clock.advance(TTL)
        self.lose()
        self.assertEqual(self.project().stale_since, datetime.fromtimestamp(START, UTC))

    def test_loaded_once(self) -> None:
        """Simultaneous requests after a restart get one object."""
        self.project()
        workers = HeldWorkers()
        self.pages = self.restarted()
        self.pages._cache._workers = workers
        waiting = [self.asking() for _ in range(3)]
        workers.work_all()
        self.assertEqual(len({id(self.successResultOf(one)) for one in waiting}), 1)

    def test_cache_cleared_while_running(self) -> None:
        """The directory may be deleted at any time: what is known is written again."""
        self.project()
        (self.directory / "foo.json").unlink()
        self.directory.rmdir()
        self.clock.advance(TTL)
        self.project()
        self.assertEqual([path.name for path in self.directory.iterdir()], ["foo.json"])
        self.assertEqual((self.directory / "foo.json").stat().st_mtime, START + TTL)

    def test_disk_is_full(self) -> None:
        """Pages are shown all the same, and it is told once in the log each time."""
        self.directory.write_text("a file where the directory should be")
        first = self.project()
        self.clock.advance(TTL)
        self.assertIs(self.project(), first)

    def test_offline(self) -> None:
        """Nobody is asked; what is kept is right, whatever its age; of the rest nobody knows."""
        first = self.project()
        self.pages = self.restarted(offline=True)
        self.clock.advance(10 * MAX_STALE)
        for _ in range(2):
            self.assertEqual(self.project(refresh=True), first)
        self.failure(self.pages.project("bar"), UpstreamFailed)
        self.assertEqual(len(self.origin.asked), 1)

    def test_offline_sees_what_others_fetch(self) -> None:
        """Offline, a page that is put on disk later is found."""
        offline = self.restarted(offline=True)
        self.failure(offline.project("foo"), UpstreamFailed)
        self.project()
        self.assertIsNotNone(self.result(offline.project("foo")))

    def test_fault_a10_failures_hold_on_to_nothing(self) -> None:
        """What is remembered of pages that fail, whoever makes up their names, is no more than why."""
        self.lose(FailedAnswer("index.example.org: it answers with status 500"))
        for number in range(10):
            self.failure(self.pages.project(f"foo-{number}"), FailedAnswer)
            known = self.pages._states.get(f"foo-{number}")
            assert known is not None
            assert known.failure is not None
            self.assertIsNone(known.failure.__traceback__)

    def test_memory_is_bounded(self) -> None:
        """The most recently used pages are in memory, up to a number of files; others come from disk."""
        self.patch(pages_module, "MAX_FILES", 30)
        self.pages = self.restarted()
        for name in ("a", "b", "c"):
            self.origin.put_project(name, {**ENTRY, "filename": f"{name}-1.0.tar.gz"})
        first = [self.project(name) for name in ("a", "b", "c")]
        self.project("foo")
        self.assertIs(self.project("c"), first[2])
        self.assertIsNot(self.project("a"), first[0])
        self.assertEqual(self.project("a"), first[0])
        self.assertEqual(len(self.origin.asked), 4)
        self.origin.put_project("d", *({**ENTRY, "filename": f"d-{n}.zip"} for n in range(25)))
        self.project("d")
        self.assertIsNot(self.project("c"), first[2])

    def test_clock_set_back(self) -> None:
        """A page that was confirmed in the future is asked for, and shown if that fails."""
        first = self.project()
        os.utime(self.directory / "foo.json", (START + 9999, START + 9999))
        self.pages = self.restarted()
        self.assertEqual(self.project(), first)
        self.assertEqual(len(self.origin.asked), 2)

    def test_takes_over_what_another_process_kept(self) -> None:
        """A newer page on disk spares the question, and helps when nobody answers any more."""
        first, other = self.project(), self.restarted()
        self.clock.advance(TTL)
        self.assertEqual(self.result(other.project("foo")), first)
        asked = len(self.origin.asked)
        self.assertIs(self.project(), first)
        self.assertEqual(len(self.origin.asked), asked)
        self.clock.advance(TTL)
        self.origin.put_project("foo", ONE, TWO)
        self.result(other.project("foo"))
        self.lose()
        self.assertEqual([file.version for file in self.project().files], ["1.0", "2.0"])

    def test_fault_a12_takes_over_what_another_process_refreshed(self) -> None:
        """A newer page of another process is served at once, even if the older one is fresh."""
        self.project()
        self.clock.advance(1)
        self.assertEqual(len(self.project().files), 1)
        self.origin.put_project("foo", ONE, TWO)
        self.clock.advance(1)
        self.result(self.restarted().project("foo", refresh=True))
        asked = len(self.origin.asked)
        self.assertEqual(len(self.project().files), 2)
        shown = self.project()
        self.clock.advance(1)
        self.assertIs(self.at_once(self.pages.project("foo")), shown)
        self.assertEqual(len(self.origin.asked), asked)

    def test_fault_a12_what_was_not_there(self) -> None:
        """A project that another process found is there at once, even if it was missing before."""
        self.assertIsNone(self.result(self.pages.project("bar")))
        self.clock.advance(1)
        self.origin.put_project("bar", {**ENTRY, "filename": "bar-1.0.tar.gz"})
        self.result(self.restarted().project("bar"))
        self.lose()
        self.assertEqual(self.project("bar").name, "bar")

    def test_fault_a12_what_is_not_there_any_more(self) -> None:
        """A page that another process removed is fetched again; if that fails, it is served as stale."""
        self.project()
        self.clock.advance(1)
        self.project()
        self.origin.remove("/simple/foo/")
        self.clock.advance(1)
        self.assertIsNone(self.result(self.restarted().project("foo", refresh=True)))
        self.lose()
        self.assertIsNotNone(self.project().stale_since)
        self.clock.advance(PAUSE)
        self.origin.failure = None
        self.assertIsNone(self.result(self.pages.project("foo")))

    def test_fault_a12_is_cheap(self) -> None:
        """The file of a page is checked at most twice a second, whatever the number of requests."""
        looks = []
        with patch.object(PageCache, "confirmed", lambda _, name: looks.append(name)):
            for _ in range(1000):
                self.project()
                self.clock.advance(0.01)
        self.assertLessEqual(len(looks), 21)

    def test_takes_over_what_was_not_there(self) -> None:
        """A project that was not there, or could not be asked for, is there when another process found it."""
        self.assertIsNone(self.result(self.pages.project("bar")))
        self.clock.advance(NEGATIVE_TTL)
        self.origin.put_project("bar", {**ENTRY, "filename": "bar-1.0.tar.gz"})
        self.result(self.restarted().project("bar"))
        self.lose()
        self.assertIsNone(self.project("bar").stale_since)

    def test_offline_takes_over_what_another_process_kept(self) -> None:
        self.project()
        self.pages = self.restarted(offline=True)
        self.project()
        self.origin.put_project("foo", ONE, TWO)
        self.clock.advance(TTL)
        self.result(self.restarted().project("foo"))
        self.assertEqual(len(self.project().files), 2)
