"""Steps for tests of storages."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import TestCase

from pypid.interfaces import IStorage, IWorkers
from pypid.model import FileRecord, Publication, StoredFile, StoredProject
from pypid.names import Sidecar, parse_filename
from pypid.runtime.workers import InlineWorkers
from pypid.testing.fakes import Synchronous
from pypid.testing.inline import InlineStaged, InlineStorage

__all__ = ["StorageSteps", "now", "publication", "scratch"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the steps alone are not a test case
    _Base = object

T = TypeVar("T")


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return or raise the outcome of a coroutine that does not have to wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome
    raise AssertionError("it had to wait")


def scratch(case: TestCase) -> Path:
    """Return a new directory, which is removed after the test."""
    directory = Path(mkdtemp())
    case.addCleanup(rmtree, directory)
    return directory


def publication(
    filename: str,
    data: bytes,
    metadata: bytes | None = None,
    signature: bytes | None = None,
    provenance: bytes | None = None,
    *,
    replaces: bytes | None = None,
    founder: str | None = None,
) -> Publication:
    """Return a publication such as an index makes after an upload.

    :param replaces: the bytes of the file to replace, if any.
    """
    return Publication(
        project=parse_filename(filename).project,
        filename=filename,
        upload_time=datetime(2026, 11, 20, 12, 34, 56, 789, tzinfo=UTC),
        uploader="alice",
        sha256=sha256(data).hexdigest(),
        metadata=metadata,
        signature=signature,
        provenance=provenance,
        replaces=sha256(replaces).hexdigest() if replaces is not None else None,
        founder=founder,
    )


class StorageSteps(_Base):
    """A test case with a storage, and the common steps of tests."""

    def make_storage(self) -> IStorage:
        """Return the provider under test, empty and not opened yet."""
        raise NotImplementedError

    def make_workers(self) -> IWorkers:
        """Return the workers that call the provider, by default inline workers."""
        return InlineWorkers()

    def setUp(self) -> None:
        """Open the provider; ``self.storage`` calls it in the workers."""
        super().setUp()
        self.storage = InlineStorage(self.make_storage(), self.make_workers())
        self.storage.open()
        self.addCleanup(self.storage.close)

    def stage(self, data: bytes) -> InlineStaged:
        """Stage a file."""
        staging: InlineStaged = self.result(self.storage.stage())
        staging.write(data)
        return staging

    def publish(self, filename: str, data: bytes, *sidecars: bytes | None) -> FileRecord:
        """Publish a file, with sidecar files in the order of :func:`publication`."""
        record: FileRecord = self.result(self.stage(data).publish(publication(filename, data, *sidecars)))
        return record

    def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return the content of a sidecar file; ``None`` if there is none."""
        data: bytes | None = self.result(self.storage.sidecar(project, filename, sidecar))
        return data

    def names(self, project: str) -> Sequence[str] | None:
        """Return the names of a project's files; ``None`` if there is no such project."""
        kept: StoredProject | None = self.result(self.storage.project(project))
        return None if kept is None else [file.filename for file in kept.files]

    def bytes_of(self, project: str, filename: str) -> bytes:
        """Return the bytes of a file."""
        data: bytes = self.result(self.storage.read(project, filename, lambda file: file.read()))
        return data

    def files(self, project: str) -> Sequence[StoredFile]:
        """Return the files of a project that exists."""
        kept: StoredProject | None = self.result(self.storage.project(project))
        assert kept is not None
        return kept.files
