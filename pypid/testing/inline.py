"""A storage for tests: its workers work at once, and it takes shortcuts that an index must not take."""

from __future__ import annotations

from pypid.interfaces import Admit, IStorage, IWorkers
from pypid.model import FileRecord, ProjectRecord, Publication, StoredProject
from pypid.runtime.threaded_storage import StagedFile, ThreadedStorage
from pypid.runtime.workers import InlineWorkers

__all__ = ["InlineStaged", "InlineStorage", "admit_all"]


def admit_all(_project: StoredProject | None) -> None:
    """Admit everything."""


class InlineStaged(StagedFile):
    """A staged file that may be published without asking anybody."""

    async def publish(self, publication: Publication, admit: Admit = admit_all) -> FileRecord:
        """Make the file visible under its name."""
        return await super().publish(publication, admit)


class InlineStorage(ThreadedStorage):
    """A storage that is changed by one call for one change."""

    def __init__(self, blocking: IStorage, workers: IWorkers | None = None) -> None:
        """Give a storage workers; unless others are given, they work at once."""
        workers = workers or InlineWorkers()
        super().__init__(blocking, workers, workers)

    async def stage(self) -> InlineStaged:
        """Begin to receive a file."""
        staged = await super().stage()
        return InlineStaged(staged.blocking, self._changing)

    async def amend(self, project: str, filename: str, record: FileRecord) -> None:
        """Replace the record of a file, whatever it is now."""

        def change(storage: IStorage) -> None:
            with storage.changing(project) as locked:
                locked.amend(filename, record)

        await self.change(change)

    async def amend_project(self, project: str, record: ProjectRecord) -> None:
        """Replace the record of a project, whatever it is now."""

        def change(storage: IStorage) -> None:
            with storage.changing(project) as locked:
                locked.amend_project(record)

        await self.change(change)

    async def remove(self, project: str, filename: str, tombstone: FileRecord) -> None:
        """Remove a file, whatever it is now."""

        def change(storage: IStorage) -> None:
            with storage.changing(project) as locked:
                locked.remove(filename, tombstone)

        await self.change(change)
