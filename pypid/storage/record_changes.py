"""Changes to the records of files and projects, and the removal of files.

A record is replaced by a whole new one, which is made durable under another name first. So readers
find either the old or the new record, even after a crash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import define
from zope.interface import implementer

from pypid.errors import NotFound
from pypid.interfaces import ILockedProject
from pypid.model import FileRecord, ProjectRecord, StoredProject
from pypid.names import Sidecar
from pypid.storage.failures import translate_errors
from pypid.storage.operations import Operations
from pypid.storage.records import PROJECT_RECORD, project_to_json, record_name, to_json
from pypid.storage.replacement import Replacer
from pypid.storage.tree import Tree

__all__ = ["LockedProject"]


@implementer(ILockedProject)
@define(eq=False)
class LockedProject:
    """Changes a project while the caller holds its lock, by way of one staging directory. Blocks."""

    project: StoredProject
    """The project as it was when it was locked."""
    _name: str
    _staging: int
    _temporary: str
    """A free name in staging."""
    _tree: Tree
    _operations: Operations

    def amend(self, filename: str, record: FileRecord) -> None:
        """Replace a file's record, durably. :raises NotFound: there is no such file."""
        with translate_errors("change a record"), self._holding(filename) as directory:
            self._replace(directory, record_name(filename), to_json(record, self._name, filename))

    def amend_project(self, record: ProjectRecord) -> None:
        """Replace the project's record, durably. :raises NotFound: the project was removed by hand."""
        with translate_errors("change a record"):
            for spelling in self._tree.projects.spellings(self._name):
                with self._tree.projects.opened(spelling) as directory:
                    if directory is not None:
                        self._replace(directory, PROJECT_RECORD, project_to_json(record))
                        return
        raise NotFound(f"there is no project {self._name} here")

    def strip(self, filename: str) -> None:
        """Remove the sidecar files of a file, but not its record. :raises NotFound: there is no such file."""
        with translate_errors("change a record"), self._holding(filename) as directory:
            self._drop(directory, *(sidecar.of(filename) for sidecar in Sidecar))

    def remove(self, filename: str, tombstone: FileRecord) -> None:
        """Remove a file. The new record is the commit point; the rest only clears away.

        :raises NotFound: there is no such file.
        """
        with translate_errors("change a record"), self._holding(filename) as directory:
            self._replace(directory, record_name(filename), to_json(tombstone, self._name, filename))
            self._drop(directory, filename, *(sidecar.of(filename) for sidecar in Sidecar))

    @contextmanager
    def _holding(self, filename: str) -> Iterator[int]:
        """Open the directory of a file, and finish or undo a replacement of it first."""
        with self._tree.holding(self._name, filename) as directory:
            if directory is None:
                raise NotFound("there is no such file")
            Replacer(self._staging, self._operations).recover(directory, filename)
            yield directory

    def _drop(self, directory: int, *names: str) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                self._operations.unlink(directory, name)
        self._operations.sync(directory)

    def _replace(self, directory: int, final: str, data: bytes) -> None:
        try:
            file = self._operations.create(self._staging, self._temporary)
            try:
                self._operations.write(file, data)
                self._operations.sync(file)
            finally:
                os.close(file)
            self._operations.rename(self._staging, self._temporary, directory, final)
        except BaseException:
            with suppress(OSError):
                self._operations.unlink(self._staging, self._temporary)
            raise
        self._operations.sync(directory)
