"""The caching proxy with all of its parts."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from pypid.errors import CannotStart, NameWithheld, UpstreamFailed, Withheld
from pypid.interfaces import IContext, IUpstream, IWorkers
from pypid.model import File, Project
from pypid.names import parse_filename
from pypid.plugins.builtin import proxy_upstream
from pypid.testing.fakes import FakeContext, HeldWorkers, Synchronous
from pypid.testing.held_upstream import HeldUpstreamContract
from pypid.testing.memory_client import MemoryClient
from pypid.testing.steps import scratch
from pypid.testing.upstream import UpstreamContract
from pypid.upstream.options import parse_description
from pypid.upstream.pages.freshness import MIN_WEIGHT
from pypid.upstream.proxy import ProxyUpstream

START = 1_780_000_000
DAY = 86400


def entry(filename: str, age: float = 100 * DAY, **values: Any) -> Mapping[str, Any]:
    """Make an entry of a page, of a file that was uploaded so many seconds before the start."""
    time = datetime.fromtimestamp(START - age, UTC).isoformat()
    url = f"https://files.example.org/{filename}"
    return {"filename": filename, "url": url, "hashes": {}, "size": 1, "upload-time": time} | values


class ProxyUpstreamTests(Synchronous):
    """A proxy of an index in memory."""

    def setUp(self) -> None:
        root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        self.context = FakeContext(root, MemoryReactorClock())
        self.context.reactor.advance(START)
        self.origin = MemoryClient()
        self.origin.put_project("foo", entry("foo-1.0.tar.gz"), entry("foo-2.0.tar.gz", age=DAY))

    def made(self, options: str = "") -> ProxyUpstream:
        """Make an upstream, opened."""
        settings = parse_description(f"{self.origin.url}{options}")
        upstream = ProxyUpstream.make(settings, self.context, self.origin)  # type: ignore[arg-type]
        upstream.open()
        self.addCleanup(upstream.close)
        return upstream

    def project(self, upstream: ProxyUpstream, name: str = "foo") -> Project:
        """Return a project that is there."""
        project = self.result(upstream.project(name))
        assert isinstance(project, Project)
        return project

    def test_made_without_opening_anything(self) -> None:
        """What makes it reads no file and asks nobody."""
        upstream = proxy_upstream.from_description(f"{self.origin.url}:credentials=/nowhere", self.context)
        self.assertEqual(list(self.context.root.iterdir()), [])
        self.assertTrue(IUpstream.providedBy(upstream))
        self.assertEqual(upstream.name, "index.example.org")

    def test_where_it_is_kept(self) -> None:
        """Below the root, under its name."""
        self.project(self.made(":name=main"))
        self.assertTrue((self.context.root / ".pypid" / "cache" / "main" / "pages" / "foo.json").exists())

    def test_summary(self) -> None:
        """It says what is asked for, and the rules."""
        self.assertEqual(
            self.made().summary,
            "projects that are not here are fetched from https://index.example.org/simple/ and kept",
        )
        summary = self.made(":offline:allow=acme-*,foo<2:min-age=36h").summary
        self.assertEqual(
            summary,
            "offline: of the projects that are not here, those kept of https://index.example.org/simple/;"
            " allow=acme-*,foo<2 min-age=36h",
        )

    def test_merged(self) -> None:
        self.assertEqual(self.made(":merge=Foo_Bar").merged, {"foo-bar"})

    def test_the_same_object(self) -> None:
        """With rules and without them a project is one object as long as nothing changes."""
        for options in ("", ":deny=foo<2", ":min-age=3d", ":min-age=3d:allow=foo,bar:before=2099-01-01"):
            upstream = self.made(options)
            first = self.project(upstream)
            self.assertIs(self.project(upstream), first)
            self.context.reactor.advance(601)
            self.assertIs(self.project(upstream), first)

    def test_withheld_by_name(self) -> None:
        """It is not even asked for."""
        upstream = self.made(":deny=foo")
        self.assertIn("deny=foo", self.failure(upstream.project("foo"), NameWithheld))
        self.assertEqual(self.origin.asked, [])

    def test_withheld_files(self) -> None:
        """They are not among its files, and the reasons are told."""
        project = self.project(self.made(":deny=foo<2"))
        self.assertEqual([file.filename for file in project.files], ["foo-2.0.tar.gz"])
        self.assertEqual(project.withheld, {"foo-1.0.tar.gz": "foo-1.0.tar.gz is withheld: deny=foo<2"})

    def test_all_files_are_withheld(self) -> None:
        """The reason is that of the newest; another upstream is not to be asked instead."""
        upstream = self.made(":min-age=1000d")
        for _ in range(2):
            text = self.failure(upstream.project("foo"), Withheld)
            self.assertRegex(text, r"^foo-2.0.tar.gz is withheld: min-age=1000d, until 20..-..-.. ..:.. UTC$")
        failure = self.failureResultOf(Deferred.fromCoroutine(upstream.project("foo")))
        self.assertIsNone(failure.check(NameWithheld))

    def test_a_project_without_files_is_one(self) -> None:
        self.origin.put_project("bar")
        self.assertEqual(self.project(self.made(":min-age=3d"), "bar").files, ())

    def test_files_come_of_age(self) -> None:
        """Then, and not before, it is another object; nobody has to be asked for that."""
        upstream = self.made(":min-age=3d:ttl=30d")
        first = self.project(upstream)
        self.assertEqual([file.version for file in first.files], ["1.0"])
        self.context.reactor.advance(2 * DAY - 1)
        self.assertIs(self.project(upstream), first)
        self.context.reactor.advance(1)
        second = self.project(upstream)
        self.assertEqual([file.version for file in second.files], ["1.0", "2.0"])
        self.assertEqual(second.withheld, {})
        self.assertIs(self.project(upstream), second)
        self.assertEqual(len(self.origin.asked), 1)

    def test_files_out_of_reach(self) -> None:
        """Links to where no file could be fetched from are not offered, and the reason is told."""
        self.origin.put_project(
            "foo",
            entry("foo-1.0.tar.gz"),
            entry("foo-2.0.tar.gz", url="http://files.example.org/foo-2.0.tar.gz"),
            entry("foo-3.0.tar.gz", url="https://127.0.0.1/foo-3.0.tar.gz"),
        )
        project = self.project(self.made())
        self.assertEqual([file.version for file in project.files], ["1.0"])
        self.assertIn("allow-http", project.withheld["foo-2.0.tar.gz"])
        self.assertIn("allow-private", project.withheld["foo-3.0.tar.gz"])
        trusting = self.project(self.made(":allow-http:allow-private:name=other"))
        self.assertEqual(len(trusting.files), 3)

    def test_provenance_out_of_reach(self) -> None:
        """The file is offered without it, unless it is at the index or wherever files may be."""
        urls = (
            "https://index.example.org/integrity/1",
            "https://elsewhere.example.org/2",
            "http://index.example.org/3",
            "https://127.0.0.1/4",
            "https://elsewhere.example.org:8080/5",
        )
        self.origin.put_project(
            "foo", *(entry(f"foo-{n}.0.tar.gz", provenance=url) for n, url in enumerate(urls, 1))
        )
        upstream = self.made()
        project = self.project(upstream)
        self.assertEqual([file.provenance_url for file in project.files], [*urls[:2], None, None, None])
        self.assertEqual(project.withheld, {})
        self.assertIs(self.project(upstream), project)
        found = self.project(self.made(":name=other:hosts=127.0.0.1,elsewhere.example.org\\:8080")).files
        self.assertEqual([file.provenance_url for file in found], [*urls[:2], None, *urls[3:]])

    def test_what_may_be_linked_to(self) -> None:
        """Each option opens what it names, and no more."""
        self.origin.put_project(
            "foo",
            entry("foo-1.0.tar.gz", url="http://files.example.org/foo-1.0.tar.gz"),
            entry("foo-2.0.tar.gz", url="https://127.0.0.1/foo-2.0.tar.gz"),
            entry("foo-3.0.tar.gz", url="https://127.0.0.2/foo-3.0.tar.gz"),
        )
        for options, versions in (
            (":allow-http", ["1.0"]),
            (":allow-private", ["2.0", "3.0"]),
            (":hosts=127.0.0.2", ["3.0"]),
        ):
            project = self.project(self.made(options))
            self.assertEqual([file.version for file in project.files], versions)

    def test_offline(self) -> None:
        """Neither pages nor files are asked for."""
        self.project(self.made())
        upstream = self.made(":offline")
        self.context.reactor.advance(100 * DAY)
        self.assertIsNone(self.project(upstream).stale_since)
        self.failure(upstream.project("bar"), UpstreamFailed)
        file = self.file("foo-1.0.tar.gz", START - DAY)
        self.assertIn("not kept", self.failure(upstream.content("foo", file), UpstreamFailed))
        self.assertEqual(self.origin.asked, ["/simple/foo/"])

    def test_how_it_is_asked(self) -> None:
        """The credentials are read when it is opened, and the time is limited as was said."""
        upstream = ProxyUpstream.make(
            parse_description(f"{self.origin.url}:credentials=/nowhere:timeout=5s:max-stale=3h:max-size=1M"),
            self.context,
        )
        self.assertEqual(upstream.files.max_size, 1024**2)
        self.assertEqual(upstream._client._timeout, 5)
        self.assertEqual(upstream.pages.max_stale, 3 * 3600)
        with self.assertRaisesRegex(CannotStart, "cannot read the credentials file /nowhere"):
            upstream.open()

    def test_credentials_from_the_environment(self) -> None:
        upstream = ProxyUpstream.make(
            parse_description(f"{self.origin.url}:credentials-env=PYPID_NOT_SET"), self.context
        )
        with self.assertRaisesRegex(CannotStart, "PYPID_NOT_SET"):
            upstream.open()

    def test_settings_change(self) -> None:
        """What is kept is as the upstream has it: another rule holds at once."""
        self.project(self.made(":deny=foo<2"))
        self.assertEqual(len(self.project(self.made()).files), 2)
        self.assertEqual(len(self.origin.asked), 1)

    def test_large_projects_are_sorted_out_elsewhere(self) -> None:
        """Many files are not looked at in the time of a tick, nor a second time."""
        self.origin.put_project("foo", *(entry(f"foo-{n}.tar.gz") for n in range(300)))
        upstream = self.made()
        upstream._workers = workers = HeldWorkers()
        waiting = Deferred.fromCoroutine(upstream.project("foo"))
        self.assertNoResult(waiting)
        workers.work_all()
        self.assertIs(self.project(upstream), self.successResultOf(waiting))

    def test_fault_a10_projects_without_files_are_bounded(self) -> None:
        """What is selected of many projects, which may have few files or none, takes up a bounded room."""
        upstream = self.made()
        upstream._selections.limit = 10 * MIN_WEIGHT
        for number in range(30):
            self.origin.put_project(f"empty-{number}")
            self.project(upstream, f"empty-{number}")
        self.assertEqual(len(upstream._selections._values), 10)

    def test_stale(self) -> None:
        """A stale project is one object, too, and the rules hold for it."""
        upstream = self.made(":deny=foo<2")
        self.project(upstream)
        self.context.reactor.advance(601)
        self.origin.failure = UpstreamFailed("it answers 503")
        stale = self.project(upstream)
        self.assertEqual(stale.stale_since, datetime.fromtimestamp(START, UTC))
        self.assertEqual(len(stale.files), 1)
        self.assertIs(self.project(upstream), stale)

    def test_refresh(self) -> None:
        upstream = self.made()
        self.project(upstream)
        self.context.reactor.advance(10)
        self.result(upstream.project("foo", refresh=True))
        self.assertEqual(len(self.origin.asked), 2)

    def test_withheld_content(self) -> None:
        """A rule holds for the file itself, by whatever way one gets to it."""
        upstream = self.made(":min-age=3d")
        young = self.file("foo-2.0.tar.gz", START - DAY)
        for ask in (upstream.content, upstream.metadata, upstream.provenance):
            self.assertIn("min-age=3d, until", self.failure(ask("foo", young), Withheld))
        self.assertEqual(self.origin.asked, [])

    def file(self, filename: str, time: float) -> File:
        """Make a file as pages show it."""
        name = parse_filename(filename)
        uploaded = datetime.fromtimestamp(time, UTC)
        return File(filename, name.version, name.kind, 1, {}, None, uploaded, url="https://h/x")

    def test_statistics_outlive_it(self) -> None:
        upstream = self.made()
        for _ in range(3):
            self.project(upstream)
        upstream.close()
        path = self.context.root / ".pypid" / "cache" / upstream.name / "statistics.json"
        self.assertEqual(json.loads(path.read_text())["pages"]["hits"], 2)
        self.assertEqual(self.made().pages.counts.hits, 2)


def filled_origin() -> MemoryClient:
    """Make an index in memory that has a project with a wheel and an sdist."""
    origin = MemoryClient()
    body, metadata = bytes(range(256)) * 1000, b"Metadata-Version: 2.1\n"
    wheel = entry(
        "foo-1.0-py3-none-any.whl",
        size=len(body),
        hashes={"sha256": sha256(body).hexdigest()},
        provenance="https://index.example.org/integrity/foo/provenance",
        **{"core-metadata": {"sha256": sha256(metadata).hexdigest()}},
    )
    origin.put("/integrity/foo/provenance", b'{"version": 1, "attestation_bundles": [{}]}')
    unknown = entry("foo-0.9.tar.gz", size=None)
    origin.files |= {wheel["url"]: body, unknown["url"]: b"of a length that no page tells"}
    origin.put(f"{wheel['url']}.metadata", metadata)
    origin.put_project("foo", wheel, unknown)
    return origin


class ProxyUpstreamContractTests(UpstreamContract, Synchronous):
    """It keeps the promises of upstreams, as any other does."""

    offered = ("foo",)

    def make_upstream(self) -> IUpstream:
        root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        self.origin = filled_origin()
        settings = parse_description(self.origin.url)
        return ProxyUpstream.make(settings, FakeContext(root), self.origin)  # type: ignore[arg-type]

    def disconnect(self) -> bool:
        self.origin.failure = UpstreamFailed("it refuses connections")
        return True


@implementer(IContext)
@define
class HeldContext:
    """A context all of whose workers are the same ones."""

    root: Path
    held: IWorkers
    reactor: Any = field(factory=MemoryReactorClock)

    def workers(self, name: str, threads: int) -> IWorkers:
        return self.held


class ProxyUpstreamHeldTests(HeldUpstreamContract, Synchronous):
    """It leaves nothing behind of clients that go away while its workers are at work."""

    offered = ("foo",)

    def make_held_upstream(self, workers: IWorkers) -> IUpstream:
        root = scratch(self)
        self.directories = [root / ".pypid" / "cache" / "index.example.org" / "partial"]
        origin: Any = filled_origin()
        context = HeldContext(root, workers)
        return ProxyUpstream.make(parse_description(origin.url), context, origin)

    def assert_idle(self, upstream: IUpstream) -> None:
        assert isinstance(upstream, ProxyUpstream)
        files = upstream.files
        self.assertEqual(files._downloads._current, {})
        self.assertEqual(files._downloads._running, {})
        self.assertEqual(files._downloads._slots._taken, set())
        self.assertEqual(files.eviction._pinned, {})
        flights = upstream.pages._loads, upstream.pages._fetches, upstream.provenances._fetches
        for flight in (files._metadata, files._hashings, *flights):
            self.assertEqual(flight._waiting, {})
