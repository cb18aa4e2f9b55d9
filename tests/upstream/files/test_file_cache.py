"""The files of an upstream: downloaded once, verified, cached."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import capturedLogs
from zope.interface import implementer

from pypid.errors import NotFound, OutOfSpace, UpstreamFailed
from pypid.interfaces import IContent, IWorkers
from pypid.testing.content import ContentContract, MemoryConsumer
from pypid.testing.fakes import HeldWorkers, Synchronous
from pypid.testing.files import DATA, URL, FileSteps, make_file
from pypid.testing.streams import MemoryStream
from pypid.testing.workers import abandon
from pypid.upstream.files import store
from pypid.upstream.files.file_cache import FileCache
from pypid.upstream.http.body_stream import BATCH


@implementer(IWorkers)
class LateWorkers:
    """Workers that work at once, and tell what came of it when they are told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Deferred[Any]]] = []

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call it now."""
        told: Deferred[Any] = Deferred()
        self.waiting.append((maybeDeferred(function, *args), told))
        return told

    def tell(self) -> None:
        """Return the outcomes of the calls so far."""
        waiting, self.waiting = self.waiting, []
        for done, told in waiting:
            done.chainDeferred(told)


class FilesTests(FileSteps, Synchronous):
    """A cache without faults."""

    def test_miss_and_hit(self) -> None:
        """A file is downloaded at its first request, and cached in a readable tree."""
        file = make_file()
        self.origin.contents[URL] = DATA
        self.assertEqual(self.sent(file), DATA)
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz"])
        self.assertEqual(self.path().read_bytes(), DATA)
        self.assertEqual(self.sent(file), DATA)
        self.assertEqual(self.sent(file, 5, 10), DATA[5:10])
        self.assertEqual(self.origin.asked, [(URL, {})])
        counts = self.files.counts
        self.assertEqual((counts.hits, counts.misses, counts.downloads), (2, 1, 1))
        self.assertEqual((counts.bytes_from_cache, counts.bytes_from_upstream), (len(DATA) + 5, len(DATA)))

    def test_survives_a_restart(self) -> None:
        """A cached file is served after a restart without a request to the upstream."""
        self.origin.contents[URL] = DATA
        self.sent(make_file())
        self.files = self.restarted()
        self.assertEqual(self.sent(make_file()), DATA)
        self.assertEqual(len(self.origin.asked), 1)

    def test_date(self) -> None:
        """The date of a file is its time of publication, cached or not."""
        self.origin.contents[URL] = DATA
        nanoseconds = 1580608922222222000
        self.assertEqual(self.asked(make_file()).modified_ns, nanoseconds)
        self.sent(make_file())
        self.assertEqual(self.asked(make_file()).modified_ns, nanoseconds)
        self.assertEqual(self.asked(make_file(filename="foo-2.0.tar.gz", upload_time=None)).length, len(DATA))

    def test_asking_for_the_length_fetches_nothing(self) -> None:
        """HEAD and an empty range of a file with a known length need no download."""
        content = self.asked(make_file())
        self.assertEqual(content.length, len(DATA))
        self.result(content.send_to(MemoryConsumer(), 7, 7))
        self.assertEqual(self.origin.asked, [])

    def test_unknown_length(self) -> None:
        """If the page has no length, the upstream's response gives it."""
        self.streams(MemoryStream(length=len(DATA), body=DATA))
        file = make_file(size=None)
        self.assertEqual(self.asked(file).length, len(DATA))
        self.assertEqual(self.sent(file), DATA)
        self.assertEqual(len(self.origin.asked), 1)

    def test_length_that_nobody_tells(self) -> None:
        """If neither has a length, it is known at the end of the download."""
        stream = MemoryStream()
        self.streams(stream)
        content = Deferred.fromCoroutine(self.files.content("foo", make_file(size=None)))
        stream.send(DATA)
        self.assertNoResult(content)
        stream.end_unsure()
        self.assertEqual(self.successResultOf(content).length, len(DATA))
        self.assertEqual(self.sent(make_file(size=None)), DATA)

    def test_length_that_nobody_tells_has_a_limit(self) -> None:
        """Such a file may not be larger than the whole cache."""
        self.files = self.restarted(max_size=1000)
        stream = MemoryStream()
        self.streams(stream)
        content = Deferred.fromCoroutine(self.files.content("foo", make_file(size=None)))
        stream.send(DATA)
        self.failureResultOf(content, UpstreamFailed)
        self.assertTrue(stream.stopped)

    def test_missing(self) -> None:
        """A file that the upstream does not have is not found, before anything is sent."""
        sending, consumer = self.begin(make_file())
        self.failureResultOf(sending, NotFound)
        self.assertEqual(consumer.writes, [])
        self.failure(self.files.content("foo", make_file(size=None)), NotFound)

    def test_cannot_be_asked(self) -> None:
        """An upstream that fails is an error before anything is sent; it is asked again the next time."""
        self.origin.script = [UpstreamFailed("files.example.org: it refuses connections")]
        sending, consumer = self.begin(make_file())
        self.assertEqual(self.refused(sending, consumer), "files.example.org: it refuses connections")
        self.assertEqual(consumer.writes, [])
        self.origin.contents[URL] = DATA
        self.assertEqual(self.sent(make_file()), DATA)

    def test_names_that_lead_elsewhere(self) -> None:
        """No file name leads out of the tree."""
        for project, filename in (
            ("foo", "../x"),
            ("..", "x"),
            ("foo", ".x"),
            ("", "x"),
            ("foo", "a/b"),
            ("foo", "a\0"),
        ):
            self.failure(self.files.content(project, make_file(filename=filename)), NotFound)

    def test_keep(self) -> None:
        """A file is prefetched once; that does not count as a request."""
        self.origin.contents[URL] = DATA
        self.assertFalse(self.files.has("foo", make_file()))
        self.assertTrue(self.result(self.files.ensure_cached("foo", make_file())))
        self.assertTrue(self.files.has("foo", make_file()))
        self.assertFalse(self.result(self.restarted().ensure_cached("foo", make_file())))
        self.assertEqual(len(self.origin.asked), 1)
        counts = self.files.counts
        self.assertEqual((counts.hits, counts.misses, counts.downloads), (0, 0, 1))

    def test_keep_what_is_on_its_way(self) -> None:
        """Who wants a file kept waits for its end, along with those who want to read it."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        keeping = [Deferred.fromCoroutine(self.files.ensure_cached("foo", make_file())) for _ in range(2)]
        stream.send(DATA)
        self.assertNoResult(keeping[0])
        stream.end()
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz"])
        self.assertEqual([self.successResultOf(one) for one in keeping], [True, True])
        self.assertEqual(len(self.origin.asked), 1)

    def test_keep_fails(self) -> None:
        """It says why a file is not kept, even if nothing was wrong with the file."""
        self.failure(self.files.ensure_cached("foo", make_file()), NotFound)
        self.origin.contents[URL] = DATA[1:]
        self.failure(self.files.ensure_cached("foo", make_file()), UpstreamFailed)
        self.origin.contents[URL] = DATA
        self.assertIn(
            "too small",
            self.failure(self.restarted(max_size=9).ensure_cached("foo", make_file()), OutOfSpace),
        )
        self.failure(self.restarted(offline=True).ensure_cached("foo", make_file()), UpstreamFailed)
        self.assertEqual(self.kept, [])

    def test_offline(self) -> None:
        """Offline, cached files are served, and others fail without a request."""
        self.origin.contents[URL] = DATA
        self.sent(make_file())
        self.files = self.restarted(offline=True)
        self.assertEqual(self.sent(make_file()), DATA)
        text = self.failure(self.files.content("foo", make_file(filename="foo-2.0.tar.gz")), UpstreamFailed)
        self.assertEqual(text, "the upstream is not asked, and foo-2.0.tar.gz is not kept")
        self.failure(self.files.metadata("foo", make_file()), UpstreamFailed)
        self.assertEqual(len(self.origin.asked), 1)

    def test_tree_is_cleared_away(self) -> None:
        """The tree may be deleted at any time; open files go on, and others are downloaded again."""
        self.origin.contents[URL] = DATA
        self.sent(make_file())
        sending, consumer = self.begin(make_file(), consumer=MemoryConsumer(pauses=True))
        shutil.rmtree(self.directory)
        consumer.pauses = False
        assert consumer.producer is not None
        consumer.producer.resumeProducing()
        self.successResultOf(sending)
        self.assertEqual(consumer.data, DATA)
        self.assertEqual(self.sent(make_file()), DATA)
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz"])

    def test_tree_is_cleared_away_while_a_file_is_fetched(self) -> None:
        """What is being fetched then is sent to its end, and not kept."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        stream.send(DATA[:100_000])
        shutil.rmtree(self.directory)
        stream.send(DATA[100_000:])
        stream.end()
        self.successResultOf(sending)
        self.assertEqual(consumer.data, DATA)
        self.assertEqual(self.kept, [])

    def test_leftovers(self) -> None:
        """Partial files of ended processes are removed at the start, those of living ones are not."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, _ = self.begin(make_file())
        partials = self.directory / "partial"
        (partials / "dead").write_bytes(b"half")
        (partials / "directory").mkdir()
        self.restarted()
        self.assertEqual(len([path for path in partials.iterdir() if path.is_file()]), 1)
        stream.send(DATA)
        stream.end()
        self.successResultOf(sending)
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz"])

    def test_pypid_stops(self) -> None:
        """Downloads are cancelled when pypid stops, and leave nothing."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        stream.send(DATA[:100_000])
        self.files.close()
        self.assertIn("pypid stops", self.refused(sending, consumer))
        self.assertTrue(stream.stopped)
        self.assertEqual(self.kept, [])

    def test_waiting_for_a_turn_when_pypid_stops(self) -> None:
        """Nor does anybody wait for ever whose turn never comes."""
        waiting = []
        for number in range(40):
            file = make_file(filename=f"foo-{number}.tar.gz")
            self.streams(MemoryStream(length=len(DATA)))
            waiting.append(self.begin(file))
        self.assertEqual(len(self.origin.asked), 32)
        self.files.close()
        for sending, consumer in waiting:
            self.refused(sending, consumer)


