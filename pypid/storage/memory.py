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

__all__ = ["MemoryStorage"]

T = TypeVar("T")


@frozen
class _File:
    """A file, and what is kept beside it."""

    stored: StoredFile
    data: bytes
    sidecars: Mapping[Sidecar, bytes]


@frozen
class _Project:
    """All that is kept of a project; a change puts another one in its place."""

    files: Mapping[str, _File] = field(factory=dict)
    record: ProjectRecord = field(factory=ProjectRecord)
    tombstones: Mapping[str, FileRecord] = field(factory=dict)

    @property
    def stored(self) -> StoredProject:
        """It as a storage lists it."""
        files = tuple(self.files[name].stored for name in sorted(self.files))
        return StoredProject(files, self.record, self.tombstones)

    def file(self, filename: str) -> _File:
        """Return a file. :raises NotFound: there is none of that name."""
        if filename not in self.files:
            raise NotFound("there is no such file")
        return self.files[filename]


@implementer(IStorage)
@define(eq=False)
class MemoryStorage:
    """Keeps all the promises but to last."""

    _projects: dict[str, _Project] = field(factory=dict, init=False)
    _changes: dict[str | None, int] = field(factory=dict, init=False)
    _numbers: count[int] = field(factory=count, init=False)
    _locks: dict[str, Lock] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def open(self) -> None:
        """Do nothing: there is nothing to get ready."""

    def close(self) -> None:
        """Forget everything."""
        self._projects.clear()

    def fingerprint(self, project: str | None) -> Hashable:
        """Return a value that differs whenever the files, or the projects, changed."""
        return self._changes.get(project, 0)

    def misplaced(self) -> Sequence[str]:
        """Return nothing: nobody puts anything here by hand."""
        return ()

    def moved(self, projects: Sequence[str]) -> Sequence[str]:
        """Return all of them: to take a fingerprint costs nothing here."""
        return projects

    def projects(self) -> Sequence[str]:
        """List the normalized names of all projects, sorted."""
        return sorted(self._projects.copy())

    def project(self, name: str) -> StoredProject | None:
        """List what is kept of a project, or return ``None`` if there is no such project."""
        state = self._projects.get(name)
        return state.stored if state is not None else None

    def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call a function with a file. :raises NotFound: there is none of that name."""
        return function(BytesIO(self._projects.get(project, _Project()).file(filename).data))

    def open_file(self, project: str, filename: str) -> IOpenFile:
        """Open a distribution file for sending. :raises NotFound: there is none of that name."""
        file = self._projects.get(project, _Project()).file(filename)
        return MemoryFile(file.data, file.stored.modified_ns)

    def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return what was kept beside a file. :raises NotFound: nothing can have such a name."""
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
        """Keep everybody else from changing a project. :raises NotFound: there is no such project."""
        with self._locks.setdefault(project, Lock()):
            state = self._projects.get(project)
            if state is None:
                raise NotFound(f"there is no project {project} here")
            yield _LockedProject(state.stored, project, self)

    def _get(self, project: str) -> _Project:
        return self._projects[project]

    def _set(self, project: str, state: _Project) -> None:
        """Keep something else of a project, and let the fingerprints tell."""
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
    """See that a name is free, or that of what is to be replaced. :raises FileExists: it is not."""
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
        """Replace the record of a file. :raises NotFound: there is none of that name."""
        state = self._storage._get(self._name)
        file = state.file(filename)
        amended = evolve(file, stored=evolve(file.stored, record=record))
        self._storage._set(self._name, evolve(state, files={**state.files, filename: amended}))

    def amend_project(self, record: ProjectRecord) -> None:
        """Replace the record of the project."""
        self._storage._set(self._name, evolve(self._storage._get(self._name), record=record))

    def strip(self, filename: str) -> None:
        """Remove what is kept beside a file. :raises NotFound: there is none of that name."""
        state = self._storage._get(self._name)
        file = state.file(filename)
        stripped = evolve(file, stored=evolve(file.stored, signed=False, provenance=None), sidecars={})
        self._storage._set(self._name, evolve(state, files={**state.files, filename: stripped}))

    def remove(self, filename: str, tombstone: FileRecord) -> None:
        """Remove a file, and leave a tombstone. :raises NotFound: there is none of that name."""
        state = self._storage._get(self._name)
        state.file(filename)
        rest = {name: file for name, file in state.files.items() if name != filename}
        tombstones = {**state.tombstones, filename: tombstone}
        self._storage._set(self._name, evolve(state, files=rest, tombstones=tombstones))


@implementer(IStaging)
@define(eq=False)
class MemoryStaging:
    """Bytes that are being received."""

    _publish: Callable[[bytes, Publication, Admit], FileRecord]
    _data: bytearray | None = field(factory=bytearray, init=False)

    def write(self, data: bytes) -> None:
        """Append some bytes. :raises StorageUnavailable: the upload is over."""
        self._received().extend(data)

    def reader(self) -> BinaryIO:
        """Open what was written so far for reading and seeking."""
        return BytesIO(self._received())

    def publish(self, publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name. :raises FileExists: the name is taken."""
        data, self._data = bytes(self._received()), None
        return self._publish(data, publication, admit)

    def discard(self) -> None:
        """Forget the file, if it was not published."""
        self._data = None

    def _received(self) -> bytearray:
        if self._data is None:
            raise StorageUnavailable("the upload was given up")
        return self._data


@implementer(IOpenFile)
@frozen(eq=False)
class MemoryFile:
    """Bytes that are kept."""

    _data: bytes
    modified_ns: int
    """When they last changed, in nanoseconds since the epoch."""

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """Return so many bytes from an offset; fewer only at the end."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Do nothing."""
