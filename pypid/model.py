"""The values that the parts of pypid exchange: frozen, comparable, without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Literal

from attrs import field, frozen

from pypid.names import ArchiveKind, Sidecar, version_key
from pypid.principals import Action, Credentials, Limits, Principal, Role

__all__ = [
    "Action",
    "Change",
    "Credentials",
    "File",
    "FileRecord",
    "Limits",
    "Principal",
    "Project",
    "ProjectRecord",
    "Publication",
    "Redirect",
    "Role",
    "Status",
    "StoredFile",
    "StoredProject",
]


@frozen
class FileRecord:
    """The facts about a published file that cannot be recomputed from its bytes.

    Size, time and digest spare the reading of the bytes: they are valid while the file's own
    size and modification time equal those of the record.
    """

    upload_time: datetime
    """The time of its publication, in UTC."""
    uploader: str | None
    """The name of the principal who uploaded it; ``None`` for a client without credentials."""
    size: int
    """The file's length in bytes."""
    modified_ns: int
    """The file's modification time when it was published, in nanoseconds since the epoch."""
    sha256: str
    """The SHA-256 digest of its bytes, in lower-case hexadecimal."""
    yanked: str | None = None
    """The reason of its yank, maybe empty; ``None`` if it is not yanked (PEP 592)."""
    removed: datetime | None = None
    """The time of its removal, in UTC; the record is then a tombstone, and the file is gone."""
    founder: str | None = None
    """The name of the principal who founded the project with this file, if it was the first one."""


class Status(Enum):
    """The state of a project as a whole; the values are those of PEP 792."""

    ACTIVE = "active"
    """The usual status."""
    ARCHIVED = "archived"
    """Uploads are refused; files can be installed."""
    QUARANTINED = "quarantined"
    """The project is dangerous: its files are not offered, and uploads are refused."""
    DEPRECATED = "deprecated"
    """Its authors advise against it; nothing else changes."""


@frozen
class ProjectRecord:
    """The facts about a project that cannot be recomputed from its files."""

    status: Status = Status.ACTIVE
    """Its status."""
    reason: str | None = None
    """The reason of the status, for people."""
    owners: tuple[str, ...] | None = None
    """The names of its owners; ``None`` if they were never changed: the founders are the owners."""
    maintainers: tuple[str, ...] = ()
    """The names of its maintainers."""


@frozen
class Change:
    """A row of the journal."""

    serial: int
    """Its number, larger than the serials of all changes before it."""
    time: datetime
    """The time when the change was noticed, in UTC."""
    project: str
    """The project's normalized name."""
    version: str | None
    """The version that changed; ``None`` for a change of the whole project."""
    action: str
    """The kind of change, in the words of PyPI's changelog: ``new release``, ``add py3 file x-1.0…``."""


@frozen
class Publication:
    """The name, record and sidecar files with which a staged file is to be published."""

    project: str
    """The project's normalized name; a missing project is created."""
    filename: str
    """The file's name without a directory, validated by :func:`pypid.names.parse_filename`."""
    upload_time: datetime
    """The time of the upload, in UTC."""
    uploader: str | None
    """The name of the principal who uploads it; ``None`` for a client without credentials."""
    sha256: str
    """The SHA-256 digest of the staged bytes, in lower-case hexadecimal."""
    metadata: bytes | None
    """The core metadata for a sidecar file, byte for byte; ``None`` for no such file."""
    signature: bytes | None = None
    """The signature for a sidecar file."""
    provenance: bytes | None = None
    """The provenance object for a sidecar file."""
    replaces: str | None = None
    """The SHA-256 digest of the file of the same name to be replaced; ``None`` to replace no file."""
    founder: str | None = None
    """The name of the project's founder, if this is its first file."""

    @property
    def sidecars(self) -> Mapping[Sidecar, bytes]:
        """The contents of the sidecar files."""
        candidates = {
            Sidecar.METADATA: self.metadata,
            Sidecar.SIGNATURE: self.signature,
            Sidecar.PROVENANCE: self.provenance,
        }
        return {sidecar: data for sidecar, data in candidates.items() if data is not None}


@frozen
class StoredFile:
    """A distribution file as a storage lists it, without any of its bytes read."""

    filename: str
    """Its name, unique in the project."""
    size: int
    """Its length in bytes."""
    modified_ns: int
    """The time of the last change of its bytes, in nanoseconds since the epoch."""
    identity: int
    """A number that differs when another file has taken the name, such as an inode number."""
    record: FileRecord | None = None
    """The record; ``None`` if the file was not published by pypid."""
    signed: bool = False
    """Whether it has a signature as a sidecar file."""
    provenance: str | None = None
    """A value that differs whenever its provenance object may have changed; ``None`` if it has none."""

    @property
    def untouched(self) -> bool:
        """True if the file has a record, and is still the file that the record describes."""
        record = self.record
        return record is not None and (record.size, record.modified_ns) == (
            self.size,
            self.modified_ns,
        )