class ManyTests(FileSteps, Synchronous):
    """Simultaneous requests for one file."""

    def test_t61_fifty_clients_one_fetch(self) -> None:
        """Fifty clients on one cold file are one request upstream, also those that want a part (T61)."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        whole = [self.begin(make_file()) for _ in range(25)]
        parts = [self.begin(make_file(), number * 1000, 250_000) for number in range(25)]
        for start in range(0, len(DATA), 10_000):
            stream.send(DATA[start : start + 10_000])
        stream.end()
        for sending, consumer in whole:
            self.successResultOf(sending)
            self.assertEqual(consumer.data, DATA)
        for number, (sending, consumer) in enumerate(parts):
            self.successResultOf(sending)
            self.assertEqual(consumer.data, DATA[number * 1000 : 250_000])
        self.assertEqual(len(self.origin.asked), 1)
        self.assertEqual(self.files.counts.downloads, 1)

    def test_t61_contents_of_before(self) -> None:
        """Who got a content before the file was fetched by another, and sends it after, fetches nothing."""
        self.origin.contents[URL] = DATA
        early = self.asked(make_file())
        self.sent(make_file())
        consumer = MemoryConsumer()
        self.result(early.send_to(consumer, 0, len(DATA)))
        self.assertEqual(consumer.data, DATA)
        self.assertEqual(len(self.origin.asked), 1)
        self.assertFalse(self.files.eviction._pinned)

    def test_t61_slow_disk(self) -> None:
        """Nor is it fetched twice if it comes to be kept while another looks for it."""
        workers = HeldWorkers()
        files = FileCache(self.origin, workers, self.clock, self.directory, self.max_size)  # type: ignore[arg-type]
        self.origin.contents[URL] = DATA
        consumers = [MemoryConsumer() for _ in range(20)]

        async def get(consumer: MemoryConsumer) -> None:
            content = await files.content("foo", make_file())
            await content.send_to(consumer, 0, content.length)
            content.close()

        getting = []
        for consumer in consumers:
            getting.append(Deferred.fromCoroutine(get(consumer)))
            workers.work()
        workers.work_all()
        for one, consumer in zip(getting, consumers, strict=True):
            self.successResultOf(one)
            self.assertEqual(consumer.data, DATA)
        self.assertEqual(len(self.origin.asked), 1)

    def test_t61_ends_while_another_looks_for_it(self) -> None:
        """Who was told that it is not kept, when meanwhile it is, does not fetch it again (T61)."""
        late = LateWorkers()
        files = FileCache(self.origin, late, self.clock, self.directory, self.max_size)  # type: ignore[arg-type]
        self.addCleanup(files.close)
        self.origin.contents[URL] = DATA

        async def get() -> None:
            content = await files.content("foo", make_file())
            await content.send_to(MemoryConsumer(), 0, content.length)
            content.close()

        first, second = Deferred.fromCoroutine(get()), Deferred.fromCoroutine(get())
        late.tell()
        untold, late.waiting = late.waiting[-1:], late.waiting[:-1]
        while not first.called:
            late.tell()
        late.waiting += untold
        while not second.called:
            late.tell()
        self.assertEqual(len(self.origin.asked), 1)

    def test_asked_again_as_it_is_given_up(self) -> None:
        """Who asks when a wrong file was just given up gets the right one, if there is one now."""
        workers = HeldWorkers()
        files = FileCache(self.origin, workers, self.clock, self.directory, self.max_size)  # type: ignore[arg-type]
        self.streams(MemoryStream(length=len(DATA), body=bytes(len(DATA))))
        self.origin.contents[URL] = DATA
        first, second = (Deferred.fromCoroutine(self.got(files)) for _ in range(2))
        while not files.counts.refused:
            workers.work()
        self.assertTrue(any((self.directory / "partial").iterdir()))  # which is still to be cleared away
        third = Deferred.fromCoroutine(self.got(files))
        workers.work_all()
        self.failureResultOf(first, UpstreamFailed)
        self.failureResultOf(second, UpstreamFailed)
        self.assertEqual(self.successResultOf(third), DATA)
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz"])

    async def got(self, files: FileCache) -> bytes:
        """Return the bytes of a file."""
        consumer = MemoryConsumer()
        content = await files.content("foo", make_file())
        await content.send_to(consumer, 0, content.length)
        content.close()
        return consumer.data

    def test_first_bytes_come_early(self) -> None:
        """The first bytes leave before the upstream has sent the second half."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        stream.send(DATA[:70_000])
        self.assertEqual(consumer.data, DATA[:70_000])
        self.assertNoResult(sending)
        late, late_consumer = self.begin(make_file())
        self.assertEqual(late_consumer.data, DATA[:70_000])
        stream.send(DATA[70_000:])
        stream.end()
        self.successResultOf(sending)
        self.successResultOf(late)
        self.assertEqual(late_consumer.data, DATA)

    def test_one_goes_away(self) -> None:
        """A client that leaves does not affect the others."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        first, _ = self.begin(make_file())
        second, consumer = self.begin(make_file())
        first.cancel()
        self.failureResultOf(first, CancelledError)
        stream.send(DATA)
        stream.end()
        self.successResultOf(second)
        self.assertEqual(consumer.data, DATA)

    def test_all_go_away(self) -> None:
        """If all clients leave, the download goes on and the file is cached, as they will ask again."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, _ = self.begin(make_file())
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        stream.send(DATA)
        stream.end()
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz"])

    def test_slow_client(self) -> None:
        """A slow client delays neither the others nor the upstream, and no data piles up in memory."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        slow, slow_consumer = self.begin(make_file(), consumer=MemoryConsumer(pauses=True))
        fast, _ = self.begin(make_file())
        for start in range(0, len(DATA), 10_000):
            stream.send(DATA[start : start + 10_000])
        stream.end()
        self.successResultOf(fast)
        self.assertFalse(stream.paused)
        self.assertNoResult(slow)
        self.assertEqual(len(slow_consumer.writes), 1)
        while slow_consumer.producer is not None:
            slow_consumer.producer.resumeProducing()
        self.successResultOf(slow)
        self.assertEqual(slow_consumer.data, DATA)

    def test_slow_disk_holds_up_the_upstream(self) -> None:
        """What the disk cannot take yet is left with the upstream, and not in memory."""
        workers = HeldWorkers()
        files = FileCache(self.origin, workers, self.clock, self.directory, self.max_size)  # type: ignore[arg-type]
        self.addCleanup(workers.work_all)
        self.addCleanup(files.close)
        data = bytes(3 * BATCH)
        stream = MemoryStream(length=len(data))
        self.streams(stream)
        getting = Deferred.fromCoroutine(files.content("foo", make_file(data, size=None)))
        workers.work_all()
        self.successResultOf(getting)
        stream.send(data[:100])  # it is on its way to the disk
        stream.send(data[100:BATCH])
        self.assertFalse(stream.paused)
        stream.send(data[BATCH : BATCH + 100])
        self.assertTrue(stream.paused)
        workers.work()
        self.assertFalse(stream.paused)


class ApartTests(FileSteps, Synchronous):
    """What takes long, and what holds up nobody."""

    def setUp(self) -> None:
        super().setUp()
        self.hashing = HeldWorkers()

    def test_fault_a10_hashing_holds_up_nobody(self) -> None:
        """After a restart a file is hashed once for all who want it, and others are sent theirs meanwhile."""
        other = make_file(b"other", "foo-2.0.tar.gz")
        self.origin.contents |= {URL: DATA, other.url or "": b"other"}
        self.sent(make_file())
        self.files = self.restarted(hashing=self.hashing)
        waiting = [Deferred.fromCoroutine(self.files.content("foo", make_file())) for _ in range(3)]
        self.result(self.restarted().ensure_cached("foo", other))
        self.files.store.check("foo", other)
        self.assertEqual(self.sent(other), b"other")
        self.assertNoResult(waiting[0])
        self.assertEqual(len(self.hashing._waiting), 1)
        self.hashing.work_all()
        for one in waiting:
            self.successResultOf(one).close()
        self.assertEqual(self.sent(make_file()), DATA)
        self.assertTrue(self.hashing.is_idle)
        self.assertEqual(len(self.origin.asked), 2)

    def test_a_wrong_file_is_fetched_again(self) -> None:
        """A file with a wrong hash is removed and downloaded again."""
        self.origin.contents[URL] = DATA
        self.sent(make_file())
        self.path().write_bytes(DATA[::-1])
        self.files = self.restarted(hashing=self.hashing)
        sending, consumer = Deferred.fromCoroutine(self.files.content("foo", make_file())), MemoryConsumer()
        self.assertNoResult(sending)
        self.hashing.work_all()
        content = self.successResultOf(sending)
        taking = Deferred.fromCoroutine(content.send_to(consumer, 0, len(DATA)))
        self.hashing.work_all()
        self.successResultOf(taking)
        self.assertEqual(consumer.data, DATA)
        self.assertEqual(len(self.origin.asked), 2)

    def test_fault_a10_what_is_believed_is_bounded(self) -> None:
        """Of more files than are remembered as right, the oldest are hashed once more."""
        self.patch(store, "MAX_VERIFIED", 10)
        self.files = self.restarted()
        files = [make_file(b"%d" % number, f"foo-{number}.tar.gz") for number in range(30)]
        for number, file in enumerate(files):
            self.origin.contents[file.url or ""] = b"%d" % number
        for _ in range(2):
            for number, file in enumerate(files):
                self.assertEqual(self.sent(file), b"%d" % number)
                self.assertLessEqual(len(self.files.store._verified._values), 10)
        self.assertEqual(len(self.origin.asked), 30)

    def test_fault_a10_a_client_that_left_is_no_error(self) -> None:
        """When a client goes away while a worker reads for it, the log says nothing."""
        workers = HeldWorkers()
        self.origin.contents[URL] = DATA
        self.sent(make_file())
        files = FileCache(self.origin, workers, self.clock, self.directory, self.max_size)  # type: ignore[arg-type]

        async def get() -> None:
            content = await files.content("foo", make_file())
            try:
                await content.send_to(MemoryConsumer(), 0, content.length)
            finally:
                content.close()

        with capturedLogs() as log:
            self.assertGreater(abandon(workers, get, lambda: None), 3)
        self.assertEqual(log, [])


class KeptContentTests(ContentContract, FileSteps, Synchronous):
    """The contract of contents, for cached files."""

    def make_content(self, data: bytes) -> IContent:
        file = make_file(data)
        self.origin.contents[URL] = data
        self.sent(file)
        if not self.kept:  # nothing is fetched of an empty file
            self.result(self.files.content("foo", make_file(data, size=None)))
        return self.result(self.files.content("foo", file))


class ComingContentTests(ContentContract, FileSteps, Synchronous):
    """The contract of contents, for files that are downloaded while they are sent."""

    def make_content(self, data: bytes) -> IContent:
        self.origin.contents[URL] = data
        return self.result(self.files.content("foo", make_file(data)))
