"""What every storage has to pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pypid.errors import FileExists, InvalidArchive, NotFound, StorageUnavailable
from pypid.interfaces import IContent, IStaging, IStorage
from pypid.model import Publication, Record, StoredFile
from pypid.names import parse_filename
from pypid.testing.fakes import Synchronous

__all__ = ["MemoryConsumer", "StorageContract", "publication"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is no test case
    _Base = object

SDIST = "foo-1.0.tar.gz"
WHEEL = "foo-1.0-py3-none-any.whl"
LONG = bytes(range(256)) * 4096

NOT_THERE = (
    ("foo", "foo-2.0.tar.gz"),
    ("bar", "bar-1.0.tar.gz"),
    ("bar", SDIST),
    ("foo", ""),
    ("foo", "."),
    ("foo", ".."),
    ("foo", "../foo/" + SDIST),
    ("foo", "./" + SDIST),
    ("foo", SDIST + "\n"),
    ("foo", SDIST + "\0"),
    ("foo", SDIST.upper()),
    ("foo", SDIST + ".metadata"),
    ("foo", f".{SDIST}.json"),
    ("", SDIST),
    (".", SDIST),
    ("..", SDIST),
    ("../simple/foo", SDIST),
    ("foo/../foo", SDIST),
    ("foo\0", SDIST),
)
"""Names of which there is no file where only :data:`SDIST` was published."""


def publication(filename: str, data: bytes, metadata: bytes | None = None) -> Publication:
    """Say what is to be published, as an index does after an upload."""
    return Publication(
        project=parse_filename(filename).project,
        filename=filename,
        upload_time=datetime(2026, 11, 20, 12, 34, 56, 789, tzinfo=UTC),
        uploader="alice",
        sha256=sha256(data).hexdigest(),
        metadata=metadata,
    )


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


class StorageContract(_Base):
    """The promises of :class:`pypid.interfaces.IStorage`, and of what it gives.

    A storage may have more: files that it did not publish itself, and a life after this process.
    """

    def make_storage(self) -> IStorage:
        """Make the provider under test: empty, not opened yet, with workers that work at once."""
        raise NotImplementedError

    def settle(self) -> None:
        """Let so much time pass, if any, that what changed before is not recent any more."""

    def setUp(self) -> None:
        """Open the provider."""
        super().setUp()
        self.storage = self.make_storage()
        self.storage.open()
        self.addCleanup(self.storage.close)

    def stage(self, data: bytes) -> IStaging:
        """Stage a file."""
        staging: IStaging = self.result(self.storage.stage())
        staging.write(data)
        return staging

    def publish(self, filename: str, data: bytes, metadata: bytes | None = None) -> Record:
        """Publish a file."""
        record: Record = self.result(self.stage(data).publish(publication(filename, data, metadata)))
        return record

    def names(self, project: str) -> Sequence[str] | None:
        """List the names of a project's files."""
        files: Sequence[StoredFile] | None = self.result(self.storage.files(project))
        return None if files is None else [file.filename for file in files]

    def bytes_of(self, project: str, filename: str) -> bytes:
        """Read a whole file."""
        data: bytes = self.result(self.storage.read(project, filename, lambda file: file.read()))
        return data

    def content(self, filename: str) -> IContent:
        """Open a file of the project ``foo``."""
        content: IContent = self.result(self.storage.content("foo", filename))
        self.addCleanup(content.close)
        return content

    def test_interfaces(self) -> None:
        """The storage, what it stages and what it sends have all that their interfaces ask for."""
        self.publish(SDIST, b"sdist")
        self.assertTrue(verifyObject(IStorage, self.storage))
        self.assertTrue(verifyObject(IStaging, self.stage(b"")))
        self.assertTrue(verifyObject(IContent, self.content(SDIST)))

    def test_empty(self) -> None:
        """A new storage has no projects and no files."""
        self.assertEqual(list(self.result(self.storage.projects())), [])
        self.assertIsNone(self.result(self.storage.files("foo")))

    def test_projects(self) -> None:
        """Projects are listed by normalized name, sorted."""
        for filename in ("zope_interface-5.0.tar.gz", "PyYAML-6.0.tar.gz", "a-1.tar.gz", "a-2.tar.gz"):
            self.publish(filename, b"bytes")
        self.assertEqual(list(self.result(self.storage.projects())), ["a", "pyyaml", "zope-interface"])

    def test_files(self) -> None:
        """Files are listed by name, each with its own bytes, and those of the one project only."""
        for filename in (SDIST, "Foo-0.9.zip", WHEEL, "foo_bar-1.0.tar.gz"):
            self.publish(filename, filename.encode())
        self.assertEqual(self.names("foo"), ["Foo-0.9.zip", WHEEL, SDIST])
        self.assertEqual(self.names("foo-bar"), ["foo_bar-1.0.tar.gz"])
        for filename in ("Foo-0.9.zip", WHEEL, SDIST):
            self.assertEqual(self.bytes_of("foo", filename), filename.encode())

    def test_record(self) -> None:
        """A published file is listed with the record that publishing gave, and it describes the file."""
        said = publication(SDIST, b"sdist")
        record = self.result(self.stage(b"sdist").publish(said))
        [file] = self.result(self.storage.files("foo"))
        self.assertEqual(file.record, record)
        self.assertTrue(file.untouched)
        self.assertEqual((file.size, record.size), (5, 5))
        self.assertEqual(
            (record.upload_time, record.uploader, record.sha256),
            (said.upload_time, said.uploader, said.sha256),
        )

    def test_anonymous(self) -> None:
        """A file may have no uploader."""
        said = Publication("foo", SDIST, datetime.now(UTC), None, sha256(b"").hexdigest(), None)
        self.result(self.stage(b"").publish(said))
        [file] = self.result(self.storage.files("foo"))
        self.assertIsNone(file.record.uploader)

    def test_identities(self) -> None:
        """Different files have different identities."""
        self.publish(SDIST, b"bytes")
        self.publish(WHEEL, b"bytes")
        one, other = self.result(self.storage.files("foo"))
        self.assertNotEqual(one.identity, other.identity)

    def test_metadata(self) -> None:
        """Core metadata is kept byte for byte, an empty one too; otherwise there is none."""
        self.publish(SDIST, b"sdist")
        self.publish(WHEEL, b"wheel", b"Metadata-Version: 2.1\r\nName: foo\n\n\xff\0")
        self.publish("foo-2.0.zip", b"zip", b"")
        for filename, kept in (
            (SDIST, None),
            (WHEEL, b"Metadata-Version: 2.1\r\nName: foo\n\n\xff\0"),
            ("foo-2.0.zip", b""),
            ("foo-3.0.zip", None),
        ):
            self.assertEqual(self.result(self.storage.metadata("foo", filename)), kept, filename)
        self.assertEqual(self.names("foo"), [WHEEL, SDIST, "foo-2.0.zip"])

    def test_not_there(self) -> None:
        """What is not there, or could be nowhere, is not found (T12, T13)."""
        self.publish(SDIST, b"sdist")
        for project, filename in NOT_THERE:
            self.failure(self.storage.content(project, filename), NotFound)
            self.failure(self.storage.read(project, filename, lambda file: file.read()), NotFound)
            try:
                self.assertIsNone(self.result(self.storage.metadata(project, filename)))
            except NotFound:
                pass

    def test_project_not_there(self) -> None:
        """What is no project, or no name for one, has no files, and its fingerprint can be asked for."""
        self.publish(SDIST, b"sdist")
        for project in ("bar", "", ".", "..", "../simple/foo", "foo/", "foo/../foo", "foo\0", "fo\N{KELVIN SIGN}"):
            self.assertIsNone(self.result(self.storage.files(project)), project)
            hash(self.storage.fingerprint(project))

    def test_read(self) -> None:
        """A function reads and seeks in a file, and its answer or its error is handed through."""
        self.publish(SDIST, LONG)

        def tail(file: BinaryIO) -> bytes:
            file.seek(-3, 2)
            return file.read()

        def refuse(file: BinaryIO) -> None:
            raise InvalidArchive("nonsense")

        self.assertEqual(self.result(self.storage.read("foo", SDIST, tail)), LONG[-3:])
        self.assertEqual(self.failure(self.storage.read("foo", SDIST, refuse), InvalidArchive), "nonsense")

    def test_nothing_before_publish(self) -> None:
        """What is staged is not seen."""
        self.stage(b"sdist")
        self.assertEqual(list(self.result(self.storage.projects())), [])
        self.publish(SDIST, b"sdist")
        self.stage(b"wheel")
        self.assertEqual(self.names("foo"), [SDIST])

    def test_reader(self) -> None:
        """A staged file can be read and sought in while it is received, and again later."""
        staging = self.stage(b"")
        with staging.reader() as file:
            self.assertEqual(file.read(), b"")
        staging.write(b"abc")
        staging.write(LONG)
        with staging.reader() as file:
            file.seek(1)
            self.assertEqual(file.read(4), b"bc" + LONG[:2])
        staging.write(b"xyz")
        with staging.reader() as file:
            self.assertEqual(file.read(), b"abc" + LONG + b"xyz")

    def test_discard(self) -> None:
        """What is discarded is never seen, takes nothing more, and can be discarded again."""
        staging = self.stage(b"sdist")
        self.result(staging.discard())
        self.result(staging.discard())
        self.assertRaises(StorageUnavailable, staging.write, b"more")
        self.failure(staging.publish(publication(SDIST, b"sdist")), StorageUnavailable)
        self.assertIsNone(self.names("foo"))

    def test_discard_after_publish(self) -> None:
        """Discarding what was published does nothing."""
        staging = self.stage(b"sdist")
        self.result(staging.publish(publication(SDIST, b"sdist")))
        self.result(staging.discard())
        self.assertEqual(self.bytes_of("foo", SDIST), b"sdist")

    def test_publish_once(self) -> None:
        """A staging ends with being published: it takes nothing more, nor another name."""
        staging = self.stage(b"sdist")
        self.result(staging.publish(publication(SDIST, b"sdist")))
        self.assertRaises(StorageUnavailable, staging.write, b"more")
        self.failure(staging.publish(publication("foo-2.0.tar.gz", b"sdist")), StorageUnavailable)
        self.assertEqual(self.names("foo"), [SDIST])

    def test_taken(self) -> None:
        """A name that is taken stays as it is, with its record and metadata, even for the same bytes."""
        record = self.publish(SDIST, b"first", b"Name: first")
        for data in (b"second", b"first"):
            staging = self.stage(data)
            message = self.failure(staging.publish(publication(SDIST, data, b"Name: second")), FileExists)
            self.assertIn(SDIST, message)
            self.result(staging.discard())
        [file] = self.result(self.storage.files("foo"))
        self.assertEqual(file.record, record)
        self.assertEqual(self.bytes_of("foo", SDIST), b"first")
        self.assertEqual(self.result(self.storage.metadata("foo", SDIST)), b"Name: first")

    def test_t07_taken_in_another_case(self) -> None:
        """A name is taken in all mixtures of cases."""
        self.publish("Foo-1.0.TAR.tar.gz", b"first")
        for filename in ("foo-1.0.tar.tar.gz", "FOO-1.0.Tar.tar.gz"):
            self.failure(self.stage(b"second").publish(publication(filename, b"second")), FileExists)
        self.assertEqual(self.names("foo"), ["Foo-1.0.TAR.tar.gz"])

    def test_t04_one_project(self) -> None:
        """However a file name spells the project, it is the one of the normalized name."""
        for number, spelling in enumerate(("Foo_Bar", "foo.bar", "foo--bar", "FOO-bar")):
            self.publish(f"{spelling}-{number}.tar.gz", b"bytes")
        self.assertEqual(list(self.result(self.storage.projects())), ["foo-bar"])
        files = self.names("foo-bar")
        assert files is not None
        self.assertEqual(len(files), 4)

    def test_fingerprint(self) -> None:
        """A project's fingerprint stays while nothing changes, and moves with each file."""
        seen = {self.storage.fingerprint("foo")}
        for number in range(1, 5):
            self.publish(f"foo-{number}.tar.gz", b"bytes")
            seen.add(self.storage.fingerprint("foo"))
        self.assertEqual(len(seen), 5)
        self.settle()
        self.result(self.storage.files("foo"))
        settled = self.storage.fingerprint("foo")
        self.result(self.storage.files("foo"))
        self.assertEqual(self.storage.fingerprint("foo"), settled)
        self.publish(SDIST, b"bytes")
        self.assertNotEqual(self.storage.fingerprint("foo"), settled)

    def test_fingerprint_of_all(self) -> None:
        """The fingerprint of the list of projects stays while nothing changes, and moves with each."""
        seen = {self.storage.fingerprint(None)}
        for name in "abcd":
            self.publish(f"{name}-1.tar.gz", b"bytes")
            seen.add(self.storage.fingerprint(None))
        self.assertEqual(len(seen), 5)
        self.settle()
        settled = self.storage.fingerprint(None)
        self.result(self.storage.projects())
        self.assertEqual(self.storage.fingerprint(None), settled)
        self.publish(SDIST, b"bytes")
        self.assertNotEqual(self.storage.fingerprint(None), settled)

    def test_content(self) -> None:
        """A file's content has its length and time, and sends any part of it, in order."""
        for filename, data in ((SDIST, LONG), ("foo-0.tar.gz", b"")):
            self.publish(filename, data)
            content = self.content(filename)
            [file] = [file for file in self.result(self.storage.files("foo")) if file.filename == filename]
            self.assertEqual((content.length, content.modified_ns), (len(data), file.modified_ns))
        content = self.content(SDIST)
        for start, stop in ((0, len(LONG)), (0, 1), (5, 300_000), (len(LONG) - 1, len(LONG)), (7, 7)):
            consumer = MemoryConsumer()
            self.result(content.send_to(consumer, start, stop))
            self.assertEqual(consumer.data, LONG[start:stop])
            self.assertIsNone(consumer.producer)

    def test_close(self) -> None:
        """Content can be closed again, and before anything of it was sent."""
        self.publish(SDIST, b"sdist")
        content = self.content(SDIST)
        content.close()
        content.close()

    def test_slow_consumer(self) -> None:
        """A consumer that pauses gets nothing until it wants more, and no large piece at a time."""
        self.publish(SDIST, LONG)
        consumer = MemoryConsumer(pauses=True)
        sending = Deferred.fromCoroutine(self.content(SDIST).send_to(consumer, 0, len(LONG)))
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
        self.publish(SDIST, LONG)
        consumer = MemoryConsumer(stops_after=2)
        self.failure(self.content(SDIST).send_to(consumer, 0, len(LONG)), CancelledError)
        self.assertEqual(len(consumer.writes), 2)

    def test_paused_consumer_goes_away(self) -> None:
        """A consumer may also go away while it makes the producer wait."""
        self.publish(SDIST, LONG)
        consumer = MemoryConsumer(pauses=True)
        sending = Deferred.fromCoroutine(self.content(SDIST).send_to(consumer, 0, len(LONG)))
        assert consumer.producer is not None
        consumer.producer.stopProducing()
        self.failureResultOf(sending, CancelledError)
        self.assertEqual(len(consumer.writes), 1)

    def test_sending_cancelled(self) -> None:
        """Who waits for the sending may cancel it; the consumer is let go."""
        self.publish(SDIST, LONG)
        consumer = MemoryConsumer(pauses=True)
        sending = Deferred.fromCoroutine(self.content(SDIST).send_to(consumer, 0, len(LONG)))
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        self.assertIsNone(consumer.producer)
        self.assertEqual(len(consumer.writes), 1)

    def test_past_the_end(self) -> None:
        """Bytes that are not there are an error, not a short file."""
        self.publish(SDIST, b"sdist")
        consumer = MemoryConsumer()
        self.failure(self.content(SDIST).send_to(consumer, 0, 6), StorageUnavailable)
        self.assertIsNone(consumer.producer)
