"""What everything that a storage stages has to pass."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from pypid.errors import FileExists, StorageUnavailable
from pypid.interfaces import IStaging
from pypid.names import Companion
from pypid.testing.steps import StorageSteps, publication

__all__ = ["StagingContract"]

SDIST = "foo-1.0.tar.gz"
LONG = bytes(range(256)) * 4096


class StagingContract(StorageSteps):
    """The promises of :class:`pypid.interfaces.IStaging`, for one process."""

    def test_interface(self) -> None:
        """It has all that the interface asks for."""
        self.assertTrue(verifyObject(IStaging, self.stage(b"")))

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
        """A name that is taken stays as it is, with all that belongs to it, even for the same bytes."""
        record = self.publish(SDIST, b"first", b"Name: first", None, b"first")
        for data in (b"second", b"first"):
            staging = self.stage(data)
            message = self.failure(
                staging.publish(publication(SDIST, data, b"Name: second", b"second", b"second")), FileExists
            )
            self.assertIn(SDIST, message)
            self.result(staging.discard())
        [file] = self.files("foo")
        self.assertEqual(file.record, record)
        self.assertEqual(self.bytes_of("foo", SDIST), b"first")
        kept = [self.companion("foo", SDIST, companion) for companion in Companion]
        self.assertEqual(kept, [b"Name: first", None, b"first"])

    def test_t07_taken_in_another_case(self) -> None:
        """A name is taken in all mixtures of cases."""
        self.publish("Foo-1.0.TAR.tar.gz", b"first")
        for filename in ("foo-1.0.tar.tar.gz", "FOO-1.0.Tar.tar.gz"):
            self.failure(self.stage(b"second").publish(publication(filename, b"second")), FileExists)
        self.assertEqual(self.names("foo"), ["Foo-1.0.TAR.tar.gz"])
