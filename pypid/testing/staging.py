"""The contract suite of a storage's staged files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from attrs import evolve
from zope.interface.verify import verifyObject

from pypid.errors import FileExists, Forbidden, StorageUnavailable
from pypid.interfaces import IContent, IStaging
from pypid.model import StoredProject
from pypid.names import Sidecar
from pypid.testing.content import MemoryConsumer
from pypid.testing.steps import StorageSteps, publication

__all__ = ["StagingContract"]

SDIST = "foo-1.0.tar.gz"
WHEEL = "foo-1.0-py3-none-any.whl"
LONG = bytes(range(256)) * 4096
TIMEOUT = 60
"""The limit, in seconds, for something that takes a moment."""


class StagingContract(StorageSteps):
    """The promises of :class:`pypid.interfaces.IStaging`, for one process."""

    def test_interface(self) -> None:
        """The provider provides the interface."""
        self.assertTrue(verifyObject(IStaging, self.stage(b"").blocking))

    def test_nothing_before_publish(self) -> None:
        """A staged file is not visible."""
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
        """A discarded file never becomes visible, accepts no more bytes, and can be discarded again."""
        staging = self.stage(b"sdist")
        self.result(staging.discard())
        self.result(staging.discard())
        self.assertRaises(StorageUnavailable, staging.write, b"more")
        self.failure(staging.publish(publication(SDIST, b"sdist")), StorageUnavailable)
        self.assertIsNone(self.names("foo"))

    def test_discard_after_publish(self) -> None:
        """Discarding a published file does nothing."""
        staging = self.stage(b"sdist")
        self.result(staging.publish(publication(SDIST, b"sdist")))
        self.result(staging.discard())
        self.assertEqual(self.bytes_of("foo", SDIST), b"sdist")

    def test_publish_once(self) -> None:
        """A staged file can be published once. After that it accepts no more bytes, and no other name."""
        staging = self.stage(b"sdist")
        self.result(staging.publish(publication(SDIST, b"sdist")))
        self.assertRaises(StorageUnavailable, staging.write, b"more")
        self.failure(staging.publish(publication("foo-2.0.tar.gz", b"sdist")), StorageUnavailable)
        self.assertEqual(self.names("foo"), [SDIST])

    def test_taken(self) -> None:
        """A published file and its sidecars are never replaced, not even by the same bytes."""
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
        kept = [self.sidecar("foo", SDIST, sidecar) for sidecar in Sidecar]
        self.assertEqual(kept, [b"Name: first", None, b"first"])

    def test_t07_taken_in_another_case(self) -> None:
        """File names that differ only in case exclude each other."""
        self.publish("Foo-1.0.TAR.tar.gz", b"first")
        for filename in ("foo-1.0.tar.tar.gz", "FOO-1.0.Tar.tar.gz"):
            self.failure(self.stage(b"second").publish(publication(filename, b"second")), FileExists)
        self.assertEqual(self.names("foo"), ["Foo-1.0.TAR.tar.gz"])

    def replace(self, data: bytes, old: bytes, *sidecars: bytes | None) -> None:
        """Replace a file, with sidecar files in the order of :func:`publication`."""
        staging = self.stage(data)
        self.result(staging.publish(publication(WHEEL, data, *sidecars, replaces=old)))

    def test_replace(self) -> None:
        """A file replaces another one, with its own metadata and record."""
        first = self.publish(WHEEL, b"first", b"Name: first")
        [before] = self.files("foo")
        fingerprint = self.storage.fingerprint("foo")
        self.replace(b"second", b"first", b"Name: second")
        self.assertNotEqual(self.storage.fingerprint("foo"), fingerprint)
        [file] = self.files("foo")
        self.assertEqual(self.bytes_of("foo", WHEEL), b"second")
        self.assertEqual(self.sidecar("foo", WHEEL, Sidecar.METADATA), b"Name: second")
        self.assertTrue(file.untouched)
        assert file.record is not None
        said = publication(WHEEL, b"second")
        self.assertEqual((file.record.sha256, file.record.size), (said.sha256, 6))
        self.assertNotEqual((file.record, file.identity), (first, before.identity))

    def test_founder(self) -> None:
        """The founder of a project stays known when others replace the file, repeatedly."""
        for data, old in ((b"1", None), (b"22", b"1"), (b"333", b"22")):
            said = publication(WHEEL, data, replaces=old, founder="ann" if old is None else None)
            self.result(self.stage(data).publish(said))
            [file] = self.files("foo")
            assert file.record is not None
            self.assertEqual(file.record.founder, "ann")

    def test_replace_again(self) -> None:
        """A file can be replaced repeatedly, also by one without metadata, and its record amended."""
        self.publish(WHEEL, b"first", b"Name: first")
        self.replace(b"second", b"first", b"Name: second")
        self.replace(b"the third", b"second")
        self.assertIsNone(self.sidecar("foo", WHEEL, Sidecar.METADATA))
        [file] = self.files("foo")
        assert file.record is not None
        self.result(self.storage.amend("foo", WHEEL, evolve(file.record, yanked="")))
        self.replace(b"fourth", b"the third", b"Name: fourth")
        [file] = self.files("foo")
        assert file.record is not None
        self.assertIsNone(file.record.yanked)
        self.assertEqual(self.sidecar("foo", WHEEL, Sidecar.METADATA), b"Name: fourth")

    def test_replace_with_sidecars(self) -> None:
        """A replaced file loses its sidecars; those of the new file are stored and listed."""
        data, provenances = b"0", set()
        self.publish(WHEEL, data, b"Name: 0", b"signature 0", b"provenance 0")
        for number, sidecars in enumerate(
            (
                (None, b"signature 1", b"provenance 1"),
                (b"Name: 2", None, None),
                (b"Name: 3", b"signature 3", None),
                (None, None, b"provenance 4"),
                (None, None, b"provenance 5"),
                (None, None, None),
            )
        ):
            old, data = data, b"%d" % (number + 1) * (number + 2)
            self.replace(data, old, *sidecars)
            self.assertEqual(self.bytes_of("foo", WHEEL), data)
            kept = [self.sidecar("foo", WHEEL, sidecar) for sidecar in Sidecar]
            self.assertEqual(kept, list(sidecars))
            [file] = self.files("foo")
            _, signature, provenance = sidecars
            self.assertEqual(file.signed, signature is not None)
            self.assertEqual(file.provenance is not None, provenance is not None)
            provenances.add(file.provenance)
        self.assertEqual(len(provenances), 4)

    def test_replace_another(self) -> None:
        """If another file has the name than the one to replace, nothing changes."""
        record = self.publish(WHEEL, b"first", b"Name: first", b"first")
        said = publication(WHEEL, b"second", b"Name: second", None, b"second", replaces=b"another")
        self.assertIn(WHEEL, self.failure(self.stage(b"second").publish(said), FileExists))
        [file] = self.files("foo")
        self.assertEqual(file.record, record)
        self.assertEqual(self.bytes_of("foo", WHEEL), b"first")
        kept = [self.sidecar("foo", WHEEL, sidecar) for sidecar in Sidecar]
        self.assertEqual(kept, [b"Name: first", b"first", None])

    def test_replace_nothing(self) -> None:
        """Nothing changes if no file has the name, or only one that differs in case."""
        self.publish("foo-1.0.tar.gz", b"first")
        said = publication(WHEEL, b"second", replaces=b"first")
        self.failure(self.stage(b"second").publish(said), FileExists)
        said = publication("Foo-1.0.tar.gz", b"second", replaces=b"first")
        self.failure(self.stage(b"second").publish(said), FileExists)
        self.assertEqual(self.names("foo"), ["foo-1.0.tar.gz"])

    def test_replace_while_read(self) -> None:
        """A reader of the replaced file can read it to its end."""
        self.publish(WHEEL, LONG)
        content: IContent = self.result(self.storage.content("foo", WHEEL))
        self.addCleanup(content.close)
        consumer = MemoryConsumer()
        self.result(content.send_to(consumer, 0, 1000))
        self.replace(b"second", LONG)
        self.result(content.send_to(consumer, 1000, content.length))
        self.assertEqual(consumer.data, LONG)
        self.assertEqual(self.bytes_of("foo", WHEEL), b"second")

    def test_admit(self) -> None:
        """The admission check sees the present project, once."""
        shown: list[StoredProject | None] = []
        self.result(self.stage(b"one").publish(publication(SDIST, b"one", founder="ann"), shown.append))
        self.result(self.stage(b"two").publish(publication(WHEEL, b"two"), shown.append))
        new, founded = shown
        self.assertFalse(new is not None and new.is_founded)
        assert founded is not None
        self.assertEqual([file.filename for file in founded.files], [SDIST])
        self.assertEqual((founded.owners, founded.files[0].untouched), (("ann",), True))

    def test_fault_a4_not_admitted(self) -> None:
        """A publication refused by the admission check leaves no file, no project, and nothing staged."""

        def refuse(_project: StoredProject | None) -> None:
            raise Forbidden("not today")

        said = publication(SDIST, b"one", b"Name: foo", b"signature", b"provenance")
        self.assertEqual(self.failure(self.stage(b"one").publish(said, refuse), Forbidden), "not today")
        self.assertIsNone(self.names("foo"))
        self.assertEqual(list(self.result(self.storage.projects())), [])
        record = self.publish(WHEEL, b"first", b"Name: first")
        before = self.storage.fingerprint("foo"), self.files("foo")
        said = publication(WHEEL, b"second", b"Name: second", None, b"second", replaces=b"first")
        staging = self.stage(b"second")
        self.failure(staging.publish(said, refuse), Forbidden)
        self.result(staging.discard())
        self.assertEqual(self.files("foo"), before[1])
        self.assertEqual((self.files("foo")[0].record, self.bytes_of("foo", WHEEL)), (record, b"first"))
        self.assertEqual(self.sidecar("foo", WHEEL, Sidecar.METADATA), b"Name: first")

    def test_nobody_comes_between_admission_and_publication(self) -> None:
        """A change of the project during the admission check waits until the file is published."""
        self.publish(SDIST, b"one")
        seen: list[Sequence[str]] = []

        def change() -> None:
            with self.storage.blocking.changing("foo") as locked:
                seen.append([file.filename for file in locked.project.files])

        def admit(_project: StoredProject | None) -> None:
            changes.append(pool.submit(change))
            with self.assertRaises(TimeoutError):
                changes[0].result(0.1)

        changes: list[Future[None]] = []
        with ThreadPoolExecutor(1) as pool:
            self.result(self.stage(b"two").publish(publication(WHEEL, b"two"), admit))
            changes[0].result(TIMEOUT)
        self.assertEqual(seen, [[WHEEL, SDIST]])

    def test_one_founder(self) -> None:
        """Of several publications that could found a project, only the first has done so."""
        stagings = [(name, self.stage(name.encode())) for name in ("ann", "bob", "cy")]
        for number, (name, staging) in enumerate(stagings, 1):
            said = publication(f"foo-{number}.tar.gz", name.encode(), founder=name)
            self.result(staging.publish(said))
        founders = [file.record.founder for file in self.files("foo") if file.record is not None]
        self.assertEqual(founders, ["ann", None, None])
