"""Tests of sending files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel, Request

from pypid.errors import StorageUnavailable
from pypid.interfaces import IContent, ISendableContent, IWorkers
from pypid.runtime.send_bytes import CHUNK
from pypid.runtime.threaded_content import ThreadedContent, threaded_content
from pypid.storage.content import OpenFile
from pypid.testing.content import LONG, ContentContract, MemoryConsumer
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.steps import scratch


class SlowWorkers:
    """Workers that take their time."""

    def __init__(self) -> None:
        self.answer: Deferred[Any] = Deferred()

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self.answer


class TestFileContent(ContentContract, Synchronous):
    """A file keeps the promises of a content."""

    def make_content(self, data: bytes) -> IContent:
        self.path = scratch(self) / "root"
        self.path.write_bytes(data)
        return threaded_content(OpenFile(self.path.open("rb")), InlineWorkers())

    def test_reopened(self) -> None:
        """A file is opened once more unless other bytes are in its place."""
        changes: list[Callable[[], object]] = [
            lambda: self.path.write_bytes(b"other"),
            lambda: os.utime(self.path, ns=(0, 1)),
            lambda: self.path.unlink(),
        ]
        for change in changes:
            content = self.content()
            assert ISendableContent.providedBy(content)
            again = content.reopen()
            assert again is not None
            again.close()
            original = self.path.rename(self.path.with_name("original"))
            self.path.write_bytes(LONG)
            self.assertIsNone(content.reopen())
            self.path.unlink()
            self.path.symlink_to(original)
            self.assertIsNone(content.reopen())
            original.rename(self.path)
            again = content.reopen()
            assert again is not None
            again.close()
            change()
            self.assertIsNone(content.reopen())

    def test_modified(self) -> None:
        """It tells the file's time, to the nanosecond."""
        content = self.content()
        os.utime(self.path, ns=(0, 1_234_567_890_123_456_789))
        content = ThreadedContent(OpenFile(self.path.open("rb")), InlineWorkers())
        self.addCleanup(content.close)
        self.assertEqual(content.modified_ns, 1_234_567_890_123_456_789)

    def test_t73_removed(self) -> None:
        """A file that is removed or replaced while it is sent is sent whole."""
        consumer = MemoryConsumer(pauses=True)
        sending = self.sending(consumer)
        self.path.unlink()
        self.path.write_bytes(b"another")
        consumer.pauses = False
        assert consumer.producer is not None
        consumer.producer.resumeProducing()
        self.successResultOf(sending)
        self.assertEqual(consumer.data, LONG)

    def test_truncated(self) -> None:
        """A file that becomes shorter while it is sent is an error; nothing made up is sent."""
        consumer = MemoryConsumer(pauses=True)
        sending = self.sending(consumer)
        os.truncate(self.path, CHUNK + 10)
        consumer.pauses = False
        assert consumer.producer is not None
        consumer.producer.resumeProducing()
        failure = self.failureResultOf(sending, StorageUnavailable)
        self.assertEqual(str(failure.value), "the file became shorter while it was sent")
        self.assertEqual(LONG[: len(consumer.data)], consumer.data)
        self.assertLessEqual(len(consumer.data), CHUNK + 10 + CHUNK)

    def test_unreadable(self) -> None:
        """Bytes that cannot be read are an error that a person understands."""
        descriptor = os.open(scratch(self) / "root", os.O_CREAT | os.O_WRONLY)
        content = ThreadedContent(OpenFile(os.fdopen(descriptor, "wb")), InlineWorkers())
        self.addCleanup(content.close)
        self.assertEqual(
            self.failure(content.send_to(MemoryConsumer(), 0, 1), StorageUnavailable),
            "the storage cannot read a file now; try again later",
        )

    def test_reads_one_chunk_ahead(self) -> None:
        """While the consumer pauses, no more than one chunk is read."""
        reads: list[int] = []

        class CountingWorkers(InlineWorkers):
            def run(self, function, *args):  # type: ignore[no-untyped-def]
                reads.append(args[0])
                return super().run(function, *args)

        self.content()
        content = ThreadedContent(OpenFile(self.path.open("rb")), CountingWorkers())
        self.addCleanup(content.close)
        consumer = MemoryConsumer(pauses=True)
        sending = Deferred.fromCoroutine(content.send_to(consumer, 0, len(LONG)))
        self.assertEqual(reads, [0, CHUNK])
        sending.cancel()
        self.failureResultOf(sending, CancelledError)

    def test_connection_lost(self) -> None:
        """The connection of a request goes away while it is full, or while the disk is slow."""
        for workers in (InlineWorkers(), SlowWorkers()):
            self.lose_connection(workers)

    def lose_connection(self, workers: IWorkers) -> None:
        class FullTransport(StringTransport):
            def write(self, data: bytes) -> None:
                super().write(data)
                self.producer.pauseProducing()

        channel = HTTPChannel()
        channel.makeConnection(FullTransport())
        request = Request(channel)
        channel.requests.append(request)
        self.content()
        content = ThreadedContent(OpenFile(self.path.open("rb")), workers)
        self.addCleanup(content.close)
        sending = Deferred.fromCoroutine(content.send_to(request, 0, len(LONG)))
        self.assertNoResult(sending)
        # In this order: see abstract.FileDescriptor.connectionLost.
        channel.stopProducing()
        channel.connectionLost(None)
        if isinstance(workers, SlowWorkers):
            workers.answer.callback(b"late")
        self.failureResultOf(sending, CancelledError)
