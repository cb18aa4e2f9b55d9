"""Steps for tests of catalogs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import evolve

from pypid.interfaces import ICatalog
from pypid.model import Change, FileRecord, Project, Publication
from pypid.names import parse_filename
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.fakes import Synchronous
from pypid.testing.inline import InlineStorage

__all__ = ["BEGIN", "CatalogSteps"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the steps alone are not a test case
    _Base = object

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)


class CatalogSteps(_Base):
    """A test case with a storage, a catalog of it, and the common steps of tests."""

    def make_storage(self) -> InlineStorage:
        """Return the storage."""
        return InlineStorage(MemoryStorage())

    def make_catalog(self, storage: ThreadedStorage) -> ICatalog:
        """Return the provider under test, not opened yet, with inline workers."""
        raise NotImplementedError

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the provider under test."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Open storage and provider."""
        super().setUp()
        self.time = BEGIN
        self.storage = self.make_storage()
        self.storage.open()
        self.addCleanup(self.storage.close)
        self.catalog = self.open_catalog()

    def open_catalog(self) -> ICatalog:
        """Open another catalog of the storage."""
        catalog = self.make_catalog(self.storage)
        catalog.open()
        self.pass_time(0)
        self.addCleanup(catalog.close)
        return catalog

    def publish(
        self,
        build: tuple[str, bytes],
        hours: int = 1,
        *,
        signature: bytes | None = None,
        provenance: bytes | None = None,
        replaces: bytes | None = None,
        founder: str | None = None,
    ) -> str:
        """Publish a file, and return its name.

        :param hours: the time since the publication before.
        :param replaces: the bytes of the file to replace, if any.
        """
        filename, data = build
        self.time += timedelta(hours=hours)
        staging = self.result(self.storage.stage())
        staging.write(data)
        digest = sha256(data).hexdigest()
        project = parse_filename(filename).project
        replaced = sha256(replaces).hexdigest() if replaces is not None else None
        said = Publication(
            project, filename, self.time, "alice", digest, None, signature, provenance, replaced, founder
        )
        self.result(staging.publish(said))
        return filename

    def record(self, name: str, filename: str) -> FileRecord:
        """Return the record of a file that exists."""
        stored = self.result(self.storage.project(name))
        assert stored is not None
        [record] = [file.record for file in stored.files if file.filename == filename]
        assert record is not None
        return record

    def yank(self, name: str, filename: str, reason: str | None) -> None:
        """Yank a file, or un-yank it, in the storage."""
        record = evolve(self.record(name, filename), yanked=reason)
        self.result(self.storage.amend(name, filename, record))

    def remove(self, name: str, filename: str) -> None:
        """Remove a file from the storage."""
        tombstone = evolve(self.record(name, filename), removed=self.time)
        self.result(self.storage.remove(name, filename, tombstone))

    def project(self, name: str) -> Project:
        """Return a project that exists, from the catalog."""
        project: Project | None = self.result(self.catalog.project(name))
        assert project is not None
        return project

    def changes(self, since: int = 0, limit: int = 1000) -> Sequence[Change]:
        """Return a part of the journal."""
        changes: Sequence[Change] = self.result(self.catalog.changes(since, limit))
        return changes

    def last_serial(self) -> int:
        """Return the last serial."""
        serial: int = self.result(self.catalog.last_serial())
        return serial

    def news(self, name: str) -> list[str]:
        """Look a project up, check the serials, and return the actions that this added to the journal."""
        before = self.last_serial()
        project = self.result(self.catalog.project(name))
        changes = self.changes(before)
        serials = [change.serial for change in changes]
        self.assertEqual(serials, sorted(set(serials)))
        self.assertEqual(self.last_serial(), max([before, *serials]))
        if changes:
            self.assertEqual({change.project for change in changes}, {name})
            self.assertGreater(serials[0], before)
        if changes and project is not None:
            self.assertEqual(project.serial, serials[-1])
            self.assertEqual(self.result(self.catalog.projects())[name], serials[-1])
        return [change.action for change in changes]
