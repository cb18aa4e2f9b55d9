"""A catalog that is made anew by each process, project by project as they are asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import BinaryIO

from attrs import define, field, frozen
from twisted.logger import Logger
from zope.interface import implementer

from pypid import archives, metadata
from pypid.errors import InvalidArchive, InvalidMetadata, NotFound, StorageUnavailable
from pypid.interfaces import ICatalog, IStorage
from pypid.model import File, Project, StoredFile, version_key
from pypid.names import ArchiveKind, Filename, parse_filename
from pypid.tasks import SingleFlight

__all__ = ["MemoryCatalog"]


@frozen
class _Description:
    """A file as pages show it, and what else its project's page takes from it."""

    file: File
    display_name: str


@frozen
class _Entry:
    """A project as it was when the storage gave a fingerprint."""

    fingerprint: Hashable
    project: Project
    descriptions: Mapping[StoredFile, _Description]


@implementer(ICatalog)
@define
class MemoryCatalog:
    """Reads each file once, and looks at a project again when its fingerprint moves."""

    storage: IStorage
    """Where the files are."""
    _entries: dict[str, _Entry] = field(factory=dict, init=False)
    _names: tuple[Hashable, Sequence[str]] | None = field(default=None, init=False)
    _scans: SingleFlight[Project | None] = field(factory=SingleFlight, init=False)
    _log = Logger()

    async def projects(self) -> Sequence[str]:
        """List the normalized names of all projects, sorted."""
        fingerprint = self.storage.fingerprint(None)
        if self._names is None or self._names[0] != fingerprint:
            names = await self.storage.projects()
            if self._names is not None and self._names[1] == names:
                names = self._names[1]
            self._names = fingerprint, names
        return self._names[1]

    async def project(self, name: str) -> Project | None:
        """Give a project by normalized name, or ``None``."""
        entry = self._entries.get(name)
        if entry is not None and entry.fingerprint == self.storage.fingerprint(name):
            return entry.project
        return await self._scans.run(name, lambda: self._scan(name))

    def forget(self, name: str) -> None:
        """Look at a project anew when it is next asked for."""
        self._entries.pop(name, None)

    async def _scan(self, name: str) -> Project | None:
        """List a project, and read those of its files that were not read before."""
        fingerprint = self.storage.fingerprint(name)
        listed = await self.storage.files(name)
        if listed is None:
            self._entries.pop(name, None)
            return None
        entry = self._entries.get(name)
        known = entry.descriptions if entry is not None else {}
        descriptions = {}
        for stored in listed:
            description = known.get(stored) or await self._describe(name, stored)
            if description is not None:
                descriptions[stored] = description
        project = _project(name, list(descriptions.values()))
        if entry is not None and entry.project == project:
            project = entry.project
        self._entries[name] = _Entry(fingerprint, project, descriptions)
        return project

    async def _describe(self, name: str, stored: StoredFile) -> _Description | None:
        """Have a file read, or give nothing if it cannot be read now."""
        filename = parse_filename(stored.filename, name)
        kept = await self.storage.metadata(name, stored.filename) if stored.untouched else None
        try:
            description, problem = await self.storage.read(
                name, stored.filename, lambda file: _describe(file, filename, stored, kept)
            )
        except (NotFound, StorageUnavailable) as error:
            self._log.warn("{file} is not listed: {error}", file=stored.filename, error=error)
            return None
        if problem is not None:
            self._log.warn(
                "{file} is served without its core metadata: {problem}", file=stored.filename, problem=problem
            )
        return description


def _describe(
    file: BinaryIO, filename: Filename, stored: StoredFile, kept: bytes | None
) -> tuple[_Description, Exception | None]:
    """Read what pages show of a file, and why its metadata is not to be had; runs in a worker.

    :param kept: its core metadata if it is at hand already.
    """
    record = stored.record if stored.untouched else None
    digest = record.sha256 if record is not None else _digest(file)
    file.seek(0)
    found, parsed, problem = kept, None, None
    try:
        if found is None:
            found = archives.core_metadata(file, filename)
        parsed = metadata.parse(found) if found is not None else None
    except (InvalidArchive, InvalidMetadata) as error:
        found, problem = None, error
    is_wheel = filename.kind is ArchiveKind.WHEEL
    described = File(
        filename=filename.filename,
        version=filename.version,
        kind=filename.kind,
        size=stored.size,
        hashes={"sha256": digest},
        modified_ns=stored.modified_ns,
        upload_time=record.upload_time if record is not None else _time(stored.modified_ns),
        requires_python=parsed.requires_python if parsed is not None else None,
        core_metadata=sha256(found).hexdigest() if found is not None and is_wheel else None,
    )
    return _Description(described, parsed.name if parsed is not None else filename.display_name), problem


def _digest(file: BinaryIO) -> str:
    digest = sha256()
    while data := file.read(1024 * 1024):
        digest.update(data)
    return digest.hexdigest()


def _project(name: str, descriptions: list[_Description]) -> Project:
    """Put a project together; it is spelled as in the newest of its files."""
    ordered = sorted(descriptions, key=lambda one: (version_key(one.file.version), one.file.filename))
    spelled = ordered[-1].display_name if ordered else name
    return Project(name, spelled, tuple(one.file for one in ordered))


def _time(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
