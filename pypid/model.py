"""The values that the parts of pypid hand to each other: frozen, comparable, without I/O."""

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
    "Credentials",
    "Limits",
    "File",
    "Change",
    "Principal",
    "Project",
    "ProjectRecord",
    "Publication",
    "FileRecord",
    "Redirect",
    "Role",
    "Status",
    "StoredFile",
    "StoredProject",
]


@frozen
class FileRecord:
    """What is known of a published file and cannot be recomputed from its bytes.

    Size, time and digest are there to spare the reading: they hold while the file's own
    size and modification time are those that the record names.
    """

    upload_time: datetime
    """When it was published, in UTC."""
    uploader: str | None
    """The name of the principal who did, or ``None`` where anybody may."""
    size: int
    """The file's length in bytes."""
    modified_ns: int
    """The file's modification time when it was published, in nanoseconds since the epoch."""
    sha256: str
    """The SHA-256 digest of its bytes, in lower-case hexadecimal."""
    yanked: str | None = None
    """The reason it was yanked for, maybe empty; ``None`` if it is not yanked (PEP 592)."""
    removed: datetime | None = None
    """When the file was removed, in UTC: the record is then a tombstone, and all that is left of it."""
    founder: str | None = None
    """Who made the project by publishing this file, if it was the first one."""


class Status(Enum):
    """The state of a project as a whole; the values are those of PEP 792."""

    ACTIVE = "active"
    """Nothing special."""
    ARCHIVED = "archived"
    """No uploads are taken any more; files can be installed."""
    QUARANTINED = "quarantined"
    """It is held back as dangerous: nothing is offered, nothing is taken."""
    DEPRECATED = "deprecated"
    """Its authors advise against it; all goes on."""


@frozen
class ProjectRecord:
    """What is known of a project and cannot be recomputed from its files."""

    status: Status = Status.ACTIVE
    """Its status."""
    reason: str | None = None
    """Why it has that status, for people."""
    owners: tuple[str, ...] | None = None
    """Who owns it; ``None`` if that was never changed: its founders do."""
    maintainers: tuple[str, ...] = ()
    """Who maintains it."""


@frozen
class Change:
    """A row of the journal."""

    serial: int
    """Its number, larger than that of every change before it."""
    time: datetime
    """When it was noticed, in UTC."""
    project: str
    """The project's normalized name."""
    version: str | None
    """The version concerned, if it is not the project as a whole."""
    action: str
    """What happened, in the words of PyPI's changelog: ``new release``, ``add py3 file x-1.0…``..."""


@frozen
class Publication:
    """Under which name, and with what beside it, a staged file is to be published."""

    project: str
    """The project's normalized name; the project is made if it is new."""
    filename: str
    """The file's bare name, validated by :func:`pypid.names.parse_filename`."""
    upload_time: datetime
    """When it was uploaded, in UTC."""
    uploader: str | None
    """Who uploads it."""
    sha256: str
    """The SHA-256 digest of what was staged, in lower-case hexadecimal."""
    metadata: bytes | None
    """The core metadata to be kept beside it, byte for byte."""
    signature: bytes | None = None
    """The signature to be kept beside it."""
    provenance: bytes | None = None
    """The provenance object to be kept beside it."""
    replaces: str | None = None
    """The SHA-256 digest of the file of the same name that it takes the place of; ``None``: of none."""
    founder: str | None = None
    """Who makes the project, if this turns out to be its first file."""

    @property
    def sidecars(self) -> Mapping[Sidecar, bytes]:
        """All that is to be kept beside it."""
        candidates = {
            Sidecar.METADATA: self.metadata,
            Sidecar.SIGNATURE: self.signature,
            Sidecar.PROVENANCE: self.provenance,
        }
        return {sidecar: data for sidecar, data in candidates.items() if data is not None}


@frozen
class StoredFile:
    """A distribution file as a storage lists it, before anything was read of it."""

    filename: str
    """Its name, unique in its project."""
    size: int
    """Its length in bytes."""
    modified_ns: int
    """When its bytes last changed, in nanoseconds since the epoch."""
    identity: int
    """Differs when another file took the name, as an inode number does."""
    record: FileRecord | None = None
    """What was recorded when it was published through pypid, if it was."""
    signed: bool = False
    """Whether there is a signature beside it."""
    provenance: str | None = None
    """Differs whenever another provenance object may lie beside it; ``None`` if there is none."""

    @property
    def untouched(self) -> bool:
        """Tell whether the file is still the one that its record describes."""
        record = self.record
        return record is not None and (record.size, record.modified_ns) == (
            self.size,
            self.modified_ns,
        )


