"""Downloads whose readers leave."""

from __future__ import annotations

import gc

from twisted.internet.defer import CancelledError, Deferred

from pypid.model import File
from pypid.testing.content import MemoryConsumer
from pypid.testing.fakes import Synchronous
from pypid.testing.files import DATA, URL, FileSteps, make_file
from pypid.testing.streams import MemoryStream
from pypid.testing.workers import holdings
from pypid.upstream.files.download_slots import MAX_SHORT_OF_HOST
from pypid.upstream.files.downloads import ABANDONED, GRACE


def numbered(number: int) -> File:
    """Describe one of many files."""
    return make_file(filename=f"foo-{number}.tar.gz")


class AbandonedTests(FileSteps, Synchronous):
    """Clients that go away."""

    def begun(self, number: int) -> tuple[list[MemoryStream], list[Deferred[None]]]:
        """Let clients request different files, of which the upstream has sent a part."""
        streams = [MemoryStream(length=len(DATA)) for _ in range(number)]
        self.streams(*streams)
        sendings = [self.begin(numbered(one))[0] for one in range(number)]
        for stream in streams:
            if stream.receiver is not None:
                stream.send(DATA[:100_000])
        return streams, sendings

    def leave(self, sendings: list[Deferred[None]]) -> None:
        """Let clients close their connections."""
        for sending in sendings:
            sending.cancel()
            self.failureResultOf(sending, CancelledError)

    def test_fault_a6_a_fast_file_does_not_wait(self) -> None:
        """Abandoned slow downloads do not delay the next one."""
        streams, sendings = self.begun(MAX_SHORT_OF_HOST)
        waiting, consumer = self.begin(make_file())
        self.assertNoResult(waiting)
        self.origin.contents[URL] = DATA
        self.leave(sendings)
        self.successResultOf(waiting)
        self.assertEqual(consumer.data, DATA)
        self.assertEqual(sum(not stream.stopped for stream in streams), ABANDONED)

    def test_fault_a6_the_last_ones_go_on(self) -> None:
        """A few abandoned downloads go on to their end; no partial file is left."""
        streams, sendings = self.begun(ABANDONED + 2)
        self.leave(sendings)
        for stream in streams:
            stream.send(DATA[100_000:])
            stream.end()
        self.assertEqual(len(self.kept), ABANDONED)
        self.assertEqual({path.split("/")[0] for path in self.kept}, {"files"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fault_a6_not_for_ever(self) -> None:
        """Abandoned downloads end after a while, and leave nothing."""
        [stream], sendings = self.begun(1)
        self.leave(sendings)
        for _ in range(int(GRACE // 20)):
            self.assertFalse(stream.stopped)
            stream.send(b"x")
            self.clock.advance(20)
        self.assertTrue(stream.stopped)
        self.assertEqual(self.kept, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fault_a6_taken_over(self) -> None:
        """A new request takes over an abandoned download where it is."""
        [stream], sendings = self.begun(1)
        self.leave(sendings)
        self.clock.advance(GRACE / 5)
        sending, consumer = self.begin(numbered(0))
        for _ in range(10):
            stream.send(DATA[100_000:100_001])
            self.clock.advance(20)
        self.assertFalse(stream.stopped)
        self.assertEqual(len(self.origin.asked), 1)
        self.assertEqual(consumer.data, DATA[:100_000] + 10 * DATA[100_000:100_001])
        self.leave([sending])
        self.assertEqual(len(self.files._downloads._abandoned), 1)

    def test_fault_a6_before_its_turn(self) -> None:
        """A download that is abandoned before its turn sends no request."""
        _, sendings = self.begun(MAX_SHORT_OF_HOST)
        asked = len(self.origin.asked)
        waiting = [self.begin(numbered(100 + number))[0] for number in range(5)]
        self.leave(waiting)
        self.assertEqual(self.files._downloads._slots._waiting, {})
        self.leave(sendings)
        self.assertEqual(len(self.origin.asked), asked)

    def test_fault_a6_asked_again(self) -> None:
        """A file can be downloaded again after its download was cancelled."""
        _, sendings = self.begun(1)
        self.leave(sendings)
        self.clock.advance(GRACE)
        self.origin.contents[numbered(0).url or ""] = DATA
        self.assertEqual(self.sent(numbered(0)), DATA)

    def test_fault_a1_what_failed_is_closed_at_once(self) -> None:
        """Partial files are closed at once, without waiting for the garbage collector."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        before = holdings()
        for body in (DATA[1:], bytes(len(DATA))):
            self.streams(MemoryStream(length=len(body), body=body))
            self.refused(*self.begin(make_file()))
        [stream], sendings = self.begun(1)
        self.leave(sendings)
        self.clock.advance(GRACE)
        del stream, sendings
        self.assertEqual(holdings(), before)

    def test_fault_a6_one_of_two_stays(self) -> None:
        """A download with another reader is not abandoned."""
        [stream], sendings = self.begun(1)
        staying, consumer = self.begin(numbered(0))
        self.leave(sendings)
        self.assertEqual(self.files._downloads._abandoned, {})
        stream.send(DATA[100_000:])
        stream.end()
        self.successResultOf(staying)
        self.assertEqual(consumer.data, DATA)

    def test_fault_a6_a_paused_client_still_wants_it(self) -> None:
        """A slow client counts as a reader."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        slow, consumer = self.begin(make_file(), consumer=MemoryConsumer(pauses=True))
        stream.send(DATA[:200_000])
        self.clock.advance(1)
        self.assertEqual(self.files._downloads._abandoned, {})
        stream.send(DATA[200_000:])
        stream.end()
        while consumer.producer is not None:
            consumer.producer.resumeProducing()
        self.successResultOf(slow)
        self.assertEqual(consumer.data, DATA)
