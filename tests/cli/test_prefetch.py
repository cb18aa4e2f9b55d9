"""Downloading pinned releases in advance, from an index in memory."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from pypid.catalog.sqlite import SqliteCatalog
from pypid.cli.environments import Choice, Platform
from pypid.cli.prefetch import Prefetch
from pypid.cli.refresh_pages import Refresh
from pypid.cli.releases import Release
from pypid.errors import UpstreamFailed
from pypid.index.resolution import Resolver
from pypid.storage.directory import DirectoryStorage
from pypid.testing.fakes import FakeContext, InlineWorkers, Synchronous
from pypid.testing.inline import InlineStorage
from pypid.testing.memory_client import MemoryClient
from pypid.upstream.options import parse_description
from pypid.upstream.proxy import ProxyUpstream


class PrefetchTests(Synchronous):
    """An upstream in memory, behind what is published here."""

    def setUp(self) -> None:
        self.root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.context = FakeContext(self.root, MemoryReactorClock())
        self.context.reactor.advance(1_780_000_000)
        self.origin = MemoryClient()
        self.put("foo", "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl", "foo-2.0.tar.gz")
        self.put("bar", "bar-1.0-cp311-cp311-win_amd64.whl")

    def put(self, project: str, *filenames: str, **values: object) -> None:
        """Have a project with files."""
        self.origin.put_project(project, *(self.entry(filename, **values) for filename in filenames))

    def entry(self, filename: str, **values: object) -> Mapping[str, object]:
        """Add a file, and return its entry in a page."""
        url, data = f"https://files.example.org/{filename}", filename.encode()
        self.origin.files[url] = data
        hashes = {"sha256": sha256(data).hexdigest()}
        time = "2020-01-31T12:00:00Z"
        return {
            "filename": filename,
            "url": url,
            "hashes": hashes,
            "size": len(data),
            "upload-time": time,
        } | values

    def upstream(self, options: str = "") -> ProxyUpstream:
        settings = parse_description(f"{self.origin.url}:name=main:max-stale=0s{options}")
        upstream = ProxyUpstream.make(settings, self.context, self.origin)  # type: ignore[arg-type]
        upstream.open()
        self.addCleanup(upstream.close)
        return upstream

    def sources(self, upstream: ProxyUpstream, reserved: Sequence[str] = ()) -> Resolver:
        storage = InlineStorage(DirectoryStorage(self.root))
        catalog = SqliteCatalog(storage, self.root / ".pypid" / "catalog.sqlite", InlineWorkers())
        for provider in (storage, catalog):
            provider.open()
            self.addCleanup(provider.close)
        return Resolver(catalog, [upstream], reserved)

    def begin(
        self, *wanted: Release, options: str = "", choice: Choice | None = None, reserved: Sequence[str] = ()
    ) -> tuple[Prefetch, Deferred[None]]:
        """Begin to fetch releases."""
        sources = self.sources(self.upstream(options), reserved)
        prefetch = Prefetch(sources, choice or Choice(), self.context.reactor)
        self.steps: list[str] = []

        async def both() -> None:
            files = await prefetch.plan(wanted, lambda _: None)
            await prefetch.fetch(files, lambda what: self.steps.append(str(what)))

        return prefetch, Deferred.fromCoroutine(both())

    def fetched(self, *wanted: Release, **options: Any) -> Prefetch:
        """Fetch releases, at once."""
        prefetch, done = self.begin(*wanted, **options)
        self.successResultOf(done)
        return prefetch

    @property
    def kept(self) -> list[str]:
        files = self.root / ".pypid" / "cache" / "main" / "files"
        return sorted(path.name for path in files.glob("*/*"))

    def test_all_files_of_releases(self) -> None:
        """All files of the releases are kept, and nothing else; the second time nothing is fetched."""
        wanted = Release("foo", "1.0"), Release("bar", "1.0")
        prefetch = self.fetched(*wanted)
        files = ["bar-1.0-cp311-cp311-win_amd64.whl", "foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"]
        self.assertEqual((self.kept, prefetch.fetched, prefetch.kept, prefetch.failures), (files, 3, 0, []))
        self.assertEqual(len(self.steps), 3)
        self.origin.files.clear()
        prefetch = self.fetched(*wanted)
        self.assertEqual((prefetch.fetched, prefetch.kept, prefetch.failures), (0, 3, []))
        self.assertEqual(self.fetched(*wanted, options=":offline").failures, [])

    def test_chosen_files(self) -> None:
        """Of what is chosen there may be nothing."""
        choice = Choice([Platform.parse("manylinux_2_28_x86_64")], sdists=False)
        prefetch = self.fetched(Release("foo", "1.0"), Release("bar", "1.0"), choice=choice)
        self.assertEqual(self.kept, ["foo-1.0-py3-none-any.whl"])
        self.assertEqual(prefetch.failures, ["bar 1.0: it has no file for what was chosen"])

    def test_allowed_files(self) -> None:
        """What has another hash than the lock file has is not fetched."""
        hashes = frozenset({f"sha256:{sha256(b'foo-1.0.tar.gz').hexdigest()}"})
        self.assertEqual(self.fetched(Release("foo", "1.0", hashes)).failures, [])
        self.assertEqual(self.kept, ["foo-1.0.tar.gz"])
        prefetch = self.fetched(Release("bar", "1.0", hashes))
        self.assertEqual(prefetch.failures, ["bar 1.0: none of its files has a hash that the lock file has"])

    def test_files_without_hashes_upstream(self) -> None:
        """They are judged when they are here: one that is allowed is enough."""
        self.put("foo", "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl", hashes={})
        hashes = frozenset({f"sha256:{sha256(b'foo-1.0.tar.gz').hexdigest()}"})
        self.assertEqual(self.fetched(Release("foo", "1.0", hashes)).failures, [])
        prefetch = self.fetched(Release("foo", "1.0", frozenset({"sha256:" + "0" * 64})))
        self.assertEqual(prefetch.failures, ["foo 1.0: none of its files has a hash that the lock file has"])

    def test_metadata(self) -> None:
        """Where a page offers core metadata, they are kept, too."""
        digest = sha256(b"Name: foo").hexdigest()
        self.put("foo", "foo-1.0-py3-none-any.whl", **{"core-metadata": {"sha256": digest}})
        url = "https://files.example.org/foo-1.0-py3-none-any.whl.metadata"
        self.origin.put(url, b"Name: foo")
        self.assertEqual(self.fetched(Release("foo", "1.0")).failures, [])
        self.assertEqual(self.kept, ["foo-1.0-py3-none-any.whl", "foo-1.0-py3-none-any.whl.metadata"])

    def test_what_cannot_be_had(self) -> None:
        """It is named, and stops nothing else."""
        del self.origin.files["https://files.example.org/bar-1.0-cp311-cp311-win_amd64.whl"]
        wanted = [Release("bar", "1.0"), Release("baz", "1"), Release("foo", "1.0"), Release("foo", "3")]
        prefetch = self.fetched(*wanted)
        self.assertEqual(
            prefetch.failures,
            [
                "baz 1: there is no project baz",
                "foo 3: there is no such release",
                "bar 1.0: the upstream does not have that file any more",
            ],
        )
        self.assertEqual(prefetch.fetched, 2)

    def test_rules(self) -> None:
        """What a rule withholds is not fetched; the rule is named."""
        prefetch = self.fetched(Release("foo", "1.0"), Release("bar", "1.0"), options=":deny=foo<2")
        self.assertEqual(prefetch.failures, ["foo 1.0: foo-1.0-py3-none-any.whl is withheld: deny=foo<2"])
        self.assertEqual(prefetch.fetched, 1)

    def test_names_that_are_taken_here(self) -> None:
        """What is published here is not asked for upstream, nor is what is reserved."""
        directory = self.root / "simple" / "foo"
        directory.mkdir(parents=True)
        (directory / "foo-1.0.tar.gz").write_bytes(b"ours")
        prefetch = self.fetched(Release("foo", "1.0"), Release("bar", "1.0"), reserved=["ba*"])
        self.assertEqual(prefetch.local, 1)
        self.assertEqual(prefetch.failures, ["bar 1.0: there is no project bar"])
        self.assertEqual((self.origin.asked, self.kept), ([], []))

    def test_page_that_is_too_old(self) -> None:
        """A release that the page does not know is asked for."""
        upstream = self.upstream()
        self.result(upstream.project("foo"))
        upstream.close()
        self.put("foo", "foo-3.0.tar.gz")
        self.context.reactor.advance(5)
        self.assertEqual(self.fetched(Release("foo", "3.0")).failures, [])

    def test_another_try(self) -> None:
        """What failed for a reason that may pass is tried again, and named if it does not pass."""
        self.origin.failure = UpstreamFailed("index.example.org: it answers with status 503")
        prefetch, done = self.begin(Release("foo", "1.0"))
        self.assertNoResult(done)
        self.origin.failure = None
        self.context.reactor.advance(3)
        self.successResultOf(done)
        self.assertEqual((prefetch.failures, prefetch.fetched), ([], 2))
        self.origin.failure = UpstreamFailed("index.example.org: it answers with status 503")
        prefetch, done = self.begin(Release("bar", "1.0"))
        self.context.reactor.pump([3, 10])
        self.successResultOf(done)
        self.assertEqual(prefetch.failures, [f"bar 1.0: {self.origin.failure}"])

    def test_cache_that_is_too_small(self) -> None:
        """Success is said only if all is there in the end."""
        self.put("foo", "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl")
        prefetch = self.fetched(Release("foo", "1.0"), options=":max-size=30")
        self.assertEqual(len(self.kept), 1)
        self.assertEqual(len(prefetch.failures), 1)
        self.assertIn("the cache is too small", prefetch.failures[0])

    def test_cancelled(self) -> None:
        self.origin.held = True
        prefetch, done = self.begin(Release("foo", "1.0"), Release("bar", "1.0"))
        done.cancel()
        self.failureResultOf(done)
        self.assertEqual((prefetch.fetched, self.kept), (0, []))

    def test_refresh(self) -> None:
        """Pages are asked for again; what is gone upstream goes here, and what fails is named."""
        upstream = self.upstream(":ttl=0s")
        for name in ("foo", "bar"):
            self.result(upstream.project(name))
        self.origin.remove("/simple/bar/")
        self.context.reactor.advance(5)
        refresh = Refresh(self.sources(upstream), self.context.reactor, ())
        self.result(refresh.run(["bar", "foo"], lambda _: None))
        self.assertEqual((refresh.refreshed, refresh.gone, refresh.failures), (1, 1, []))
        self.context.reactor.advance(5)
        self.origin.failure = UpstreamFailed("index.example.org: it refuses connections")
        self.result(refresh.run(["foo"], lambda _: None))
        self.assertEqual(refresh.failures, ["foo: index.example.org: it refuses connections"])