@frozen
class StoredProject:
    """What a storage keeps of a project."""

    files: Sequence[StoredFile]
    """Its distribution files, by name."""
    record: ProjectRecord = ProjectRecord()
    """What is known of it as a whole."""
    tombstones: Mapping[str, FileRecord] = field(factory=dict)
    """The records of files that were removed, by name."""

    @property
    def is_founded(self) -> bool:
        """Tell whether anything is, or was, in it: else the next file published is its first."""
        return bool(self.files or self.tombstones) or self.record != ProjectRecord()

    @property
    def owners(self) -> tuple[str, ...]:
        """Who owns it; nobody, if it was copied in by hand, or uploaded by strangers."""
        if self.record.owners is not None:
            return self.record.owners
        records = (*(file.record for file in self.files), *self.tombstones.values())
        return tuple(sorted({record.founder for record in records if record and record.founder}))

    def people(self, role: Role) -> tuple[str, ...]:
        """Give the names of those who have a role in it."""
        return self.owners if role is Role.OWNER else self.record.maintainers

    def founder_with(self, publication: Publication) -> str | None:
        """Return the founder for the record of a file that is published in it as it is.

        The founder in the record or tombstone that it takes the place of stays.
        """
        before = self.tombstones.get(publication.filename)
        if publication.replaces is not None:
            before = next((one.record for one in self.files if one.filename == publication.filename), None)
        first = None if self.is_founded else publication.founder
        return (before.founder if before is not None else None) or first


@frozen
class File:
    """A distribution file as pages show it."""

    filename: str
    """Its name; the last segment of its URL."""
    version: str
    """The version that it belongs to."""
    kind: ArchiveKind
    """Which kind of archive it is."""
    size: int | None
    """Its length in bytes; unknown of some files that are upstream."""
    hashes: Mapping[str, str] = field(hash=False)
    """Digests by lower-case algorithm name, in lower-case hexadecimal; ``sha256`` if it is local."""
    modified_ns: int | None
    """When the bytes described here were last changed, in nanoseconds since the epoch, if known."""
    upload_time: datetime | None
    """When it was published, in UTC, if that is known."""
    requires_python: str | None = None
    """The ``Requires-Python`` of its core metadata, letter for letter (PEP 503)."""
    core_metadata: str | Literal[True] | None = None
    """The SHA-256 digest of what ``<url>.metadata`` answers, or ``True``, if it is served (PEP 714)."""
    yanked: str | None = None
    """The reason it was yanked for, maybe empty; ``None`` if it is not yanked (PEP 592)."""
    url: str | None = None
    """Where an upstream has it; ``None`` if it is local. Clients are not told."""
    signed: bool | None = None
    """Whether ``<url>.asc`` answers with a signature, if that is known (PEP 503)."""
    provenance: str | None = None
    """The SHA-256 digest of what ``<url>.provenance`` answers, if it is local and does (PEP 740)."""
    provenance_url: str | None = None
    """Where an upstream has its provenance, if it does. Clients are not told."""


@frozen
class Project:
    """A project with all its files, as a page shows it."""

    name: str
    """Its normalized name."""
    display_name: str
    """Its name as its authors spell it."""
    files: tuple[File, ...]
    """Its files, oldest version first."""
    status: Status = Status.ACTIVE
    """Its status (PEP 792)."""
    status_reason: str | None = None
    """Why it has that status, for people."""
    serial: int = 0
    """The number of the last change of it; 0 where there is no journal, as upstream."""
    tombstones: Mapping[str, str] = field(factory=dict, hash=False)
    """The SHA-256 digests of files that were removed, by name: no other bytes may take these names."""
    stale_since: datetime | None = None
    """When it was last known to be right, in UTC, if its upstream cannot be asked now."""
    withheld: Mapping[str, str] = field(factory=dict, hash=False)
    """Why files that its upstream has, or that were changed on disk, are not offered, by name."""
    is_founded: bool = True
    """Whether anything is, or was, in it."""
    owners: tuple[str, ...] = ()
    """Who owns it, if it is local."""
    maintainers: tuple[str, ...] = ()
    """Who maintains it, if it is local."""

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that have files, each once, oldest first; those PEP 440 does not know lead."""
        # "1.0" and "1.0.0" sort alike: taken from a set, their order would be the process's.
        return tuple(sorted(dict.fromkeys(file.version for file in self.files), key=version_key))

    def file(self, filename: str) -> File | None:
        """Give the file of that name, or ``None``."""
        return next((file for file in self.files if file.filename == filename), None)

    def roles(self, principal: Principal | None) -> frozenset[Role]:
        """Give the roles that somebody has in it; strangers have none."""
        people = {Role.OWNER: self.owners, Role.MAINTAINER: self.maintainers}
        return frozenset(role for role in Role if principal is not None and principal.name in people[role])


@frozen
class Redirect:
    """An answer that is to be had elsewhere."""

    url: str
    """The absolute URL where."""
