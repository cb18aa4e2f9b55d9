"""Files in memory, for tests and for trying things out."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from itertools import count
from threading import Lock
from typing import BinaryIO, TypeVar

from attrs import define, evolve, field, frozen
from zope.interface import implementer

from pypid.errors import FileExists, InvalidFilename, NotFound, StorageUnavailable
from pypid.interfaces import Admit, ILockedProject, IOpenFile, IStaging, IStorage
from pypid.model import FileRecord, ProjectRecord, Publication, StoredFile, StoredProject
from pypid.names import Sidecar, parse_filename

__all__ = ["MemoryFile", "MemoryStaging", "MemoryStorage"]

T = TypeVar("T")


@frozen
class _File:
    """A file with its sidecar files."""

    stored: StoredFile
    data: bytes
    sidecars: Mapping[Sidecar, bytes]


@frozen
class _Project:
    """The whole state of a project. It is immutable; a change replaces it."""

    files: Mapping[str, _File] = field(factory=dict)
    record: ProjectRecord = field(factory=ProjectRecord)
    tombstones: Mapping[str, FileRecord] = field(factory=dict)

    @property
    def stored(self) -> StoredProject:
        """The project as the storage lists it."""
        files = tuple(self.files[name].stored for name in sorted(self.files))
        return StoredProject(files, self.record, self.tombstones)

    def file(self, filename: str) -> _File:
        """Return a file. :raises NotFound: there is no file of that name."""
        if filename not in self.files:
            raise NotFound("there is no such file")
        return self.files[filename]


@implementer(IStorage)
@define(eq=False)
class MemoryStorage:
    """Keeps all the promises of a storage except durability. Any thread may call it."""

    _projects: dict[str, _Project] = field(factory=dict, init=False)
    _changes: dict[str | None, int] = field(factory=dict, init=False)
    _numbers: count[int] = field(factory=count, init=False)
    _locks: dict[str, Lock] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def open(self) -> None:
        """Do nothing: memory needs no preparation."""

    def close(self) -> None:
        """Forget everything."""
        self._projects.clear()

    def fingerprint(self, project: str | None) -> Hashable:
        """Return a value that differs whenever a project, or the list of projects, has changed."""
        return self._changes.get(project, 0)

    def misplaced(self) -> Sequence[str]:
        """Return nothing: nobody can put files into memory by hand."""
        return ()

    def moved(self, projects: Sequence[str]) -> Sequence[str]:
        """Return all projects: taking a fingerprint costs nothing here."""
        return projects

    def projects(self) -> Sequence[str]:
        """Return the normalized names of all projects, sorted."""
        return sorted(self._projects.copy())

    def project(self, name: str) -> StoredProject | None:
        """Return the files and records of a project, or ``None`` if there is no such project."""
        state = self._projects.get(name)
        return state.stored if state is not None else None

    def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call a function with a file and return its result. :raises NotFound: there is no such file."""
        return function(BytesIO(self._projects.get(project, _Project()).file(filename).data))

    def open_file(self, project: str, filename: str) -> IOpenFile:
        """Open a distribution file for sending. :raises NotFound: there is no file of that name."""
        file = self._projects.get(project, _Project()).file(filename)
        return MemoryFile(file.data, file.stored.modified_ns)

    def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return a sidecar file, or ``None``. :raises NotFound: the file name is invalid."""
        try:
            parse_filename(filename, project)
        except InvalidFilename:
            raise NotFound("there is no such file") from None
        file = self._projects.get(project, _Project()).files.get(filename)
        return file.sidecars.get(sidecar) if file is not None else None

    def stage(self) -> IStaging:
        """Begin to receive a file."""
        return MemoryStaging(self._publish)

    @contextmanager
    def changing(self, project: str) -> Iterator[ILockedProject]:
        """Lock a project against other changes. Blocks. :raises NotFound: there is no such project."""
        with self._locks.setdefault(project, Lock()):
            state = self._projects.get(project)
            if state is None:
                raise NotFound(f"there is no project {project} here")
            yield _LockedProject(state.stored, project, self)

    def _get(self, project: str) -> _Project:
        return self._projects[project]

    def _set(self, project: str, state: _Project) -> None:
        """Replace the state of a project, and change the fingerprints."""
        with self._lock:
            is_new = project not in self._projects
            self._projects[project] = state
            for changed in (project, None) if is_new else (project,):
                self._changes[changed] = self._changes.get(changed, 0) + 1

    def _publish(self, data: bytes, publication: Publication, admit: Admit) -> FileRecord:
        parse_filename(publication.filename, publication.project)
        with self._locks.setdefault(publication.project, Lock()):
            before = self._projects.get(publication.project)
            admit(before.stored if before is not None else None)
            state = before or _Project()
            _refuse_taken(state, publication)
            record = FileRecord(
                upload_time=publication.upload_time,
                uploader=publication.uploader,
                size=len(data),
                modified_ns=time.time_ns(),
                sha256=publication.sha256,
                founder=state.stored.founder_with(publication),
            )
            identity, sidecars = next(self._numbers), publication.sidecars
            stored = StoredFile(
                publication.filename,
                record.size,
                record.modified_ns,
                identity,
                record,
                signed=Sidecar.SIGNATURE in sidecars,
                provenance=str(identity) if Sidecar.PROVENANCE in sidecars else None,
            )
            files = {**state.files, publication.filename: _File(stored, data, sidecars)}
            tombstones = {name: one for name, one in state.tombstones.items() if name != publication.filename}
            self._set(publication.project, evolve(state, files=files, tombstones=tombstones))
            return record


def _refuse_taken(state: _Project, publication: Publication) -> None:
    """Check that a name is free, or belongs to the file to be replaced. :raises FileExists: it does not."""
    filename = publication.filename
    if publication.replaces is not None:
        old = state.files.get(filename)
        if old is None or sha256(old.data).hexdigest() != publication.replaces:
            raise FileExists(f"File already exists: {filename} was changed just now")
    elif filename.casefold() in map(str.casefold, state.files):
        raise FileExists(f"File already exists: {filename}")


@implementer(ILockedProject)
@frozen(eq=False)
class _LockedProject:
    """Changes a project whose lock is held."""

    project: StoredProject
    """The project as it was when it was locked."""
    _name: str
    _storage: MemoryStorage

    def amend(self, filename: str, record: FileRecord) -> None:
        """Replace the record of a file. :raises NotFound: there is no file of that name."""
        state = self._storage._get(self._name)
        file = state.file(filename)
        amended = evolve(file, stored=evolve(file.stored, record=record))
        self._storage._set(self._name, evolve(state, files={**state.files, filename: amended}))

    def amend_project(self, record: ProjectRecord) -> None:
        """Replace the record of the project."""
        self._storage._set(self._name, evolve(self._storage._get(self._name), record=record))

    def strip(self, filename: str) -> None:
        """Remove the sidecar files of a file. :raises NotFound: there is no file of that name."""
        state = self._storage._get(self._name)
        file = state.file(filename)
        stripped = evolve(file, stored=evolve(file.stored, signed=False, provenance=None), sidecars={})
        self._storage._set(self._name, evolve(state, files={**state.files, filename: stripped}))

    def remove(self, filename: str, tombstone: FileRecord) -> None:
        """Remove a file, and leave a tombstone. :raises NotFound: there is no file of that name."""
        state = self._storage._get(self._name)
        state.file(filename)
        rest = {name: file for name, file in state.files.items() if name != filename}
        tombstones = {**state.tombstones, filename: tombstone}
        self._storage._set(self._name, evolve(state, files=rest, tombstones=tombstones))


@implementer(IStaging)
@define(eq=False)
class MemoryStaging:
    """An upload in flight."""

    _publish: Callable[[bytes, Publication, Admit], FileRecord]
    _data: bytearray | None = field(factory=bytearray, init=False)

    def write(self, data: bytes) -> None:
        """Append some bytes. :raises StorageUnavailable: the upload has ended."""
        self._received().extend(data)

    def reader(self) -> BinaryIO:
        """Open the bytes written so far for reading and seeking."""
        return BytesIO(self._received())

    def publish(self, publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name. :raises FileExists: the name is taken."""
        data, self._data = bytes(self._received()), None
        return self._publish(data, publication, admit)

    def discard(self) -> None:
        """Drop the file, if it was not published."""
        self._data = None

    def _received(self) -> bytearray:
        if self._data is None:
            raise StorageUnavailable("the upload was given up")
        return self._data


@implementer(IOpenFile)
@frozen(eq=False)
class MemoryFile:
    """An open file in memory."""

    _data: bytes
    modified_ns: int
    """The time of the last change, in nanoseconds since the epoch."""

    @property
    def length(self) -> int:
        """The length in bytes."""
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from an offset, or fewer at the end."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Do nothing: memory needs no closing."""
