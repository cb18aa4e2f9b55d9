"""The contract suite of storages."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import BinaryIO

from attrs import evolve
from zope.interface.verify import verifyObject

from pypid.errors import InvalidArchive, NotFound
from pypid.interfaces import IContent, ISendableContent, IStorage
from pypid.model import Publication
from pypid.names import Sidecar
from pypid.testing.content import MemoryConsumer
from pypid.testing.steps import StorageSteps, publication

__all__ = ["StorageContract"]

SDIST = "foo-1.0.tar.gz"
WHEEL = "foo-1.0-py3-none-any.whl"
LONG = bytes(range(256)) * 4096

IMPOSSIBLE = (
    ("bar", SDIST),
    ("foo", ""),
    ("foo", "."),
    ("foo", ".."),
    ("foo", "../foo/" + SDIST),
    ("foo", "./" + SDIST),
    ("foo", SDIST + "\n"),
    ("foo", SDIST + "\0"),
    ("foo", SDIST + ".metadata"),
    ("foo", SDIST + ".asc"),
    ("foo", SDIST + ".provenance"),
    ("foo", f".{SDIST}.json"),
    ("", SDIST),
    (".", SDIST),
    ("..", SDIST),
    ("../simple/foo", SDIST),
    ("foo/../foo", SDIST),
    ("foo\0", SDIST),
)
"""Impossible names of projects and files."""


class StorageContract(StorageSteps):
    """The promises of :class:`pypid.interfaces.IStorage`.

    A storage may do more: it may list files that it did not publish, and outlive the process.
    """

    def settle(self) -> None:
        """Let time pass, if need be, until earlier changes do not count as recent."""

    def test_interface(self) -> None:
        """The provider provides the interface."""
        self.assertTrue(verifyObject(IStorage, self.storage.blocking))

    def test_empty(self) -> None:
        """A new storage has no projects and no files."""
        self.assertEqual(list(self.result(self.storage.projects())), [])
        self.assertIsNone(self.result(self.storage.project("foo")))

    def test_projects(self) -> None:
        """Projects are listed by normalized name, sorted."""
        for filename in ("zope_interface-5.0.tar.gz", "PyYAML-6.0.tar.gz", "a-1.tar.gz", "a-2.tar.gz"):
            self.publish(filename, b"bytes")
        self.assertEqual(list(self.result(self.storage.projects())), ["a", "pyyaml", "zope-interface"])

    def test_files(self) -> None:
        """Files are listed by name, each with its own bytes, and only those of the project."""
        for filename in (SDIST, "Foo-0.9.zip", WHEEL, "foo_bar-1.0.tar.gz"):
            self.publish(filename, filename.encode())
        self.assertEqual(self.names("foo"), ["Foo-0.9.zip", WHEEL, SDIST])
        self.assertEqual(self.names("foo-bar"), ["foo_bar-1.0.tar.gz"])
        for filename in ("Foo-0.9.zip", WHEEL, SDIST):
            self.assertEqual(self.bytes_of("foo", filename), filename.encode())

    def test_record(self) -> None:
        """A published file is listed with the record that publishing returned, which describes the file."""
        said = publication(SDIST, b"sdist")
        record = self.result(self.stage(b"sdist").publish(said))
        [file] = self.files("foo")
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
        [file] = self.files("foo")
        assert file.record is not None
        self.assertIsNone(file.record.uploader)

    def test_identities(self) -> None:
        """Different files have different identities."""
        self.publish(SDIST, b"bytes")
        self.publish(WHEEL, b"bytes")
        one, other = self.files("foo")
        self.assertNotEqual(one.identity, other.identity)

    def test_metadata(self) -> None:
        """Core metadata is stored byte for byte, even if empty; without it there is none."""
        self.publish(SDIST, b"sdist")
        self.publish(WHEEL, b"wheel", b"Metadata-Version: 2.1\r\nName: foo\n\n\xff\0")
        self.publish("foo-2.0.zip", b"zip", b"")
        for filename, kept in (
            (SDIST, None),
            (WHEEL, b"Metadata-Version: 2.1\r\nName: foo\n\n\xff\0"),
            ("foo-2.0.zip", b""),
            ("foo-3.0.zip", None),
        ):
            self.assertEqual(self.sidecar("foo", filename, Sidecar.METADATA), kept, filename)
        self.assertEqual(self.names("foo"), [WHEEL, SDIST, "foo-2.0.zip"])

    def test_sidecars(self) -> None:
        """Sidecars are stored byte for byte, separately, and listed with their file."""
        kept = {
            SDIST: (None, b"signature\n\xff", None),
            WHEEL: (b"Name: foo", None, b"{}\n"),
            "foo-2.0.zip": (None, None, None),
            "foo-3.0.zip": (b"Name: foo", b"", b""),
        }
        for filename, sidecars in kept.items():
            self.publish(filename, b"bytes", *sidecars)
        for filename, sidecars in kept.items():
            found = [self.sidecar("foo", filename, sidecar) for sidecar in Sidecar]
            self.assertEqual(found, list(sidecars), filename)
        for file in self.files("foo"):
            _, signature, provenance = kept[file.filename]
            self.assertEqual(file.signed, signature is not None, file.filename)
            self.assertEqual(file.provenance is not None, provenance is not None, file.filename)

    def test_other_provenance(self) -> None:
        """Provenance that replaces other provenance has another stamp."""
        stamps = set()
        for provenance in (b"first", b"other"):
            record = self.publish(SDIST, b"bytes", None, None, provenance)
            [file] = self.files("foo")
            stamps.add(file.provenance)
            self.result(self.storage.remove("foo", SDIST, evolve(record, removed=record.upload_time)))
        self.assertEqual(len(stamps), 2)

    def test_not_there(self) -> None:
        """A missing file is not found, and has no sidecars."""
        self.publish(SDIST, b"sdist")
        for project, filename in (("foo", "foo-2.0.tar.gz"), ("foo", "Foo-1.0.tar.gz"), ("bar", "bar-1.zip")):
            self.failure(self.storage.content(project, filename), NotFound)
            self.failure(self.storage.read(project, filename, lambda file: file.read()), NotFound)
            for sidecar in Sidecar:
                self.assertIsNone(self.sidecar(project, filename, sidecar))

    def test_t12_t13_impossible(self) -> None:
        """Impossible names are not found."""
        self.publish(SDIST, b"sdist", b"Name: foo", b"signature", b"{}")
        for project, filename in IMPOSSIBLE:
            self.failure(self.storage.content(project, filename), NotFound)
            self.failure(self.storage.read(project, filename, lambda file: file.read()), NotFound)
            for sidecar in Sidecar:
                self.failure(self.storage.sidecar(project, filename, sidecar), NotFound)

    def test_project_not_there(self) -> None:
        """A missing project and an impossible name have no files, but a fingerprint."""
        self.publish(SDIST, b"sdist")
        for project in (
            "bar",
            "",
            ".",
            "..",
            "../simple/foo",
            "foo/",
            "foo/../foo",
            "foo\0",
            "fo\N{KELVIN SIGN}",
        ):
            self.assertIsNone(self.result(self.storage.project(project)), project)
            hash(self.storage.fingerprint(project))

    def test_fault_a11_moved(self) -> None:
        """The moved projects include those that changed, and those not asked about before."""
        self.publish(SDIST, b"sdist")
        names = ["bar", "foo", "..", "foo\0"]
        self.assertEqual({*self.storage.blocking.moved(names)}, {*names})
        self.storage.blocking.moved(names)
        self.publish("foo-2.0.tar.gz", b"sdist")
        self.publish("bar-1.0.tar.gz", b"sdist")
        self.assertLessEqual({"bar", "foo"}, {*self.storage.blocking.moved(names)})

    def test_read(self) -> None:
        """A function can read and seek in a file; its result or error is passed on."""
        self.publish(SDIST, LONG)

        def tail(file: BinaryIO) -> bytes:
            file.seek(-3, 2)
            return file.read()

        def refuse(file: BinaryIO) -> None:
            raise InvalidArchive(f"nonsense: {file.read(1)!r}")

        self.assertEqual(self.result(self.storage.read("foo", SDIST, tail)), LONG[-3:])
        self.assertEqual(
            self.failure(self.storage.read("foo", SDIST, refuse), InvalidArchive), f"nonsense: {LONG[:1]!r}"
        )

    def test_run(self) -> None:
        """Several calls in one worker give the usual answers; the outcome is passed on."""
        self.publish(SDIST, LONG)

        def ask(storage: IStorage) -> tuple[object, ...]:
            project = storage.project("foo")
            with self.assertRaises(NotFound):
                storage.read("foo", "foo-9.tar.gz", BinaryIO.read)
            read = storage.read("foo", SDIST, lambda file: file.read())
            return project, read, storage.sidecar("foo", SDIST, Sidecar.METADATA)

        def refuse(storage: IStorage) -> None:
            raise InvalidArchive(str(storage.project("bar")))

        metadata = self.result(self.storage.sidecar("foo", SDIST, Sidecar.METADATA))
        answer = self.result(self.storage.project("foo")), LONG, metadata
        for run in (self.storage.run, self.storage.scan, self.storage.change):
            self.assertEqual(self.result(run(ask)), answer)
            self.assertEqual(self.failure(run(refuse), InvalidArchive), "None")

    def test_t04_one_project(self) -> None:
        """All spellings of a project's name in file names belong to one project."""
        for number, spelling in enumerate(("Foo_Bar", "foo.bar", "foo--bar", "FOO-bar")):
            self.publish(f"{spelling}-{number}.tar.gz", b"bytes")
        self.assertEqual(list(self.result(self.storage.projects())), ["foo-bar"])
        self.assertEqual(len(self.files("foo-bar")), 4)

    def test_fingerprint(self) -> None:
        """A project's fingerprint is stable while nothing changes, and changes with each file."""
        seen = {self.storage.fingerprint("foo")}
        for number in range(1, 5):
            self.publish(f"foo-{number}.tar.gz", b"bytes")
            seen.add(self.storage.fingerprint("foo"))
        self.assertEqual(len(seen), 5)
        self.settle()
        self.result(self.storage.project("foo"))
        settled = self.storage.fingerprint("foo")
        self.files("foo")
        self.assertEqual(self.storage.fingerprint("foo"), settled)
        self.publish(SDIST, b"bytes")
        self.assertNotEqual(self.storage.fingerprint("foo"), settled)

    def test_fingerprint_of_all(self) -> None:
        """The fingerprint of the list of projects is stable, and changes with each new project."""
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
        """The content of a file has the listed length and time."""
        self.publish(SDIST, LONG)
        content: IContent = self.result(self.storage.content("foo", SDIST))
        self.addCleanup(content.close)
        [file] = self.files("foo")
        self.assertEqual((content.length, content.modified_ns), (len(LONG), file.modified_ns))
        consumer = MemoryConsumer()
        self.result(content.send_to(consumer, 1, len(LONG)))
        self.assertEqual(consumer.data, LONG[1:])

    def test_sendable_content(self) -> None:
        """A content that can be reopened is reopened as long as its file is there, and no longer."""
        record = self.publish(SDIST, LONG)
        content: IContent = self.result(self.storage.content("foo", SDIST))
        content.close()
        if ISendableContent.providedBy(content):
            again = content.reopen()
            assert again is not None
            again.close()
            self.result(self.storage.remove("foo", SDIST, evolve(record, removed=record.upload_time)))
            self.assertIsNone(content.reopen())
