"""The values that the parts of pypid hand to each other: frozen, comparable, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from attrs import field, frozen
from packaging.version import InvalidVersion, Version

from pypid.names import ArchiveKind

__all__ = [
    "Action",
    "Credentials",
    "File",
    "Principal",
    "Project",
    "Publication",
    "Record",
    "Redirect",
    "StoredFile",
    "version_key",
]


class Action(Enum):
    """What a principal may be permitted to do."""

    READ = "read"
    """See pages and download files."""
    UPLOAD = "upload"
    """Publish new files."""
    YANK = "yank"
    """Yank and un-yank releases and files."""
    DELETE = "delete"
    """Remove files and releases for good."""
    ADMINISTER = "administer"
    """Change a project's status and who may do what with it."""


@frozen
class Credentials:
    """Who a request claims to come from; never logged and never in a ``repr``."""

    username: str
    """The user name; empty where a token came alone."""
    password: str = field(repr=False)
    """The password or token."""


@frozen
class Principal:
    """Somebody whose credentials were right."""

    name: str
    """The name that records and rules know."""


@frozen
class Record:
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


@frozen
class Publication:
    """Under which name, and with what beside it, a staged file is to be published."""

    project: str
    """The project's normalized name; the project is made if it is new."""
    filename: str
    """The file's bare name, vetted by :func:`pypid.names.parse_filename`."""
    upload_time: datetime
    """When it was uploaded, in UTC."""
    uploader: str | None
    """Who uploads it."""
    sha256: str
    """The SHA-256 digest of what was staged, in lower-case hexadecimal."""
    metadata: bytes | None
    """The core metadata to be kept beside it, byte for byte."""


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
    record: Record | None = None
    """What was recorded when it was published through pypid, if it was."""

    @property
    def untouched(self) -> bool:
        """Tell whether the file is still the one that its record describes."""
        record = self.record
        return record is not None and (record.size, record.modified_ns) == (
            self.size,
            self.modified_ns,
        )


@frozen
class File:
    """A distribution file as pages show it."""

    filename: str
    """Its name; the last segment of its URL."""
    version: str
    """The version that it belongs to."""
    kind: ArchiveKind
    """Which kind of archive it is."""
    size: int
    """Its length in bytes."""
    hashes: Mapping[str, str] = field(hash=False)
    """Digests by lower-case algorithm name, in lower-case hexadecimal; ``sha256`` if it is local."""
    modified_ns: int | None
    """When the bytes described here were last changed, in nanoseconds since the epoch, if known."""
    upload_time: datetime | None
    """When it was published, in UTC, if that is known."""
    requires_python: str | None = None
    """The ``Requires-Python`` of its core metadata, letter for letter (PEP 503)."""
    core_metadata: str | None = None
    """The SHA-256 digest of what ``<url>.metadata`` answers, if it is served (PEP 714)."""
    yanked: str | None = None
    """The reason it was yanked for, maybe empty; ``None`` if it is not yanked (PEP 592)."""


@frozen
class Project:
    """A project with all its files, as a page shows it."""

    name: str
    """Its normalized name."""
    display_name: str
    """Its name as its authors spell it."""
    files: tuple[File, ...]
    """Its files, oldest version first."""

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that have files, each once, oldest first; those PEP 440 does not know lead."""
        # "1.0" and "1.0.0" sort alike: taken from a set, their order would be the process's.
        return tuple(sorted(dict.fromkeys(file.version for file in self.files), key=version_key))

    def file(self, filename: str) -> File | None:
        """Give the file of that name, or ``None``."""
        return next((file for file in self.files if file.filename == filename), None)


@frozen
class Redirect:
    """An answer that is to be had elsewhere."""

    url: str
    """The absolute URL where."""


def version_key(text: str) -> tuple[bool, Version | str]:
    """Sort versions by PEP 440, and before them, by spelling, what is none."""
    try:
        return True, Version(text)
    except InvalidVersion:
        return False, text
