"""The directory tree ``simple/<project>/<file>``, read as it stands.

Anybody with write access may have put anything there. So names are validated before they become
paths, and symbolic links are neither listed nor followed.

Something unreadable or damaged does not count as absent: the state of the project is unknown then, and
the log says why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EBADMSG
from stat import S_ISREG
from typing import BinaryIO, TypeVar

from attrs import define, evolve, field

from pypid.errors import InvalidFilename, NotFound
from pypid.model import FileRecord, ProjectRecord, StoredFile, StoredProject
from pypid.names import Sidecar, parse_filename
from pypid.storage.change_detector import ChangeDetector, never_equal
from pypid.storage.descriptors import is_same, list_names, open_file, read_file, status
from pypid.storage.projects import Projects
from pypid.storage.records import (
    MAX_RECORD,
    PROJECT_RECORD,
    final_name,
    from_json,
    pending_name,
    pending_removal_name,
    project_from_json,
    record_name,
    recorded_file,
)
from pypid.storage.vacancy import Vacancies, is_of_project
from pypid.storage.warn_once import WarnOnce

__all__ = ["Tree"]

T = TypeVar("T")

_LISTED = (Sidecar.SIGNATURE, Sidecar.PROVENANCE)
"""Sidecar files that the listing mentions."""


@define(eq=False)
class Tree:
    """Lists and opens the files of projects. All methods block; any thread may call them."""

    projects: Projects
    """Their directories."""
    _detector: ChangeDetector
    _warnings: WarnOnce
    _unsettled: dict[str, Hashable] = field(factory=dict, init=False)
    _vacancies: Vacancies = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._vacancies = Vacancies(self.projects, self._detector, self._warnings)

    def fingerprint(self, project: str | None) -> Hashable:
        """Return a value that differs whenever a project, or the list of projects, may have changed."""
        stamp = self.projects.stamp(project)
        # Bytes that are still being written do not change the stamp of their directory.
        return (stamp, self._unsettled.get(project)) if project else (stamp, self._vacancies.stamp())

    def names(self) -> Sequence[str]:
        """Return the normalized names of all projects, sorted.

        :raises StorageUnavailable: they cannot be listed, which does not mean that there are none.
        """
        with self._reading():
            return self._vacancies.without_vacant(self.projects.names())

    def project(self, project: str) -> StoredProject | None:
        """Return the files and records of a project, or ``None`` if it has no directory, or an empty one.

        :raises StorageUnavailable: a part of it cannot be read, or is damaged.
        """
        files: dict[str, StoredFile] = {}
        tombstones: dict[str, FileRecord] = {}
        record: ProjectRecord | None = None
        exists = False
        with self._reading(project):
            for spelling in self.projects.spellings(project):
                with self.projects.opened(spelling) as directory, self._located(spelling):
                    if directory is None:
                        continue
                    record = record or self._project_record(directory)
                    names = list_names(directory)
                    files = {file.filename: file for file in self._list(directory, project, names)} | files
                    records = {recorded_file(name) for name in names} - files.keys()
                    tombstones = dict(self._tombstones(directory, project, records)) | tombstones
                    exists = exists or any(is_of_project(project, name) for name in names)
            if not exists:
                self.projects.confirm()
        self._vacancies.update(project, vacant=not exists)
        if not exists:
            return None
        gone = {filename: tombstones[filename] for filename in sorted(tombstones.keys() - files.keys())}
        return StoredProject(tuple(files[name] for name in sorted(files)), record or ProjectRecord(), gone)

    def open(self, project: str, filename: str) -> BinaryIO:
        """Open a file for reading.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: it cannot be read, or its presence is unknown.
        """
        _validate(project, filename)
        with self._reading(project, filename), self.holding(project, filename) as directory:
            if directory is not None:
                with suppress(FileNotFoundError):  # it may be removed just now
                    return open_file(directory, filename)
        raise NotFound("there is no such file")

    def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call a function with an open file, and return its result. The errors are those of :meth:`open`."""
        with self.open(project, filename) as file, self._reading(project, filename):
            return function(file)

    def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return a sidecar file, or ``None`` if there is none.

        :raises NotFound: no file can have this name.
        :raises StorageUnavailable: it cannot be read.
        """
        _validate(project, filename)
        with self._reading(project, sidecar.of(filename)), self.holding(project, filename) as directory:
            file = self._stored(directory, project, filename) if directory is not None else None
            if directory is None or file is None:
                return None
            for name in self._beside(directory, file, sidecar):
                with suppress(FileNotFoundError), open_file(directory, name) as kept:
                    return kept.read()
            return None

    @contextmanager
    def holding(self, project: str, filename: str) -> Iterator[int | None]:
        """Open the directory of a file for the block; ``None`` if there is no such file.

        :raises OSError: the directory cannot be read.
        """
        for spelling in self.projects.spellings(project):
            with self.projects.opened(spelling) as directory:
                if directory is None:
                    continue
                with self._located(spelling):
                    found = self._stored(directory, project, filename)
                if found is not None:
                    yield directory
                    return
        yield None

    @contextmanager
    def _located(self, spelling: str) -> Iterator[None]:
        """Add the path of the directory to errors about bare names."""
        try:
            yield
        except OSError as error:
            error.filename = os.path.join(self.projects.simple, spelling, error.filename or "")  # noqa: PTH118
            raise

    @contextmanager
    def _reading(self, *names: str) -> Iterator[None]:
        """Log that something cannot be read, or that it can be read again.

        :param names: a project, or a project and a file; none for the list of projects.
        :raises StorageUnavailable: it cannot be read.
        """
        what = "/".join(names) or "the list of projects"
        try:
            yield
        except OSError as error:
            path = os.path.join(self.projects.simple, *names[:1], error.filename or "")  # noqa: PTH118
            raise self._warnings.unreadable(what, path, error) from error
        self._warnings.readable(what)

    def _list(self, directory: int, project: str, names: Sequence[str]) -> Iterator[StoredFile]:
        listed, beside = frozenset(names), set(map(final_name, names))
        for name in names:
            if not _is_filename(project, name):
                continue
            file = self._stored(directory, project, name, listed)
            if file is not None:
                if not beside.isdisjoint(sidecar.of(name) for sidecar in _LISTED):
                    file = self._accompanied(directory, project, file)
                yield file

    def _accompanied(self, directory: int, project: str, file: StoredFile) -> StoredFile:
        """Return a listed file with the facts about its signature and provenance added."""
        signature, provenance = (self._found(directory, file, sidecar) for sidecar in _LISTED)
        signed = signature is not None
        if provenance is None:
            return evolve(file, signed=signed)
        if not self._detector.is_settled(provenance):
            self._unsettled[project] = never_equal()
        stamp = f"{provenance.st_size} {provenance.st_mtime_ns} {provenance.st_ino}"
        return evolve(file, signed=signed, provenance=stamp)

    def _found(self, directory: int, file: StoredFile, sidecar: Sidecar) -> os.stat_result | None:
        """Return the ``stat`` of a sidecar file, or ``None`` if there is none."""
        for name in self._beside(directory, file, sidecar):
            found = status(directory, name)
            if found is not None and S_ISREG(found.st_mode):
                return found
        return None

    def _beside(self, directory: int, file: StoredFile, sidecar: Sidecar) -> Sequence[str]:
        """Return the possible names of a sidecar file, in the order of search."""
        name = sidecar.of(file.filename)
        coming = self._record(directory, pending_name(record_name(file.filename)))
        if coming is None or coming != file.record:
            return [name]
        # The file has replaced another one, and the pending names are not tidied up yet.
        is_going = status(directory, pending_removal_name(name)) is not None
        return [] if is_going else [pending_name(name), name]

    def _tombstones(
        self, directory: int, project: str, filenames: Iterable[str | None]
    ) -> Iterator[tuple[str, FileRecord]]:
        for filename in filenames:
            if filename is not None and _is_filename(project, filename):
                record = self._record(directory, record_name(filename))
                if record is not None and record.removed is not None:
                    yield filename, record

    def _project_record(self, directory: int) -> ProjectRecord | None:
        try:
            return project_from_json(read_file(directory, PROJECT_RECORD, MAX_RECORD))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise _damaged(PROJECT_RECORD, error) from error

    def _stored(
        self, directory: int, project: str, filename: str, listed: Container[str] | None = None
    ) -> StoredFile | None:
        """Return a file with its record, or ``None`` if it is not served.

        :param listed: the names in the directory, if known; a record that is not among them is not opened.
        """
        found = status(directory, filename)
        if found is None:
            return None
        if not S_ISREG(found.st_mode):
            self._warnings.passed_over(f"{project}/{filename}", "only regular files are served")
            return None
        record = self._record(directory, record_name(filename), listed)
        file = StoredFile(filename, found.st_size, found.st_mtime_ns, found.st_ino, record)
        if not file.untouched:
            record = self._record(directory, pending_name(record_name(filename)), listed)
            coming = evolve(file, record=record) if record is not None else None
            if coming is not None and coming.untouched:
                file = coming
            elif not is_same(found, status(directory, filename)) or file.record != self._record(
                directory, record_name(filename)
            ):
                # It was replaced, or a replacement was tidied up, during this call.
                return self._stored(directory, project, filename)
        record = file.record
        if file.untouched and record is not None and record.removed is not None:
            return None  # its removal was interrupted before the last step
        if not file.untouched and not self._detector.is_settled(found):
            self._unsettled[project] = never_equal()
        return file

    def _record(self, directory: int, name: str, listed: Container[str] | None = None) -> FileRecord | None:
        if listed is not None and name not in listed:
            return None
        try:
            return from_json(read_file(directory, name, MAX_RECORD))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise _damaged(name, error) from error


def _damaged(name: str, error: ValueError) -> OSError:
    """Return the error for a damaged record: its information is unknown, not absent."""
    return OSError(EBADMSG, f"it is no record: {error}", name)


def _is_filename(project: str, filename: str) -> bool:
    try:
        parse_filename(filename, project)
    except InvalidFilename:
        return False
    return True


def _validate(project: str, filename: str) -> None:
    """Check that the names may become a path. :raises NotFound: they may not."""
    if not _is_filename(project, filename):
        raise NotFound("there is no such file")
