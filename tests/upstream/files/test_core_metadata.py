"""The core metadata of an upstream's files."""

from __future__ import annotations

from hashlib import sha256

from twisted.internet.defer import Deferred

from pypid.errors import NotFound, UpstreamFailed, UpstreamTimedOut
from pypid.testing.builds import sdist
from pypid.testing.fakes import HeldWorkers, Synchronous
from pypid.testing.files import URL, FileSteps, make_file
from pypid.upstream.files.file_cache import FileCache
from pypid.upstream.http.upstream_failures import UnusableAnswer

METADATA = b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n"
DIGEST = sha256(METADATA).hexdigest()


class MetadataTests(FileSteps, Synchronous):
    """Core metadata from ``<url>.metadata`` (PEP 658)."""

    def setUp(self) -> None:
        super().setUp()
        self.origin.contents[f"{URL}.metadata"] = METADATA

    def test_fetched_and_kept(self) -> None:
        """Core metadata is fetched once, and cached beside the file."""
        for _ in range(2):
            self.assertEqual(
                self.result(self.files.metadata("foo", make_file(core_metadata=DIGEST))), METADATA
            )
        self.assertEqual(len(self.origin.asked), 1)
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz.metadata"])
        self.files = self.restarted(offline=True)
        self.assertEqual(self.result(self.files.metadata("foo", make_file())), METADATA)

    def test_promised_without_a_digest(self) -> None:
        """Metadata comes from the sidecar file; if a promised one is missing, from the file itself."""
        file = make_file(core_metadata=True)
        self.assertEqual(self.result(self.files.metadata("foo", file)), METADATA)
        filename, data = sdist("foo", "1.0")
        file = make_file(data, filename, core_metadata=True, url="https://files.example.org/bare")
        self.origin.contents["https://files.example.org/bare"] = data
        found = self.result(self.files.metadata("foo", file))
        self.assertIn(b"Name: foo", found)
        self.files = self.restarted(offline=True)
        self.assertEqual(self.result(self.files.metadata("foo", file)), found)

    def test_t57_wrong(self) -> None:
        """Metadata with a wrong digest is neither served nor cached (T57)."""
        file = make_file(core_metadata="0" * 64)
        self.failure(self.files.metadata("foo", file), UpstreamFailed)
        self.assertEqual(self.kept, [])

    def test_fault_d1_any_failure_leads_to_the_wheel(self) -> None:
        """Promised metadata without a sidecar file is read from the file, and cached."""
        filename, data = sdist("foo", "1.0")
        url = "https://files.example.org/bare"
        self.origin.contents[url] = data
        inside = self.result(
            self.files.metadata("foo", make_file(data, filename, core_metadata=True, url=url))
        )
        digest = sha256(inside).hexdigest()
        for promise in (True, digest):
            for number, failure in enumerate(
                (
                    UnusableAnswer("files.example.org: it answers with status 403"),
                    UpstreamFailed("files.example.org: it answers with status 500"),
                    UpstreamTimedOut("files.example.org: it did not answer in time"),
                )
            ):
                name = f"foo-1.{number}.tar.gz"
                file = make_file(data, name, core_metadata=promise, url=url)
                self.path(f"{name}.metadata").unlink(missing_ok=True)
                self.origin.script = [failure]
                self.assertEqual(self.result(self.files.metadata("foo", file)), inside)
                self.assertEqual(self.path(f"{name}.metadata").read_bytes(), inside)
        self.origin.contents[f"{url}.metadata"] = METADATA
        file = make_file(data, "foo-2.0.tar.gz", core_metadata=digest, url=url)
        self.assertEqual(self.result(self.files.metadata("foo", file)), inside)

    def test_fault_d1_the_wheel_is_of_no_help(self) -> None:
        """If the file is missing, broken or has other metadata, the error says what failed."""
        filename, data = sdist("foo", "1.0")
        url = "https://files.example.org/bare"
        failure = "files.example.org: it answers with status 403"
        for contents, promise, told in (
            ({}, True, failure),
            ({url: b"rubbish"}, True, failure),
            ({url: data}, "0" * 64, "its metadata is not what its page promises"),
        ):
            self.origin.contents = contents
            self.origin.script = [UnusableAnswer(failure)]
            body = contents.get(url, b"")
            file = make_file(body, filename, core_metadata=promise, url=url)
            self.assertIn(told, self.failure(self.files.metadata("foo", file), UpstreamFailed))
        self.assertNotIn(".metadata", " ".join(self.kept))

    def test_fault_d1_nothing_was_promised(self) -> None:
        """A file without promised metadata is not downloaded for it."""
        self.origin.script = [UnusableAnswer("files.example.org: it answers with status 403")]
        self.assertIn("403", self.failure(self.files.metadata("foo", make_file()), UpstreamFailed))
        self.assertEqual(len(self.origin.asked), 1)

    def test_changed_on_disk(self) -> None:
        """Metadata that was changed on disk is fetched again."""
        file = make_file(core_metadata=DIGEST)
        self.result(self.files.metadata("foo", file))
        self.path("foo-1.0.tar.gz.metadata").write_bytes(b"rubbish")
        self.assertEqual(self.result(self.files.metadata("foo", file)), METADATA)

    def test_missing(self) -> None:
        """A file may have no core metadata."""
        self.failure(self.files.metadata("foo", make_file(filename="foo-2.0.tar.gz")), NotFound)
        self.failure(self.files.metadata("foo", make_file(url=None)), NotFound)
        self.failure(self.files.metadata("..", make_file()), NotFound)

    def test_query(self) -> None:
        """The suffix is appended to the path of a URL with a query."""
        self.origin.contents[f"{URL}.metadata?key=1"] = METADATA
        self.assertEqual(self.result(self.files.metadata("foo", make_file(url=f"{URL}?key=1"))), METADATA)

    def test_fails(self) -> None:
        """A failure is not cached: the next request asks the upstream again."""
        self.origin.script = [UpstreamFailed("files.example.org: it refuses connections")]
        self.failure(self.files.metadata("foo", make_file()), UpstreamFailed)
        self.assertEqual(self.result(self.files.metadata("foo", make_file())), METADATA)

    def test_t61_shared(self) -> None:
        """Simultaneous requests share one fetch (T61)."""
        workers = HeldWorkers()
        files = FileCache(self.origin, workers, self.clock, self.directory, 1000)  # type: ignore[arg-type]
        waiting = [Deferred.fromCoroutine(files.metadata("foo", make_file())) for _ in range(9)]
        workers.work_all()
        for one in waiting:
            self.assertEqual(self.successResultOf(one), METADATA)
        self.assertEqual(len(self.origin.asked), 1)
