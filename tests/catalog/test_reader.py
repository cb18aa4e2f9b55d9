"""Tests for :mod:`pypid.catalog.reader`: the entries of unusual files in pages."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO, TypeVar

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from pypid.catalog.sqlite import SqliteCatalog
from pypid.catalog.upkeep import SWEEP
from pypid.errors import NotFound, StorageUnavailable
from pypid.interfaces import ICatalog
from pypid.model import File, StoredFile, StoredProject
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalog_steps import CatalogSteps
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.inline import InlineStorage

T = TypeVar("T")


class FailingStorage(MemoryStorage):
    """Fails to read some files, and counts how often it was tried."""

    def __init__(self) -> None:
        super().__init__()
        self.unrecorded: set[str] = set()
        """Files that lie there as if copied by hand, long ago."""
        self.touched: set[str] = set()
        """Files whose time is another than it was."""
        self.failures: dict[str, Exception] = {}
        self.tried: list[str] = []

    def project(self, name: str) -> StoredProject | None:
        kept = super().project(name)
        return evolve(kept, files=tuple(map(self.altered, kept.files))) if kept is not None else None

    def altered(self, file: StoredFile) -> StoredFile:
        if file.filename not in self.unrecorded:
            return file
        return evolve(file, record=None, modified_ns=1 + (file.filename in self.touched))

    def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        self.tried.append(filename)
        if filename in self.failures:
            raise self.failures[filename]
        return super().read(project, filename, function)


def pkg_info(version: str, *lines: str) -> bytes:
    return "\n".join([f"Metadata-Version: {version}", "Name: foo", "Version: 1.0", *lines, ""]).encode()


def tar(metadata: bytes) -> bytes:
    """Make an sdist's bytes."""
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as written:
        member = tarfile.TarInfo("foo-1.0/PKG-INFO")
        member.size = len(metadata)
        written.addfile(member, BytesIO(metadata))
    return archive.getvalue()


