"""Files in memory, for tests and for trying things out."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from itertools import count
from typing import Any, BinaryIO, TypeVar

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from pypid.errors import FileExists, InvalidFilename, NotFound, StorageUnavailable
from pypid.interfaces import IContent, IStaging, IStorage
from pypid.model import ProjectRecord, Publication, Record, StoredFile, StoredProject
from pypid.names import Companion, parse_filename
from pypid.sending import send

__all__ = ["MemoryStorage"]

T = TypeVar("T")


@frozen
class _Kept:
    file: StoredFile
    data: bytes
    companions: Mapping[Companion, bytes]


@implementer(IStorage)
@define(eq=False)
class MemoryStorage:
    """Keeps all the promises but to last, and to read in a worker: there is no disk to wait for."""

    _projects: dict[str, dict[str, _Kept]] = field(factory=dict, init=False)
    _records: dict[str, ProjectRecord] = field(factory=dict, init=False)
    _tombstones: dict[str, dict[str, Record]] = field(factory=dict, init=False)
    _changes: dict[str | None, int] = field(factory=dict, init=False)
    _numbers: count[int] = field(factory=count, init=False)

    def open(self) -> None:
        """Do nothing: there is nothing to get ready."""

    def close(self) -> None:
        """Forget everything."""
        self._projects.clear()

    def fingerprint(self, project: str | None) -> Hashable:
        """Give a value that differs whenever the files, or the projects, changed."""
        return self._changes.get(project, 0)

    async def projects(self) -> Sequence[str]:
        """List the normalized names of all projects, sorted."""
        return sorted(self._projects)

    async def project(self, name: str) -> StoredProject | None:
        """List what is kept of a project, or give ``None`` if there is no such project."""
        kept = self._projects.get(name)
        if kept is None:
            return None
        files = tuple(kept[filename].file for filename in sorted(kept))
        record = self._records.get(name, ProjectRecord())
        return StoredProject(files, record, dict(self._tombstones.get(name, {})))

    async def content(self, project: str, filename: str) -> IContent:
        """Open a distribution file for sending. :raises NotFound: there is none of that name."""
        kept = self._kept(project, filename)
        return MemoryContent(kept.data, kept.file.modified_ns)

    async def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call ``function`` with a file. :raises NotFound: there is none of that name."""
        return function(BytesIO(self._kept(project, filename).data))

    async def companion(self, project: str, filename: str, companion: Companion) -> bytes | None:
        """Give what was kept beside a file. :raises NotFound: nothing can have such a name."""
        try:
            parse_filename(filename, project)
        except InvalidFilename:
            raise NotFound("there is no such file") from None
        kept = self._projects.get(project, {}).get(filename)
        return kept.companions.get(companion) if kept is not None else None

    async def visit(self, function: Callable[[IStorage], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine here: there are no other threads."""
        return await function(self)

    async def stage(self) -> IStaging:
        """Begin to receive a file."""
        return MemoryStaging(self._publish)

    async def amend(self, project: str, filename: str, record: Record) -> None:
        """Replace the record of a file. :raises NotFound: there is none of that name."""
        kept = self._kept(project, filename)
        amended = evolve(kept, file=evolve(kept.file, record=record))
        self._replace(project, {**self._projects[project], filename: amended})

    async def amend_project(self, project: str, record: ProjectRecord) -> None:
        """Replace the record of a project. :raises NotFound: there is none of that name."""
        if project not in self._projects:
            raise NotFound(f"there is no project {project}")
        self._records[project] = record
        self._replace(project, self._projects[project])

    async def remove(self, project: str, filename: str, tombstone: Record) -> None:
        """Remove a file, and leave a tombstone. :raises NotFound: there is none of that name."""
        self._kept(project, filename)
        self._tombstones.setdefault(project, {})[filename] = tombstone
        rest = {name: kept for name, kept in self._projects[project].items() if name != filename}
        self._replace(project, rest)

    def _replace(self, project: str, kept: dict[str, _Kept]) -> None:
        """Keep something else of a project, and let the fingerprints tell."""
        for changed in (project, None) if project not in self._projects else (project,):
            self._changes[changed] = self._changes.get(changed, 0) + 1
        self._projects[project] = kept

    def _kept(self, project: str, filename: str) -> _Kept:
        try:
            return self._projects[project][filename]
        except KeyError:
            raise NotFound("there is no such file") from None

    def _publish(self, data: bytes, publication: Publication) -> Record:
        parse_filename(publication.filename, publication.project)
        kept = self._projects.get(publication.project, {})
        before = self._tombstones.get(publication.project, {}).get(publication.filename)
        if publication.replaces is not None:
            old = kept.get(publication.filename)
            if old is None or sha256(old.data).hexdigest() != publication.replaces:
                raise FileExists(f"File already exists: {publication.filename} was changed just now")
            before = old.file.record
        elif publication.filename.casefold() in map(str.casefold, kept):
            raise FileExists(f"File already exists: {publication.filename}")
        record = Record(
            upload_time=publication.upload_time,
            uploader=publication.uploader,
            size=len(data),
            modified_ns=time.time_ns(),
            sha256=publication.sha256,
            founder=(before.founder if before is not None else None) or publication.founder,
        )
        identity, companions = next(self._numbers), publication.companions
        file = StoredFile(
            publication.filename,
            record.size,
            record.modified_ns,
            identity,
            record,
            signed=Companion.SIGNATURE in companions,
            provenance=str(identity) if Companion.PROVENANCE in companions else None,
        )
        self._tombstones.get(publication.project, {}).pop(publication.filename, None)
        staged = _Kept(file, data, companions)
        self._replace(publication.project, {**kept, publication.filename: staged})
        return record


@implementer(IStaging)
@define(eq=False)
class MemoryStaging:
    """Bytes that are being received."""

    _publish: Callable[[bytes, Publication], Record]
    _data: bytearray | None = field(factory=bytearray, init=False)

    def write(self, data: bytes) -> None:
        """Append some bytes. :raises StorageUnavailable: the upload is over."""
        self._received().extend(data)

    def reader(self) -> BinaryIO:
        """Open what was written so far for reading and seeking."""
        return BytesIO(self._received())

    async def publish(self, publication: Publication) -> Record:
        """Make the file visible under its name. :raises FileExists: the name is taken."""
        data, self._data = bytes(self._received()), None
        return self._publish(data, publication)

    async def discard(self) -> None:
        """Forget the file, if it was not published."""
        self._data = None

    def _received(self) -> bytearray:
        if self._data is None:
            raise StorageUnavailable("the upload was given up")
        return self._data


@implementer(IContent)
@frozen(eq=False)
class MemoryContent:
    """Bytes that are kept."""

    _data: bytes
    modified_ns: int
    """When they last changed, in nanoseconds since the epoch."""

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return len(self._data)

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``."""
        await send(self._read, consumer, start, stop)

    def close(self) -> None:
        """Do nothing."""

    def _read(self, offset: int, length: int) -> Deferred[bytes]:
        return succeed(self._data[offset : offset + length])
