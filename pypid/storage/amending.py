"""Changing what is recorded of files and projects, and removing files.

A record is replaced by a whole new one that was made durable under another name before. So
whoever reads it, and whatever dies, it is either the old one or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock

from attrs import define

from pypid.errors import NotFound
from pypid.model import ProjectRecord, Record
from pypid.names import Companion
from pypid.storage.operations import Operations
from pypid.storage.records import PROJECT_RECORD, project_to_json, record_name, to_json
from pypid.storage.replacing import Replacer
from pypid.storage.tree import Tree

__all__ = ["Amender"]


@define(eq=False)
class Amender:
    """Changes records by way of one staging directory; all of it blocks."""

    _staging: int
    _tree: Tree
    _operations: Operations

    def amend(self, name: str, project: str, filename: str, record: Record) -> None:
        """Replace a file's record.

        :param name: a name in staging that nothing has.
        :raises NotFound: there is no such file.
        """
        with self._locked(project, filename) as directory:
            self._replace(name, directory, record_name(filename), to_json(record, project, filename))

    def amend_project(self, name: str, project: str, record: ProjectRecord) -> None:
        """Replace a project's record. :raises NotFound: there is no such project."""
        for spelling in self._tree.projects.spellings(project):
            with self._tree.projects.opened(spelling) as directory:
                if directory is not None:
                    flock(directory, LOCK_EX)
                    self._replace(name, directory, PROJECT_RECORD, project_to_json(record))
                    return
        raise NotFound(f"there is no project {project}")

    def remove(self, name: str, project: str, filename: str, tombstone: Record) -> None:
        """Remove a file. The replacing of its record decides; what comes after only clears away.

        :raises NotFound: there is no such file.
        """
        with self._locked(project, filename) as directory:
            self._replace(name, directory, record_name(filename), to_json(tombstone, project, filename))
            for gone in (filename, *(companion.of(filename) for companion in Companion)):
                with suppress(FileNotFoundError):
                    self._operations.unlink(directory, gone)
            self._operations.sync(directory)

    @contextmanager
    def _locked(self, project: str, filename: str) -> Iterator[int]:
        """Open the directory that a file is in, for one change at a time."""
        with self._tree.holding(project, filename) as directory:
            if directory is None:
                raise NotFound("there is no such file")
            flock(directory, LOCK_EX)
            Replacer(self._staging, self._operations).settle(directory, filename)
            yield directory

    def _replace(self, name: str, directory: int, final: str, data: bytes) -> None:
        try:
            file = self._operations.create(self._staging, name)
            try:
                self._operations.write(file, data)
                self._operations.sync(file)
            finally:
                os.close(file)
            self._operations.rename(self._staging, name, directory, final)
        except BaseException:
            with suppress(OSError):
                self._operations.unlink(self._staging, name)
            raise
        self._operations.sync(directory)