class ReadingTests(CatalogSteps, Synchronous):
    """Files of all kinds, and what is logged of them."""

    def setUp(self) -> None:
        self.clock = Clock()
        super().setUp()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("pypid.catalog"):
            self.lines.append(event["log_format"].format(**event))

    def make_storage(self) -> InlineStorage:
        self.failing = FailingStorage()
        return InlineStorage(self.failing)

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        return SqliteCatalog(storage, None, InlineWorkers(), self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def actions(self) -> list[str]:
        return [change.action for change in self.changes()]

    def only_file(self) -> File:
        [file] = self.project("foo").files
        return file

    def test_metadata_of_sdists(self) -> None:
        """They are to be had alone only where no build makes others of them (PEP 643)."""
        for number, (metadata, served) in enumerate(
            [
                (pkg_info("2.4", "Requires-Dist: bar", "Requires-Python: >=3.9"), True),
                (pkg_info("2.2", "Dynamic: License"), True),
                (pkg_info("2.2", "Dynamic: Requires-Dist"), False),
                (pkg_info("2.1"), False),
            ]
        ):
            filename = self.publish((f"foo-{number}.tar.gz", tar(metadata)))
            file = self.project("foo").file(filename)
            assert file is not None
            self.assertEqual(file.core_metadata, sha256(metadata).hexdigest() if served else None)
        self.assertEqual(self.project("foo").files[0].requires_python, ">=3.9")

    def test_no_metadata(self) -> None:
        """A file of which the metadata cannot be had is listed without the claim, and named once."""
        for filename, data in (
            ("foo-1.0-py3-none-any.whl", b"no zip at all"),
            ("foo-2.0.tar.gz", tar(b"Metadata-Version: 2.2\nName: foo\n")),
        ):
            self.publish((filename, data))
            file = self.project("foo").file(filename)
            assert file is not None
            self.assertEqual((file.core_metadata, file.hashes["sha256"]), (None, sha256(data).hexdigest()))
        self.catalog.forget("foo")
        self.project("foo")
        self.pass_time(SWEEP)
        self.assertEqual(len(self.lines), 2)
        self.assertTrue(
            self.lines[0].startswith("foo-1.0-py3-none-any.whl is served without its core metadata: ")
        )
        self.assertTrue(self.lines[1].startswith("foo-2.0.tar.gz is served without its core metadata: "))
        self.assertEqual(len(self.failing.tried), 2)

    def test_fault_c2_two_files_that_are_one(self) -> None:
        """They are listed as they lie, and named once."""
        for name in ("foo-1.0.tar.gz", "foo-1.tar.gz", "foo-2.0.tar.gz", "foo-1.0.zip"):
            self.publish((name, sdist("foo", name[4:7].rstrip(".t"))[1]))
        self.assertEqual(len(self.project("foo").files), 4)
        self.catalog.forget("foo")
        self.project("foo")
        self.pass_time(SWEEP)
        said = [line for line in self.lines if "installers" in line]
        self.assertEqual(
            said, ["foo has foo-1.0.tar.gz and foo-1.tar.gz: installers take either for the other"]
        )

    def test_kinds_without_metadata(self) -> None:
        """Eggs, installers and old sdists are listed, and are no reason to complain."""
        for filename in ("foo-1.0.win32.exe", "foo-1.1.msi", "foo-1.2.tar.Z"):
            self.publish((filename, b"bytes"))
        self.assertEqual(len(self.project("foo").files), 3)
        self.assertEqual(self.lines, [])

    def test_nonsense_beside(self) -> None:
        """What is no provenance object is not shown as one, and named once; the file is there."""
        one = self.publish(sdist("foo", "1.0"), provenance=b"nonsense")
        for _ in range(2):
            self.assertIsNone(self.only_file().provenance)
            self.catalog.forget("foo")
        self.assertEqual(self.lines, [f"{one} is served without what lies beside it as its provenance"])

    def test_fault_b1_new_file_that_cannot_be_read_now(self) -> None:
        """A page without it would send installers to an older one: there is none until it can be read."""
        one, other = self.publish(sdist("foo", "1.0")), self.publish(wheel("foo", "1.0"))
        self.failing.failures[one] = StorageUnavailable("Input/output error")
        for _ in range(3):
            self.failure(self.catalog.project("foo"), StorageUnavailable)
        self.pass_time(SWEEP)
        self.assertNotIn(f"add source file {one}", self.actions())
        self.assertFalse([action for action in self.actions() if action.startswith("remove")])
        said = [line for line in self.lines if one in line]
        self.assertEqual(said, [f"foo is not shown while {one} cannot be read: Input/output error"])
        del self.failing.failures[one]
        self.assertEqual(len(self.project("foo").files), 2)
        self.assertEqual(
            sorted(self.actions()),
            ["add py3 file " + other, "add source file " + one, "create", "new release"],
        )

    def test_fault_b1_file_that_nobody_may_read(self) -> None:
        """One that was put there by hand is left out, and named once; it is in a minute after that ends."""
        one, other = self.publish(sdist("foo", "1.0")), self.publish(wheel("foo", "1.0"))
        self.failing.unrecorded.add(one)
        self.failing.failures[one] = StorageUnavailable("Permission denied", lasting=True)
        self.assertEqual(self.news("foo"), ["create", "new release", f"add py3 file {other}"])
        self.assertEqual(self.only_file().filename, other)
        tried = len(self.failing.tried)
        self.project("foo")
        self.assertEqual(len(self.failing.tried), tried)
        self.pass_time(SWEEP)
        self.assertEqual(self.lines, [f"{one} is not listed: Permission denied"])
        del self.failing.failures[one]
        self.pass_time(SWEEP)
        self.assertEqual(len(self.project("foo").files), 2)
        self.assertEqual(self.actions()[3:], [f"add source file {one}"])

    def test_fault_b1_published_file_that_nobody_may_read(self) -> None:
        """One that was published here is never left out: without it, its project is not known."""
        one = self.publish(sdist("foo", "1.0"))
        self.failing.failures[one] = StorageUnavailable("Permission denied", lasting=True)
        self.failure(self.catalog.project("foo"), StorageUnavailable)

    def test_fault_b1_project_that_nobody_may_read(self) -> None:
        """A page is not empty because all is left out that would be on it."""
        one = self.publish(sdist("foo", "1.0"))
        self.failing.unrecorded.add(one)
        self.failing.failures[one] = StorageUnavailable("Permission denied", lasting=True)
        self.failure(self.catalog.project("foo"), StorageUnavailable)
        del self.failing.failures[one]
        self.assertEqual(self.only_file().filename, one)

    def test_fault_b1_known_file_that_cannot_be_read(self) -> None:
        """It stays as it was known, and nothing is told of it, whatever the reason; then it is read again."""
        for number, error in enumerate(
            (
                StorageUnavailable("Input/output error"),
                StorageUnavailable("Permission denied", lasting=True),
                NotFound("there is no such file"),
            )
        ):
            name = f"foo-{number}"
            filename, data = sdist(name, "1.0")
            one, other = self.publish((filename, data)), self.publish(wheel(name, "1.0"))
            self.failing.unrecorded.update((one, other))
            before, actions = self.project(name), self.actions()
            self.failing.touched.add(one)
            self.failing.failures[one] = error
            self.catalog.forget(name)
            self.assertEqual(self.project(name), before)
            self.pass_time(SWEEP)
            self.assertEqual(self.project(name), before)
            self.assertEqual(self.actions(), actions)
            self.assertIn(f"{one} is shown as it was when it could be read: {error}", self.lines)
            del self.failing.failures[one]
            self.pass_time(SWEEP)
            after = self.project(name).file(one)
            assert after is not None
            self.assertNotEqual(after, before.file(one))
            self.assertEqual(after.hashes, {"sha256": sha256(data).hexdigest()})

    def test_other_digest_recorded(self) -> None:
        """A record that holds is believed, also when it says something else than before."""
        one = self.publish(sdist("foo", "1.0"))
        self.project("foo")
        record = evolve(self.record("foo", one), sha256="0" * 64)
        self.result(self.storage.amend("foo", one, record))
        self.assertEqual(self.only_file().hashes, {"sha256": "0" * 64})

    def test_gone_meanwhile(self) -> None:
        """A file that is gone when it is to be read is not listed."""
        one = self.publish(sdist("foo", "1.0"))
        self.failing.failures[one] = NotFound("there is no such file")
        self.assertEqual(self.project("foo").files, ())

    def test_project_that_cannot_be_listed(self) -> None:
        """It fails alone, and is named."""
        self.publish(sdist("foo", "1.0"))
        self.publish(sdist("bar", "1.0"))

        def project(storage: MemoryStorage, name: str) -> object:
            if name == "foo":
                raise StorageUnavailable("Input/output error")
            return listed(storage, name)

        listed = MemoryStorage.project
        self.patch(MemoryStorage, "project", project)
        self.failure(self.catalog.project("foo"), StorageUnavailable)
        self.assertEqual(len(self.project("bar").files), 1)
        self.assertEqual(list(self.result(self.catalog.projects())), ["bar", "foo"])
        self.pass_time(SWEEP)
        self.assertIn("foo cannot be looked at: Input/output error", self.lines)
        self.patch(MemoryStorage, "project", listed)
        self.assertEqual(len(self.project("foo").files), 1)
