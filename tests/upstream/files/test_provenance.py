"""The provenance of an upstream's files."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pypid.errors import NotFound, UpstreamFailed
from pypid.formats.attestations import MAX_SIZE
from pypid.testing.fakes import HeldWorkers, InlineWorkers, Synchronous
from pypid.testing.files import FileSteps, make_file
from pypid.upstream.files.provenance import Provenances

URL = "https://index.example.org/integrity/foo/1.0/foo-1.0.tar.gz/provenance"
FILE = make_file(provenance_url=URL)
PROVENANCE = b'{"version": 1, "attestation_bundles": [{"attestations": []}]}\n'
NEWER = PROVENANCE.replace(b"[]", b"[{}]")
KEPT = "files/foo/foo-1.0.tar.gz.provenance"
FAILURE = UpstreamFailed("index.example.org: it refuses connections")


class ProvenancesTests(FileSteps, Synchronous):
    """What ``<url>.provenance`` answers (PEP 740)."""

    def setUp(self) -> None:
        super().setUp()
        self.origin.contents[URL] = PROVENANCE
        self.provenances = self.made()

    def made(self, workers: Any = None, offline: bool = False) -> Provenances:
        """Return one that knows nothing but what is on disk."""
        origin: Any = self.origin
        workers = workers or InlineWorkers()
        return Provenances(origin, self.files.store, workers, self.clock, 600, 3600, offline)

    def provenance(self) -> bytes:
        """Ask for one that is there."""
        return self.result(self.provenances.provenance("foo", FILE))

    def fails(self) -> str:
        """Ask for one that cannot be had."""
        return self.failure(self.provenances.provenance("foo", FILE), UpstreamFailed)

    def is_missing(self) -> None:
        """Ask for one that is not there."""
        self.failure(self.provenances.provenance("foo", FILE), NotFound)

    def test_fetched_from_where_the_page_says(self) -> None:
        """It is given letter for letter, kept beside the file, and not asked for again for a while."""
        self.assertEqual(self.provenance(), PROVENANCE)
        self.clock.advance(599)
        self.assertEqual(self.provenance(), PROVENANCE)
        self.provenances = self.made()
        self.assertEqual(self.provenance(), PROVENANCE)
        [(url, headers)] = self.origin.asked
        self.assertEqual(url, URL)
        self.assertEqual(list(headers), ["Accept"])
        self.assertEqual(self.kept, [KEPT])

    def test_there_is_another_one_later(self) -> None:
        """As attestations may be added to a file that was published long ago."""
        self.provenance()
        self.origin.contents[URL] = NEWER
        self.assertEqual(self.provenance(), PROVENANCE)
        self.clock.advance(600)
        self.assertEqual(self.provenance(), NEWER)
        self.clock.advance(599)
        self.assertEqual(self.provenance(), NEWER)
        self.assertEqual(len(self.origin.asked), 2)

    def test_t60_stale(self) -> None:
        """While the upstream fails what is kept is shown, not for ever, and then the newer one (T60)."""
        self.provenance()
        self.clock.advance(600)
        self.origin.script = [FAILURE]
        self.assertEqual(self.provenance(), PROVENANCE)
        self.clock.advance(3001)
        self.origin.script = [FAILURE]
        self.assertEqual(self.fails(), str(FAILURE))
        self.origin.contents[URL] = NEWER
        self.assertEqual(self.provenance(), NEWER)

    def test_t60_nothing_is_kept(self) -> None:
        """Then it is an error that the upstream fails (T60)."""
        self.origin.script = [FAILURE]
        self.fails()
        self.assertEqual(self.provenance(), PROVENANCE)

    def test_offline(self) -> None:
        """Nobody is asked, and what is kept is right, whatever its age."""
        self.provenance()
        self.clock.advance(1_000_000)
        self.provenances = self.made(offline=True)
        self.assertEqual(self.provenance(), PROVENANCE)
        self.path("foo-1.0.tar.gz.provenance").unlink()
        self.assertIn("foo-1.0.tar.gz is not kept", self.fails())
        self.assertEqual(len(self.origin.asked), 1)

    def test_t57_only_provenance(self) -> None:
        """What is none is neither given nor kept; one that was kept goes on being shown (T57)."""
        wrong = (b"", b"{}", b"<html>", b"[" * 10_000, b'{"version": 2, "attestation_bundles": [{}]}')
        for data in wrong:
            self.origin.contents[URL] = data
            self.assertEqual(self.fails(), "index.example.org: the provenance of foo-1.0.tar.gz is not one")
        self.assertEqual(self.kept, [])
        self.origin.contents[URL] = PROVENANCE
        self.provenance()
        self.clock.advance(600)
        self.origin.contents[URL] = b"{}"
        self.assertEqual(self.provenance(), PROVENANCE)

    def test_t58_bounded(self) -> None:
        """No more of it is read than attestations may have (T58)."""
        self.provenance()
        self.assertEqual(self.origin.limits, [MAX_SIZE])

    def test_t59_damaged_on_disk(self) -> None:
        """It is fetched again, as if it were not there; with nobody to ask it is not given (T59)."""
        for offline in (False, True):
            self.provenance()
            self.path("foo-1.0.tar.gz.provenance").write_bytes(PROVENANCE[:30])
            self.provenances = self.made(offline=offline)
        self.fails()
        self.assertEqual(len(self.origin.asked), 2)

    def test_withdrawn(self) -> None:
        """It goes away here, too, and does not come back while the upstream fails."""
        self.provenance()
        del self.origin.contents[URL]
        self.clock.advance(600)
        self.is_missing()
        self.assertEqual(self.kept, [])
        self.origin.script = [FAILURE]
        self.fails()

    def test_missing(self) -> None:
        """There is none of a file whose page tells of none, kept or not."""
        self.provenance()
        self.failure(self.provenances.provenance("foo", make_file()), NotFound)
        self.failure(self.provenances.provenance("..", FILE), NotFound)
        self.assertEqual(len(self.origin.asked), 1)

    def test_it_cannot_be_kept(self) -> None:
        """It is given all the same."""
        self.directory.mkdir(parents=True)
        (self.directory / "files").write_text("in the way")
        for _ in range(2):
            self.assertEqual(self.provenance(), PROVENANCE)
        del self.origin.contents[URL]
        self.is_missing()

    def test_clock_set_back(self) -> None:
        """What is from the future is asked for."""
        self.clock.advance(1000)
        self.provenance()
        self.clock.advance(-500)
        self.origin.contents[URL] = NEWER
        self.assertEqual(self.provenance(), NEWER)

    def test_t61_shared(self) -> None:
        """Several who want it at the same time share one question (T61)."""
        workers = HeldWorkers()
        self.provenances = self.made(workers)
        waiting = [Deferred.fromCoroutine(self.provenances.provenance("foo", FILE)) for _ in range(9)]
        workers.work_all()
        for one in waiting:
            self.assertEqual(self.successResultOf(one), PROVENANCE)
        self.assertEqual(len(self.origin.asked), 1)
