"""The contract suite of contents of files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pypid.errors import StorageUnavailable
from pypid.interfaces import IContent, ISendableContent
from pypid.testing.fakes import Synchronous

__all__ = ["LONG", "ContentContract", "MemoryConsumer"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is not a test case
    _Base = object

LONG = bytes(range(256)) * 4096


@implementer(IConsumer)
@define
class MemoryConsumer:
    """A consumer that may pause its producer after each write, or stop it."""

    pauses: bool = False
    """Whether it pauses the producer after each write."""
    stops_after: int | None = None
    """After how many writes it stops the producer; ``None`` for never."""
    writes: list[bytes] = field(factory=list, init=False)
    """The bytes of each write."""
    producer: IPushProducer | None = field(default=None, init=False)
    """The registered producer."""

    @property
    def data(self) -> bytes:
        """All bytes written."""
        return b"".join(self.writes)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Register a push producer."""
        assert streaming
        assert self.producer is None
        assert verifyObject(IPushProducer, producer)
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Unregister the producer."""
        assert self.producer is not None
        self.producer = None

    def write(self, data: bytes) -> None:
        """Record some bytes."""
        assert self.producer is not None
        self.writes.append(data)
        if len(self.writes) == self.stops_after:
            self.producer.stopProducing()
        elif self.pauses:
            self.producer.pauseProducing()


class ContentContract(_Base):
    """The promises of :class:`pypid.interfaces.IContent`."""

    def make_content(self, data: bytes) -> IContent:
        """Return the provider under test with these bytes and inline workers."""
        raise NotImplementedError

    def content(self, data: bytes = LONG) -> IContent:
        """Return a content, which is closed after the test."""
        content = self.make_content(data)
        self.addCleanup(content.close)
        return content

    def sending(self, consumer: MemoryConsumer) -> Deferred[None]:
        """Start sending all of :data:`LONG`."""
        return Deferred.fromCoroutine(self.content().send_to(consumer, 0, len(LONG)))

    def test_interface(self) -> None:
        """The provider provides the interface."""
        self.assertTrue(verifyObject(IContent, self.content()))

    def test_length(self) -> None:
        """The content has the right length."""
        for data in (b"", b"sdist", LONG):
            self.assertEqual(self.content(data).length, len(data))

    def test_parts(self) -> None:
        """Any part can be sent, repeatedly; the consumer is unregistered afterwards."""
        content = self.content()
        for start, stop in ((0, len(LONG)), (0, 1), (5, 300_000), (len(LONG) - 1, len(LONG)), (7, 7)):
            consumer = MemoryConsumer()
            self.result(content.send_to(consumer, start, stop))
            self.assertEqual(consumer.data, LONG[start:stop])
            self.assertIsNone(consumer.producer)

    def test_empty(self) -> None:
        """An empty file is sent without a write."""
        consumer = MemoryConsumer()
        self.result(self.content(b"").send_to(consumer, 0, 0))
        self.assertEqual(consumer.writes, [])
        self.assertIsNone(consumer.producer)

    def test_close(self) -> None:
        """A content can be closed twice, and before anything was sent."""
        content = self.content()
        content.close()
        content.close()

    def test_sendable(self) -> None:
        """A content that the kernel can send has a descriptor of its file, and can be opened once more."""
        content = self.content()
        if not ISendableContent.providedBy(content):
            return
        self.assertTrue(verifyObject(ISendableContent, content))
        self.assertEqual(os.pread(content.fileno(), 100, 7), LONG[7:107])
        self.result(content.load(0, len(LONG)))
        self.result(content.load(len(LONG), len(LONG)))
        content.count(1)
        content.close()
        again = content.reopen()
        assert again is not None
        self.addCleanup(again.close)
        self.assertTrue(verifyObject(ISendableContent, again))
        self.assertEqual((again.length, again.modified_ns), (content.length, content.modified_ns))
        self.assertEqual(os.pread(again.fileno(), 100, 7), LONG[7:107])
        consumer = MemoryConsumer()
        self.result(again.send_to(consumer, 0, len(LONG)))
        self.assertEqual(consumer.data, LONG)

    def test_slow_consumer(self) -> None:
        """A paused consumer gets nothing until it resumes, and then no large piece at a time."""
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
        """If the consumer stops its producer, nothing more is written, and the sending is cancelled."""
        consumer = MemoryConsumer(stops_after=2)
        self.failureResultOf(self.sending(consumer), CancelledError)
        self.assertEqual(len(consumer.writes), 2)

    def test_paused_consumer_goes_away(self) -> None:
        """A consumer may also go away while its producer is paused."""
        consumer = MemoryConsumer(pauses=True)
        sending = self.sending(consumer)
        assert consumer.producer is not None
        consumer.producer.stopProducing()
        self.failureResultOf(sending, CancelledError)
        self.assertEqual(len(consumer.writes), 1)

    def test_cancelled(self) -> None:
        """The sending can be cancelled; the consumer is unregistered."""
        consumer = MemoryConsumer(pauses=True)
        sending = self.sending(consumer)
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        self.assertIsNone(consumer.producer)
        self.assertEqual(len(consumer.writes), 1)

    def test_past_the_end(self) -> None:
        """A range past the end of the file is an error, not a short answer."""
        consumer = MemoryConsumer()
        self.failure(self.content(b"sdist").send_to(consumer, 0, 6), StorageUnavailable)
        self.assertIsNone(consumer.producer)
