"""Upstreams that send wrong bytes, too few, too many, or stop sending."""

from __future__ import annotations

import os
from hashlib import md5, sha256

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.web.http_headers import Headers

from pypid.errors import OutOfSpace, UpstreamFailed, UpstreamTimedOut
from pypid.testing.content import MemoryConsumer
from pypid.testing.fakes import Synchronous
from pypid.testing.files import DATA, URL, FileSteps, make_file
from pypid.testing.streams import MemoryStream
from pypid.upstream.files.download import HELD_BACK
from pypid.upstream.files.fetch import PAUSES
from pypid.upstream.http.body_stream import STALL
from pypid.upstream.http.upstream_failures import UnusableAnswer

PERCENT = len(DATA) // 100


def flipped(data: bytes, offset: int) -> bytes:
    """Change one byte."""
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset:][1:]


class FaultSteps(FileSteps):
    """What comes of faults."""

    def assert_nothing_kept(self) -> None:
        """Check that the fault left nothing, and that the next client is served well."""
        self.assertEqual(self.kept, [])
        self.origin.contents[URL] = DATA
        self.assertEqual(self.sent(make_file()), DATA)


class WrongBytesTests(FaultSteps, Synchronous):
    """Bytes that are not those that the page promises."""

    def test_t57_b239_one_byte_is_wrong(self) -> None:
        """One byte changed, first, middle or last: no complete file, and nothing kept (T57, B239)."""
        for number, offset in enumerate((0, len(DATA) // 2, len(DATA) - 1), 1):
            self.origin.contents[URL] = flipped(DATA, offset)
            reason = self.refused(*self.begin(make_file()))
            self.assertIn(
                "files.example.org: foo-1.0.tar.gz is not what its page promises: expected sha256", reason
            )
            self.assertEqual(self.kept, [])
            self.assertEqual(self.files.counts.refused, number)
        self.assert_nothing_kept()

    def test_t57_one_line_in_the_log(self) -> None:
        """There is one line for the operator, with the host, the file and both digests."""
        wrong = flipped(DATA, 5)
        self.origin.contents[URL] = wrong
        with capturedLogs() as events:
            self.refused(*self.begin(make_file()))
        (line,) = (event["error"] for event in events)
        for text in ("files.example.org", "foo-1.0", sha256(DATA).hexdigest(), sha256(wrong).hexdigest()):
            self.assertIn(text, line)

    def test_t57_the_end_is_held_back(self) -> None:
        """The last 64 kB of a file leave when the whole is right, and not before."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        stream.send(DATA)
        self.assertEqual(len(consumer.data), len(DATA) - HELD_BACK)
        stream.end()
        self.successResultOf(sending)

    def test_t57_the_end_of_a_part_is_held_back(self) -> None:
        """A part of a wrong file is no complete answer either, however little of it is wrong."""
        self.origin.contents[URL] = flipped(DATA, 299_999)
        for start, stop in ((0, 10), (0, 100_000), (299_000, 300_000)):
            sending, consumer = self.begin(make_file(), start, stop)
            self.refused(sending, consumer)
            self.assertLess(len(consumer.data), stop - start)
        self.assert_nothing_kept()

    def test_t57_small_file(self) -> None:
        """Of a small file not one byte leaves before it is right, so that an error can still be told."""
        data = DATA[:1000]
        self.origin.contents[URL] = flipped(data, 999)
        sending, consumer = self.begin(make_file(data))
        self.failureResultOf(sending, UpstreamFailed)
        self.assertEqual(consumer.writes, [])

    def test_t57_all_digests_count(self) -> None:
        """All digests of a page that are known have to be right, the weak ones as well."""
        good, bad = sha256(DATA).hexdigest(), "0" * 32
        self.origin.contents[URL] = DATA
        self.refused(*self.begin(make_file(hashes={"sha256": good, "md5": bad})))
        self.refused(*self.begin(make_file(hashes={"md5": bad})))
        hashes = {
            "sha256": good.upper(),
            "md5": md5(DATA, usedforsecurity=False).hexdigest(),
            "crc": "1",
            "shake_128": "2",
        }
        self.assertEqual(self.sent(make_file(hashes=hashes)), DATA)

    def test_t57_all_waiters_are_cut_off(self) -> None:
        """All who wait for a wrong file are cut off, and nobody who comes later gets it."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        waiting = [self.begin(make_file()) for _ in range(5)]
        stream.send(flipped(DATA, 150_000))
        stream.end()
        for sending, consumer in waiting:
            self.refused(sending, consumer)
        self.assert_nothing_kept()

    def test_oversize(self) -> None:
        """A length other than the page's is refused before anything is sent (T58)."""
        for data in (DATA + b"x", DATA[:-1]):
            stream = MemoryStream(length=len(data))
            self.streams(stream)
            sending, consumer = self.begin(make_file())
            self.assertIn("should have 300000", self.refused(sending, consumer))
            self.assertEqual(consumer.writes, [])
            self.assertTrue(stream.stopped)
        self.assert_nothing_kept()

    def test_t58_sends_more_than_it_should(self) -> None:
        """An upstream that goes on and on is cut off when it is past the promised length (T58)."""
        stream = MemoryStream()
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        stream.send(DATA)
        stream.send(b"x")
        self.assertIn("longer than it should be", self.refused(sending, consumer))
        self.assertTrue(stream.stopped)
        self.assert_nothing_kept()


class InterruptionTests(FaultSteps, Synchronous):
    """Connections that are lost, and what is done about it."""

    def interrupted_at(self, percent: int) -> tuple[Deferred[None], MemoryConsumer]:
        """Ask for a file, and lose the connection half-way."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        stream.send(DATA[: percent * PERCENT])
        stream.lose()
        return sending, consumer

    def test_t58_b240_rest_by_range(self) -> None:
        """Cut off at 1, 50 or 99 %, the rest is asked for and the client sees nothing of it (T58, B240)."""
        for percent in (1, 50, 99):
            received = percent * PERCENT
            headers = {"Content-Range": [f"bytes {received}-{len(DATA) - 1}/{len(DATA)}"]}
            sending, consumer = self.interrupted_at(percent)
            self.streams(MemoryStream(206, len(DATA) - received, Headers(headers), DATA[received:]))
            self.clock.advance(0)
            self.successResultOf(sending)
            self.assertEqual(consumer.data, DATA)
            self.assertEqual(self.origin.asked[-1], (URL, {"Range": f"bytes={received}-"}))
            self.path().unlink()

    def test_t58_b240_all_again(self) -> None:
        """Cut off at any point, an upstream that knows no ranges may send all again."""
        for percent in (0, 1, 50, 99):
            sending, consumer = self.interrupted_at(percent)
            self.origin.contents[URL] = DATA
            self.clock.advance(0)
            self.successResultOf(sending)
            self.assertEqual(consumer.data, DATA)
            self.path().unlink()

    def test_t58_ends_early_without_an_error(self) -> None:
        """A body without a length of its own that just ends is known to be too short."""
        stream = MemoryStream()
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        stream.send(DATA[:-1])
        stream.end_unsure()
        self.assertNoResult(sending)
        self.origin.contents[URL] = DATA
        self.clock.advance(0)
        self.successResultOf(sending)
        self.assertEqual(consumer.data, DATA)

    def test_t58_gives_up(self) -> None:
        """After three further goes it is given up; nothing is kept, the next client starts anew."""
        sending, consumer = self.interrupted_at(50)
        for pause in PAUSES:
            self.assertNoResult(sending)
            stream = MemoryStream(length=len(DATA))
            self.streams(stream)
            self.clock.advance(pause)
            stream.send(DATA[:10])
            stream.lose()
        self.assertIn("the connection was lost", self.refused(sending, consumer))
        self.assertEqual(len(self.origin.asked), 4)
        self.assert_nothing_kept()

    def test_t58_cannot_be_reached_any_more(self) -> None:
        """An upstream that restarts in the midst of it is waited for a little."""
        sending, consumer = self.interrupted_at(50)
        self.origin.script = [UpstreamFailed("files.example.org: it refuses connections")]
        self.clock.advance(0)
        self.assertNoResult(sending)
        self.origin.contents[URL] = DATA
        self.clock.advance(1)
        self.successResultOf(sending)
        self.assertEqual(consumer.data, DATA)

    def test_t58_the_rest_is_of_another_file(self) -> None:
        """The digest finds out if the rest is not that of what came before."""
        sending, consumer = self.interrupted_at(50)
        self.origin.contents[URL] = flipped(DATA, len(DATA) - 1)
        self.clock.advance(0)
        self.refused(sending, consumer)
        self.assert_nothing_kept()

    def test_t58_another_part_than_was_asked_for(self) -> None:
        """A range that begins elsewhere, or none at all, is no use."""
        for value in (
            "bytes 149999-299999/300000",
            "bytes 150000-300000/300001",
            "bytes */300000",
            "nonsense",
        ):
            sending, consumer = self.interrupted_at(50)
            stream = MemoryStream(206, 150_000, Headers({"Content-Range": [value]}))
            self.streams(stream)
            self.clock.advance(0)
            self.refused(sending, consumer)
            self.assertTrue(stream.stopped)
        self.assert_nothing_kept()

    def test_t58_part_that_nobody_asked_for(self) -> None:
        """A part in answer to a question for the whole is no use either."""
        headers = {"Content-Range": [f"bytes 0-{len(DATA) - 1}/{len(DATA)}"]}
        self.streams(MemoryStream(206, len(DATA), Headers(headers), DATA))
        self.refused(*self.begin(make_file()))
        self.assert_nothing_kept()

    def test_t58_validators(self) -> None:
        """The rest is asked for on condition that the file did not change, as far as one can tell."""
        date = "Sun, 02 Feb 2020 02:02:02 GMT"
        for headers, condition in (
            ({"ETag": ['"abc"'], "Last-Modified": [date]}, '"abc"'),
            ({"ETag": ['W/"abc"'], "Last-Modified": [date]}, date),
            ({"ETag": ['W/"abc"']}, None),
        ):
            stream = MemoryStream(headers=Headers(headers))
            self.streams(stream)
            sending, _ = self.begin(make_file())
            stream.send(DATA[:10])
            stream.lose()
            self.origin.contents[URL] = DATA
            self.clock.advance(0)
            self.successResultOf(sending)
            self.assertEqual(self.origin.asked[-1][1].get("If-Range"), condition)
            self.path().unlink()

    def test_b242_stalls_at_once(self) -> None:
        """An upstream that answers and sends nothing for ever is given up in time (B242)."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(make_file())
        self.clock.advance(STALL - 1)
        self.assertNoResult(sending)
        self.clock.advance(1)
        self.failureResultOf(sending, UpstreamTimedOut)
        self.assertEqual(consumer.writes, [])
        self.assertTrue(stream.stopped)
        self.assert_nothing_kept()

    def test_b242_stalls_half_way(self) -> None:
        """One that stalls half-way is asked for the rest, once: if it stalls again it is given up."""
        stream, second = MemoryStream(length=len(DATA)), MemoryStream(length=len(DATA))
        self.streams(stream, second)
        sending, consumer = self.begin(make_file())
        stream.send(DATA[:100_000])
        self.clock.advance(STALL)
        self.assertTrue(stream.stopped)
        self.clock.advance(0)
        self.clock.advance(STALL)
        self.failureResultOf(sending, UpstreamTimedOut)
        self.assertEqual(len(consumer.data), 100_000)
        self.assertTrue(second.stopped)
        self.assert_nothing_kept()

    def test_slow_is_not_stalled(self) -> None:
        """An upstream that sends a little now and then may take as long as it likes."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, _ = self.begin(make_file())
        for start in range(0, len(DATA), 1000):
            self.clock.advance(STALL - 1)
            stream.send(DATA[start : start + 1000])
        stream.end()
        self.successResultOf(sending)

    def test_useless_answers_are_final(self) -> None:
        """What the upstream refuses is not asked for again and again."""
        sending, consumer = self.interrupted_at(50)
        self.origin.script = [UnusableAnswer("files.example.org: it answers with status 416")]
        self.clock.advance(0)
        self.refused(sending, consumer)
        self.assert_nothing_kept()

    def test_disk_is_full(self) -> None:
        """If the disk is full nobody gets a whole file, and it goes on when there is room again."""

        def full(*args: object) -> int:
            raise OSError(28, "No space left on device")

        self.origin.contents[URL] = DATA
        patch = self.patch(os, "write", full)
        sending, consumer = self.begin(make_file())
        failure = self.failureResultOf(sending, OutOfSpace)
        patch.restore()
        self.assertEqual(str(failure.value), "the cache's disk is full; try again when its owner made room")
        self.assertEqual(consumer.writes, [])
        self.assert_nothing_kept()

    def test_disk_fails_at_the_end(self) -> None:
        """What cannot be kept in the end has been sent all the same."""
        self.origin.contents[URL] = DATA

        def fails(*args: object, **times: object) -> None:
            raise OSError(5, "Input/output error")

        patch = self.patch(os, "utime", fails)
        self.assertEqual(self.sent(make_file()), DATA)
        patch.restore()
        self.assert_nothing_kept()


class NoDigestTests(FaultSteps, Synchronous):
    """Files of which no page tells a digest."""

    file = make_file(hashes={})

    def test_t57_pinned_on_first_use(self) -> None:
        """The digest that a file has when it is first fetched is the only one it may have (T57)."""
        self.origin.contents[URL] = DATA
        self.assertIsNone(self.files.recorded_digest("foo", "foo-1.0.tar.gz"))
        self.assertEqual(self.sent(self.file), DATA)
        digest = sha256(DATA).hexdigest()
        self.assertEqual(self.files.recorded_digest("foo", "foo-1.0.tar.gz"), digest)
        self.assertEqual(self.path("foo-1.0.tar.gz.sha256").read_text(), f"{digest}  foo-1.0.tar.gz\n")
        self.assertEqual(self.sent(self.file), DATA)
        self.assertEqual(len(self.origin.asked), 1)

    def test_t57_pins_survive_the_file(self) -> None:
        """Other bytes are refused even when the file itself was evicted, after a restart."""
        self.origin.contents[URL] = DATA
        self.sent(self.file)
        self.path().unlink()
        self.origin.contents[URL] = flipped(DATA, 0)
        self.files = self.restarted()
        self.refused(*self.begin(self.file))
        self.assertEqual(self.kept, ["files/foo/foo-1.0.tar.gz.sha256"])
        self.origin.contents[URL] = DATA
        self.assertEqual(self.sent(self.file), DATA)

    def test_page_comes_to_tell_a_digest(self) -> None:
        """If the page tells a digest in the end, that is what counts."""
        self.origin.contents[URL] = flipped(DATA, 0)
        self.sent(self.file)
        self.origin.contents[URL] = DATA
        self.assertEqual(self.sent(make_file()), DATA)

    def test_t58_no_rest_without_a_validator(self) -> None:
        """Two halves are not put together if nothing tells that they are of one file."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(self.file)
        stream.send(DATA[:10])
        stream.lose()
        self.refused(sending, consumer)

    def test_t58_changed_meanwhile(self) -> None:
        """Nor if the upstream says that it changed, by sending all again."""
        stream = MemoryStream(headers=Headers({"ETag": ['"abc"']}))
        self.streams(stream)
        sending, consumer = self.begin(self.file)
        stream.send(DATA[:10])
        stream.lose()
        self.origin.contents[URL] = DATA
        self.clock.advance(0)
        self.assertIn("it changed while it was fetched", self.refused(sending, consumer))

    def test_t58_rest_with_a_validator(self) -> None:
        """With a validator the rest will do."""
        stream = MemoryStream(headers=Headers({"ETag": ['"abc"']}))
        rest = {"Content-Range": [f"bytes 10-{len(DATA) - 1}/*"]}
        self.streams(stream)
        sending, consumer = self.begin(self.file)
        stream.send(DATA[:10])
        stream.lose()
        self.streams(MemoryStream(206, len(DATA) - 10, Headers(rest), DATA[10:]))
        self.clock.advance(0)
        self.successResultOf(sending)
        self.assertEqual(consumer.data, DATA)

    def test_t58_nothing_tells_the_end(self) -> None:
        """Without length and digest the end of the connection may not be that of the file."""
        stream = MemoryStream()
        self.streams(stream)
        content = Deferred.fromCoroutine(self.files.content("foo", make_file(hashes={}, size=None)))
        stream.send(DATA)
        stream.end_unsure()
        failure = self.failureResultOf(content, UpstreamFailed)
        self.assertIn("neither its length nor a digest", str(failure.value))
        self.assertEqual(self.kept, [])


class ChangedOnDiskTests(FaultSteps, Synchronous):
    """Kept files that somebody changed."""

    def setUp(self) -> None:
        super().setUp()
        self.origin.contents[URL] = DATA
        self.sent(make_file())

    def assert_fetched_again(self) -> None:
        """Check that nobody gets what was changed."""
        asked = len(self.origin.asked)
        self.assertEqual(self.sent(make_file()), DATA)
        self.assertEqual(len(self.origin.asked), asked + 1)
        self.assertEqual(self.path().read_bytes(), DATA)

    def test_changed_while_running(self) -> None:
        """A file that was changed, truncated, replaced or made unreadable is fetched again."""
        changes = [
            lambda: self.path().write_bytes(flipped(DATA, 7)),
            lambda: os.truncate(self.path(), 100),
            lambda: (self.path().unlink(), self.path().symlink_to("/etc/passwd")),
            lambda: (self.path().unlink(), os.mkfifo(self.path())),
            lambda: self.path().unlink(),
        ]
        for change in changes:
            change()
            self.assert_fetched_again()

    def test_links_are_not_followed(self) -> None:
        """A symbolic link is not followed, even to the right bytes."""
        copy = self.directory / "copy"
        self.path().rename(copy)
        self.path().symlink_to(copy)
        self.assert_fetched_again()
        self.assertFalse(self.path().is_symlink())

    def test_changed_while_stopped(self) -> None:
        """What this process has not seen is hashed before it is believed, even if its date is the same."""
        status = self.path().stat()
        self.path().write_bytes(flipped(DATA, 7))
        os.utime(self.path(), ns=(status.st_atime_ns, status.st_mtime_ns))
        self.files = self.restarted()
        self.assert_fetched_again()

    def test_copied_in(self) -> None:
        """Files that were copied from another cache are taken if they are right."""
        self.path().rename(self.directory / "copy")
        self.files = self.restarted()
        self.path().write_bytes((self.directory / "copy").read_bytes())
        asked = len(self.origin.asked)
        self.assertEqual(self.sent(make_file()), DATA)
        self.assertEqual(len(self.origin.asked), asked)

    def test_page_promises_other_bytes(self) -> None:
        """If the page comes to promise other bytes, those that are kept are of no use."""
        other = flipped(DATA, 3)
        self.origin.contents[URL] = other
        self.assertEqual(self.sent(make_file(other)), other)
        self.assertEqual(self.path().read_bytes(), other)
