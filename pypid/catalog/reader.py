"""The reading of files, for the facts on pages that only their bytes tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from attrs import define, evolve, field
from twisted.logger import Logger

from pypid.catalog.descriptions import Described, Undescribed, describe, describe_all, describe_content
from pypid.catalog.rows import WITHHELD, Description, Row
from pypid.errors import NotFound, StorageUnavailable
from pypid.interfaces import IStorage
from pypid.model import StoredFile
from pypid.names import Sidecar, parse_filename
from pypid.runtime.worker_processes import WorkerProcesses

__all__ = ["LARGE", "Reader"]

LARGE = 256 * 1024
"""The least size, in bytes, of files that are never read whole into memory."""

Reading = Description | NotFound | StorageUnavailable
"""The description of a file, or the error if it cannot be read now."""


@define(eq=False)
class Reader:
    """Reads files of a storage, and logs each fault of a file once. For workers' threads."""

    _processes: WorkerProcesses | None = None
    """Where many files are described; without them, in the thread that reads the files."""
    _warned: set[tuple[str, StoredFile, str]] = field(factory=set, init=False)
    _log = Logger()

    def read(
        self, storage: IStorage, files: Sequence[tuple[str, StoredFile]], *, in_processes: bool
    ) -> Iterator[Reading]:
        """Yield what was read of each of some files of projects, in their order. Blocks.

        :param in_processes: whether their bytes are described in worker processes, a piece at a time.
            That is faster for many files, and leaves the interpreter to the reactor.
        """
        processes = self._processes if in_processes else None
        if processes is None:
            for project, stored in files:
                taken = self._take(storage, project, stored, describe)
                if isinstance(taken, Undescribed):
                    taken = describe_content(taken)
                yield self._reading(project, stored, taken)
            return
        all_taken = [self._take(storage, *file, partial(processes.call, describe)) for file in files]
        undescribed = [taken for taken in all_taken if isinstance(taken, Undescribed)]
        try:
            described = iter(processes.compute(describe_all, undescribed) if undescribed else ())
        except StorageUnavailable:  # it was killed twice: perhaps one of these archives is to blame
            described = iter(map(describe_content, undescribed))
        for (project, stored), taken in zip(files, all_taken, strict=True):
            yield self._reading(project, stored, next(described) if isinstance(taken, Undescribed) else taken)

    def _take(
        self,
        storage: IStorage,
        project: str,
        stored: StoredFile,
        describe_large: Callable[[BinaryIO, Undescribed], Described],
    ) -> Undescribed | Described | NotFound | StorageUnavailable:
        """Return a file with its bytes, or its description if it is large, or the error."""
        try:
            metadata = provenance = None
            if stored.untouched:
                with suppress(StorageUnavailable):  # the archive has it, too
                    metadata = storage.sidecar(project, stored.filename, Sidecar.METADATA)
            if stored.provenance is not None:
                provenance = storage.sidecar(project, stored.filename, Sidecar.PROVENANCE)
            record = stored.record if stored.untouched else None
            about = Undescribed(
                parse_filename(stored.filename, project),
                record.sha256 if record is not None else None,
                metadata,
                provenance,
            )

            def take(file: BinaryIO) -> Undescribed | Described:
                if about.sha256 is not None and about.metadata is not None:
                    return about  # that it can be read is all that its bytes would tell
                if stored.size < LARGE:
                    content = file.read(LARGE)
                    if len(content) < LARGE:  # it has not grown
                        return evolve(about, content=content)
                    file.seek(0)
                return describe_large(file, about)

            return storage.read(project, stored.filename, take)
        except (NotFound, StorageUnavailable) as error:
            return error

    def _reading(
        self, project: str, stored: StoredFile, taken: Described | NotFound | StorageUnavailable
    ) -> Reading:
        """Return what was read of a file, and log its faults."""
        if isinstance(taken, NotFound | StorageUnavailable):
            return taken
        description, faults = taken
        for text, error in faults:
            self.name(project, stored, text, error)
        return description

    def name(self, project: str, stored: StoredFile, text: str, error: Exception | None = None) -> None:
        """Log a fault of a file, once for each version of the file."""
        if (project, stored, text) not in self._warned:
            self._warned.add((project, stored, text))
            self._log.warn(text, file=stored.filename, error=str(error))

    def name_withheld(self, project: str, stored: StoredFile, row: Row) -> None:
        """Log that the bytes of a file are not the published ones, once for each version of the file."""
        if stored.record is None or row.description is None or (project, stored, WITHHELD) in self._warned:
            return
        self._warned.add((project, stored, WITHHELD))
        self._log.error(
            "{file} is withheld: its bytes were changed on disk. It was published with the SHA-256 digest"
            " {old}, and has {new} now. Copy the right file back, or see `pypid accept --help`",
            file=stored.filename,
            old=stored.record.sha256,
            new=row.description.sha256,
        )