@frozen
class StoredProject:
    """The files and records of a project in a storage."""

    files: Sequence[StoredFile]
    """Its distribution files, sorted by name."""
    record: ProjectRecord = ProjectRecord()
    """Its record; the default one if there is none."""
    tombstones: Mapping[str, FileRecord] = field(factory=dict)
    """The records of its removed files, by name."""

    @property
    def is_founded(self) -> bool:
        """True if the project has, or had, files or a record; otherwise the next file is its first."""
        return bool(self.files or self.tombstones) or self.record != ProjectRecord()

    @property
    def owners(self) -> tuple[str, ...]:
        """The names of its owners; empty if all files were copied by hand or uploaded anonymously."""
        if self.record.owners is not None:
            return self.record.owners
        records = (*(file.record for file in self.files), *self.tombstones.values())
        return tuple(sorted({record.founder for record in records if record and record.founder}))

    def people(self, role: Role) -> tuple[str, ...]:
        """Return the names of the users with a role in the project."""
        return self.owners if role is Role.OWNER else self.record.maintainers

    def founder_with(self, publication: Publication) -> str | None:
        """Return the founder for the record of a file that is published in this project.

        If the new record replaces another record or a tombstone, the founder is taken from that one.
        """
        before = self.tombstones.get(publication.filename)
        if publication.replaces is not None:
            before = next((one.record for one in self.files if one.filename == publication.filename), None)
        first = None if self.is_founded else publication.founder
        return (before.founder if before is not None else None) or first


@frozen
class File:
    """A distribution file of the catalog or of an upstream, as pages show it."""

    filename: str
    """Its name; the last segment of its URL."""
    version: str
    """The version of its release."""
    kind: ArchiveKind
    """The kind of archive."""
    size: int | None
    """Its length in bytes; ``None`` for some upstream files, whose size is unknown."""
    hashes: Mapping[str, str] = field(hash=False)
    """Digests by lower-case algorithm name, in lower-case hexadecimal; a local file has ``sha256``."""
    modified_ns: int | None
    """The time of the last change of its bytes, in nanoseconds since the epoch, if known."""
    upload_time: datetime | None
    """The time of its publication, in UTC, if known."""
    requires_python: str | None = None
    """The ``Requires-Python`` of its core metadata, letter for letter (PEP 503)."""
    core_metadata: str | Literal[True] | None = None
    """The SHA-256 digest of ``<url>.metadata``; ``True`` if unknown; ``None`` if not served (PEP 714)."""
    yanked: str | None = None
    """The reason of its yank, maybe empty; ``None`` if it is not yanked (PEP 592)."""
    url: str | None = None
    """Its URL at an upstream; ``None`` if it is local. Clients never see it."""
    signed: bool | None = None
    """Whether there is a signature at ``<url>.asc``; ``None`` if unknown (PEP 503)."""
    provenance: str | None = None
    """The SHA-256 digest of ``<url>.provenance``, if the file is local and has a provenance (PEP 740)."""
    provenance_url: str | None = None
    """The URL of its provenance at an upstream, if there is one. Clients never see it."""


@frozen
class Project:
    """A project of the catalog or of an upstream, with all its files, as a page shows it."""

    name: str
    """Its normalized name."""
    display_name: str
    """Its name in the spelling of its authors."""
    files: tuple[File, ...]
    """Its files, oldest version first."""
    status: Status = Status.ACTIVE
    """Its status (PEP 792)."""
    status_reason: str | None = None
    """The reason of the status, for people."""
    serial: int = 0
    """The serial of its last change; 0 for an upstream project, which has no journal."""
    tombstones: Mapping[str, str] = field(factory=dict, hash=False)
    """The SHA-256 digests of removed files, by name; no other bytes may be published under these names."""
    stale_since: datetime | None = None
    """The time, in UTC, when it was last confirmed, if its upstream cannot be asked now."""
    withheld: Mapping[str, str] = field(factory=dict, hash=False)
    """The reasons why some files, upstream or changed on disk, are not offered, by file name."""
    is_founded: bool = True
    """Whether the project has, or had, any files or a record."""
    owners: tuple[str, ...] = ()
    """The names of its owners, if it is local."""
    maintainers: tuple[str, ...] = ()
    """The names of its maintainers, if it is local."""

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions with files, each once, oldest first; those that are invalid by PEP 440 lead."""
        # "1.0" and "1.0.0" sort alike: from a set, their order would differ between processes.
        return tuple(sorted(dict.fromkeys(file.version for file in self.files), key=version_key))

    def file(self, filename: str) -> File | None:
        """Return the file of that name, or ``None``."""
        return next((file for file in self.files if file.filename == filename), None)

    def roles(self, principal: Principal | None) -> frozenset[Role]:
        """Return the roles of a principal in the project; empty for strangers."""
        people = {Role.OWNER: self.owners, Role.MAINTAINER: self.maintainers}
        return frozenset(role for role in Role if principal is not None and principal.name in people[role])


@frozen
class Redirect:
    """An answer at another URL."""

    url: str
    """The absolute URL."""
