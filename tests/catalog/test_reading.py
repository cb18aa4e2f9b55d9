"""Tests for :mod:`pypid.catalog.reading`: what pages say of odd files."""

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
from pypid.interfaces import ICatalog, IStorage
from pypid.model import File
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalogsteps import CatalogSteps
from pypid.testing.fakes import InlineWorkers, Synchronous

T = TypeVar("T")


class FailingStorage(MemoryStorage):
    """Fails to read some files, and counts how often it was tried."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[str, Exception] = {}
        self.tried: list[str] = []

    async def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        self.tried.append(filename)
        if filename in self.failures:
            raise self.failures[filename]
        return await super().read(project, filename, function)


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

    storage: FailingStorage

    def setUp(self) -> None:
        self.clock = Clock()
        super().setUp()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("pypid.catalog"):
            self.lines.append(event["log_format"].format(**event))

    def make_storage(self) -> IStorage:
        return FailingStorage()

    def make_catalog(self, storage: IStorage) -> ICatalog:
        return SqliteCatalog(storage, None, InlineWorkers(), self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

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
        self.assertEqual(len(self.storage.tried), 2)

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

    def test_unreadable(self) -> None:
        """A file that cannot be read is not listed, and named once; a minute after it can be, it is."""
        one, other = self.publish(sdist("foo", "1.0")), self.publish(wheel("foo", "1.0"))
        self.storage.failures[one] = StorageUnavailable("Input/output error")
        self.assertEqual(self.news("foo"), ["create", "new release", f"add py3 file {other}"])
        self.assertEqual(self.only_file().filename, other)
        tried = len(self.storage.tried)
        self.project("foo")
        self.assertEqual(len(self.storage.tried), tried)
        self.pass_time(SWEEP)
        self.assertEqual(self.lines, [f"{one} is not listed: Input/output error"])
        del self.storage.failures[one]
        self.pass_time(SWEEP)
        self.assertEqual(len(self.project("foo").files), 2)
        self.assertEqual([change.action for change in self.changes()][3:], [f"add source file {one}"])

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
        self.storage.failures[one] = NotFound("there is no such file")
        self.assertEqual(self.project("foo").files, ())

    def test_project_that_cannot_be_listed(self) -> None:
        """It fails alone, and is named."""
        self.publish(sdist("foo", "1.0"))
        self.publish(sdist("bar", "1.0"))

        async def project(storage: MemoryStorage, name: str) -> object:
            if name == "foo":
                raise StorageUnavailable("Input/output error")
            return await listed(storage, name)

        listed = MemoryStorage.project
        self.patch(MemoryStorage, "project", project)
        self.failure(self.catalog.project("foo"), StorageUnavailable)
        self.assertEqual(len(self.project("bar").files), 1)
        self.assertEqual(list(self.result(self.catalog.projects())), ["bar", "foo"])
        self.pass_time(SWEEP)
        self.assertIn("foo cannot be looked at: Input/output error", self.lines)
        self.patch(MemoryStorage, "project", listed)
        self.assertEqual(len(self.project("foo").files), 1)
