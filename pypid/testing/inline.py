"""A storage for tests, with inline workers, and with shortcuts that an index must not take."""

from __future__ import annotations

from pypid.interfaces import Admit, IStorage, IWorkers
from pypid.model import FileRecord, ProjectRecord, Publication, StoredProject
from pypid.runtime.threaded_storage import StagedFile, ThreadedStorage
from pypid.runtime.workers import InlineWorkers

__all__ = ["InlineStaged", "InlineStorage", "admit_all"]


def admit_all(_project: StoredProject | None) -> None:
    """Admit everything."""


class InlineStaged(StagedFile):
    """A staged file that may be published without an admission check."""

    async def publish(self, publication: Publication, admit: Admit = admit_all) -> FileRecord:
        """Make the file visible under its name."""
        return await super().publish(publication, admit)


class InlineStorage(ThreadedStorage):
    """A storage with a method for each single change."""

    def __init__(self, blocking: IStorage, workers: IWorkers | None = None) -> None:
        """Run a blocking storage in workers, inline ones by default."""
        workers = workers or InlineWorkers()
        super().__init__(blocking, workers, workers)

    async def stage(self) -> InlineStaged:
        """Return a new staged file."""
        staged = await super().stage()
        return InlineStaged(staged.blocking, self._changing)

    async def amend(self, project: str, filename: str, record: FileRecord) -> None:
        """Replace the record of a file unconditionally."""

        def change(storage: IStorage) -> None:
            with storage.changing(project) as locked:
                locked.amend(filename, record)

        await self.change(change)

    async def amend_project(self, project: str, record: ProjectRecord) -> None:
        """Replace the record of a project unconditionally."""

        def change(storage: IStorage) -> None:
            with storage.changing(project) as locked:
                locked.amend_project(record)

        await self.change(change)

    async def remove(self, project: str, filename: str, tombstone: FileRecord) -> None:
        """Remove a file unconditionally."""

        def change(storage: IStorage) -> None:
            with storage.changing(project) as locked:
                locked.remove(filename, tombstone)

        await self.change(change)
