"""What all contents of files have to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pypid.errors import StorageUnavailable
from pypid.interfaces import IContent
from pypid.testing.fakes import Synchronous

__all__ = ["LONG", "ContentContract", "MemoryConsumer"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is no test case
    _Base = object

LONG = bytes(range(256)) * 4096


@implementer(IConsumer)
@define
class MemoryConsumer:
    """Takes bytes; may ask its producer to pause after each write, or to stop."""

    pauses: bool = False
    """It wants one write at a time."""
    stops_after: int | None = None
    """It goes away after so many writes."""
    writes: list[bytes] = field(factory=list, init=False)
    """What was written."""
    producer: IPushProducer | None = field(default=None, init=False)
    """What is registered."""

    @property
    def data(self) -> bytes:
        """All that was written."""
        return b"".join(self.writes)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a push producer, if there is none."""
        assert streaming
        assert self.producer is None
        assert verifyObject(IPushProducer, producer)
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        assert self.producer is not None
        self.producer = None

    def write(self, data: bytes) -> None:
        """Take some bytes."""
        assert self.producer is not None
        self.writes.append(data)
        if len(self.writes) == self.stops_after:
            self.producer.stopProducing()
        elif self.pauses:
            self.producer.pauseProducing()


class ContentContract(_Base):
    """The promises of :class:`pypid.interfaces.IContent`."""

    def make_content(self, data: bytes) -> IContent:
        """Make the provider under test, for these bytes, with workers that work at once."""
        raise NotImplementedError

    def content(self, data: bytes = LONG) -> IContent:
        """Make one that is closed in the end."""
        content = self.make_content(data)
        self.addCleanup(content.close)
        return content

    def sending(self, consumer: MemoryConsumer) -> Deferred[None]:
        """Begin to send a whole file of some length."""
        return Deferred.fromCoroutine(self.content().send_to(consumer, 0, len(LONG)))

    def test_interface(self) -> None:
        """It has all that the interface asks for."""
        self.assertTrue(verifyObject(IContent, self.content()))

    def test_length(self) -> None:
        """It tells how many bytes there are."""
        for data in (b"", b"sdist", LONG):
            self.assertEqual(self.content(data).length, len(data))

    def test_parts(self) -> None:
        """It sends any part of the bytes, again and again, and lets go of the consumer."""
        content = self.content()
        for start, stop in ((0, len(LONG)), (0, 1), (5, 300_000), (len(LONG) - 1, len(LONG)), (7, 7)):
            consumer = MemoryConsumer()
            self.result(content.send_to(consumer, start, stop))
            self.assertEqual(consumer.data, LONG[start:stop])
            self.assertIsNone(consumer.producer)

    def test_empty(self) -> None:
        """An empty file is sent as nothing."""
        consumer = MemoryConsumer()
        self.result(self.content(b"").send_to(consumer, 0, 0))
        self.assertEqual(consumer.writes, [])
        self.assertIsNone(consumer.producer)

    def test_close(self) -> None:
        """It can be closed again, and before anything of it was sent."""
        content = self.content()
        content.close()
        content.close()

    def test_slow_consumer(self) -> None:
        """A consumer that pauses gets nothing until it wants more, and no large piece at a time."""
        consumer = MemoryConsumer(pauses=True)
        sending = self.sending(consumer)
        while consumer.producer is not None:
            self.assertNoResult(sending)
            before = len(consumer.writes)
            consumer.producer.resumeProducing()
            self.assertLessEqual(len(consumer.writes), before + 1)
        self.successResultOf(sending)
        self.assertEqual(consumer.data, LONG)
        self.assertLessEqual(max(map(len, consumer.writes)), 512 * 1024)

    def test_consumer_goes_away(self) -> None:
        """When the consumer stops its producer nothing more is written, and the sending is cancelled."""
        consumer = MemoryConsumer(stops_after=2)
        self.failureResultOf(self.sending(consumer), CancelledError)
        self.assertEqual(len(consumer.writes), 2)

    def test_paused_consumer_goes_away(self) -> None:
        """A consumer may also go away while it makes the producer wait."""
        consumer = MemoryConsumer(pauses=True)
        sending = self.sending(consumer)
        assert consumer.producer is not None
        consumer.producer.stopProducing()
        self.failureResultOf(sending, CancelledError)
        self.assertEqual(len(consumer.writes), 1)

    def test_cancelled(self) -> None:
        """Who waits for the sending may cancel it; the consumer is let go."""
        consumer = MemoryConsumer(pauses=True)
        sending = self.sending(consumer)
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        self.assertIsNone(consumer.producer)
        self.assertEqual(len(consumer.writes), 1)

    def test_past_the_end(self) -> None:
        """Bytes that are not there are an error, not a short file."""
        consumer = MemoryConsumer()
        self.failure(self.content(b"sdist").send_to(consumer, 0, 6), StorageUnavailable)
        self.assertIsNone(consumer.producer)
