"""The publishing of a staged file: it becomes visible whole and durably, or not at all.

The order of the system calls is the promise. First the archive and its sidecar files are written to
staging and made durable there. Then the project is locked, and the ``admit`` function decides by its
current state whether the file is admitted. The record, from which a later process learns of an
unfinished publish, becomes durable in staging too. Then the record and the sidecar files are linked
to their final names beside the archive's, and become durable. Only then is the archive linked to its
final name: that is the commit point. A link never replaces a file, so one of several publishers wins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from fcntl import LOCK_EX, flock
from typing import Any

from attrs import define
from twisted.logger import Logger

from pypid.errors import FileExists, InvalidFilename
from pypid.interfaces import Admit
from pypid.model import FileRecord, Publication, StoredProject
from pypid.names import Sidecar, is_name
from pypid.storage.descriptors import is_same, list_names, opened, read_file, status
from pypid.storage.locks import locked_to_publish
from pypid.storage.operations import Operations
from pypid.storage.projects import Projects
from pypid.storage.records import MAX_RECORD, published_as, record_name, to_json
from pypid.storage.replacement import OLD, Replacer
from pypid.storage.tree import Tree

__all__ = ["Publisher"]

# The suffixes of the files in staging that belong to a staged archive.
_RECORD = ".json"
_NEW_PROJECT = ".new"
_SIDECARS = [sidecar.value for sidecar in Sidecar]


@define(eq=False)
class Publisher:
    """Publishes from one staging directory."""

    _staging: int
    _tree: Tree
    _operations: Operations
    _log = Logger()

    @property
    def _projects(self) -> Projects:
        return self._tree.projects

    @property
    def _replacer(self) -> Replacer:
        return Replacer(self._staging, self._operations)

    def publish(self, name: str, file: int, publication: Publication, admit: Admit) -> FileRecord:
        """Publish a staged file, and remove it from staging whatever the outcome. Blocks.

        :param name: its name in staging.
        :param file: its open descriptor.
        :param admit: called with the project once it is locked; its exceptions are raised here.
        :raises FileExists: the name is taken.
        :raises OSError: the file could not be made durable; it is not visible.
        """
        try:
            # The kernel drops the pages that a failed fsync could not write, so fsync is never tried again.
            self._operations.sync(file)
            self._prepare(name, publication)
            with locked_to_publish(self._projects, publication.project, self._operations) as directory:
                before = self._tree.project(publication.project)
                admit(before)
                self._refuse_taken(publication)
                record = _describe(file, publication, before or StoredProject(()))
                self._put(name + _RECORD, to_json(record, publication.project, publication.filename))
                self._operations.sync(self._staging)
                if publication.replaces is None:
                    self._reveal(directory, name, publication)
                else:
                    self._replace(directory, name, publication, record)
        except BaseException:
            undo = self._withdraw if publication.replaces is None else self._restore
            if self._tidy(undo, name, publication.project, publication.filename):
                self.clear(name)
            raise
        self.clear(name)
        return record

    def recover(self, name: str) -> None:
        """Finish or undo a :meth:`publish` during which the process died. Blocks.

        :raises OSError: it cannot be undone.
        """
        try:
            project, filename = published_as(read_file(self._staging, name + _RECORD, MAX_RECORD))
        except (FileNotFoundError, ValueError, InvalidFilename):
            self._recover_project(name)  # it died before it changed anything else
            return
        with self._projects.opened(project) as directory:
            if directory is None or status(directory, filename) is None:
                self._withdraw(name, project, filename)
            else:
                flock(directory, LOCK_EX)
                self._replacer.recover(directory, filename)

    def clear(self, name: str) -> None:
        """Remove a file, and everything that was prepared with it, from staging."""
        for suffix in (_RECORD, *_SIDECARS, _NEW_PROJECT, OLD, ""):
            if status(self._staging, name + suffix) is not None:
                self._tidy(self._operations.unlink, self._staging, name + suffix)

    def _recover_project(self, name: str) -> None:
        """Remove a project that was made for a file of which nothing was published yet."""
        try:
            project = read_file(self._staging, name + _NEW_PROJECT, MAX_RECORD).decode("ascii", "replace")
        except FileNotFoundError:
            return
        if is_name(project):
            self._withdraw_project(name, project)

    def _prepare(self, name: str, publication: Publication) -> None:
        """Write the sidecar files to staging, and the name of the project if it has to be made."""
        for sidecar, data in publication.sidecars.items():
            self._put(sidecar.of(name), data)
        with self._projects.opened(publication.project) as directory:
            if directory is None:
                self._put(name + _NEW_PROJECT, publication.project.encode("ascii"))
                self._operations.sync(self._staging)

    def _put(self, name: str, data: bytes) -> None:
        file = self._operations.create(self._staging, name)
        try:
            self._operations.write(file, data)
            self._operations.sync(file)
        finally:
            os.close(file)

    def _refuse_taken(self, publication: Publication) -> None:
        """Refuse a name that is taken in any mixture of cases: some file systems do not distinguish them.

        :raises FileExists: it is taken.
        """
        for spelling in self._projects.spellings(publication.project):
            with self._projects.opened(spelling) as directory:
                names = set(list_names(directory)) if directory is not None else set()
            if publication.replaces is not None and spelling == publication.project:
                names.discard(publication.filename)
            if publication.filename.casefold() in map(str.casefold, names):
                raise FileExists(f"File already exists: {publication.filename}")

    def _reveal(self, directory: int, name: str, publication: Publication) -> None:
        prepared = {_RECORD, *(sidecar.value for sidecar in publication.sidecars)}
        for beside, staged in _beside(publication.filename):
            with suppress(FileNotFoundError):  # left by a dead publisher, or by a removed file
                self._operations.unlink(directory, beside)
            if staged in prepared:
                self._operations.link(self._staging, name + staged, directory, beside)
        self._operations.sync(directory)
        try:
            self._operations.link(self._staging, name, directory, publication.filename)
        except FileExistsError:  # it was copied in by hand just now
            raise FileExists(f"File already exists: {publication.filename}") from None
        self._operations.sync(directory)

    def _replace(self, directory: int, name: str, publication: Publication, record: FileRecord) -> None:
        filename = publication.filename
        staged = {name: filename, name + _RECORD: record_name(filename)}
        staged |= {sidecar.of(name): sidecar.of(filename) for sidecar in publication.sidecars}
        self._replacer.replace(directory, publication, record, staged)
        self._tidy(self._replacer.tidy, directory, filename)

    def _restore(self, name: str, project: str, filename: str) -> None:
        """Undo :meth:`_replace`, however far it came."""
        with self._projects.opened(project) as directory:
            if directory is not None:
                flock(directory, LOCK_EX)
                self._replacer.restore(directory, filename, name)

    def _withdraw(self, name: str, project: str, filename: str) -> None:
        """Undo :meth:`_reveal`, however far it came, the archive first."""
        with self._projects.opened(project) as directory:
            if directory is None:
                return
            flock(directory, LOCK_EX)
            for final, staged in ((filename, ""), *reversed(_beside(filename))):
                if is_same(status(directory, final), status(self._staging, name + staged)):
                    self._operations.unlink(directory, final)
                    if not staged:  # it must not come back without its sidecars after a power cut
                        self._tidy(self._operations.sync, directory)
            self._withdraw_project(name, project, directory)

    def _withdraw_project(self, name: str, project: str, directory: int | None = None) -> None:
        """Remove the directory of a project if it was made for a staged file, and is empty."""
        with opened(self._projects.simple) as simple:
            if status(self._staging, name + _NEW_PROJECT) is not None:
                with suppress(OSError):  # another publisher may be using it
                    self._operations.rmdir(simple, project)
            if directory is not None:
                self._tidy(self._operations.sync, directory)
            self._tidy(self._operations.sync, simple)

    def _tidy(self, function: Callable[..., None], *args: Any) -> bool:
        """Call a function whose failure changes no outcome; log an error, and return whether it succeeded."""
        try:
            function(*args)
        except OSError as error:
            self._log.error("Cannot clear away a staged file: {error}", error=error)
            return False
        return True


def _describe(file: int, publication: Publication, before: StoredProject) -> FileRecord:
    found = os.fstat(file)
    return FileRecord(
        upload_time=publication.upload_time,
        uploader=publication.uploader,
        size=found.st_size,
        modified_ns=found.st_mtime_ns,
        sha256=publication.sha256,
        founder=before.founder_with(publication),
    )


def _beside(filename: str) -> Sequence[tuple[str, str]]:
    """Return the final names of a file's record and sidecars, each with its suffix in staging."""
    sidecars = [(filename + suffix, suffix) for suffix in _SIDECARS]
    return [(record_name(filename), _RECORD), *sidecars]
