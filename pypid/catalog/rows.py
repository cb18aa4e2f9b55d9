"""What the catalog has of a project, as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Any

from attrs import field, frozen

from pypid.model import File, ProjectRecord, StoredFile
from pypid.names import ArchiveKind, parse_filename

__all__ = [
    "COLUMNS",
    "EPOCH",
    "WITHHELD",
    "Content",
    "Description",
    "Row",
    "Snapshot",
    "from_moment",
    "to_moment",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YOUNG_NS = 2_000_000_000
"""How long, in nanoseconds, a file is read again each time after it was changed by hand."""
YOUNG = " young"
"""What ends what was seen of such a file."""
MAX_SECONDS = 253_402_300_799
"""The last second of the year 9999, where Python's times end."""

WITHHELD = " withheld"
"""What ends what was seen of a file that was published here, and has other bytes now."""

COLUMNS = (
    "filename, version, kind, seen, upload_time, yanked,"
    " sha256, requires_python, core_metadata, display_name, provenance, signed"
)


@frozen
class Description:
    """What was found out about a file by reading it."""

    sha256: str
    """The digest of its bytes, in lower-case hexadecimal."""
    requires_python: str | None
    """The ``Requires-Python`` of its core metadata."""
    core_metadata: str | None
    """The SHA-256 digest of its core metadata, if they are to be had alone."""
    display_name: str
    """How it spells the project's name."""
    provenance: str | None = None
    """The SHA-256 digest of its provenance object, if there is a right one."""


@frozen
class Row:
    """A file in the catalog."""

    filename: str
    """Its name."""
    version: str
    """The version that it belongs to."""
    kind: ArchiveKind
    """Which kind of archive it is."""
    fingerprint: str
    """What was listed of it when it was last looked at: it differs when the bytes may be others."""
    upload_time: datetime
    """When it was published, or last changed if that is not known."""
    yanked: str | None
    """The reason it was yanked for."""
    description: Description | None
    """What was read of it; ``None`` if it was not read yet."""
    signed: bool = False
    """Whether there is a signature beside it."""

    @classmethod
    def of(
        cls, project: str, stored: StoredFile, known: Row | None, read: Description | None, now: int
    ) -> Row:
        """Make the row of a file that is listed.

        :param known: its row as it was; what it says of the bytes is taken over if it still holds.
        :param read: what was read of the file just now, if it was.
        :param now: the time in microseconds since the epoch.
        """
        parsed = known or parse_filename(stored.filename, project)
        # Without a record, bytes may change within a tick of the clock, and nothing else tells.
        is_young = not stored.untouched and abs(now * 1000 - stored.modified_ns) < YOUNG_NS
        fingerprint = f"{stored.size} {stored.modified_ns} {stored.identity}"
        if stored.provenance is not None:
            fingerprint += f" provenance {stored.provenance}"
        if is_young:
            fingerprint += YOUNG
        if (
            read is None
            and known is not None
            and known.fingerprint.removesuffix(WITHHELD) == fingerprint
            and not is_young
        ):
            read = known.description
        record = stored.record
        if record is not None and read is not None and record.sha256 != read.sha256:
            # Either is wrong: the reading from another record, or the record of other bytes.
            if stored.untouched:
                read = None
            else:
                fingerprint += WITHHELD
        return cls(
            filename=stored.filename,
            version=parsed.version,
            kind=parsed.kind,
            fingerprint=fingerprint,
            upload_time=record.upload_time if record is not None else _time(stored.modified_ns),
            yanked=record.yanked if record is not None else None,
            description=read,
            signed=stored.signed,
        )

    @property
    def is_withheld(self) -> bool:
        """Whether it was published here with other bytes than it has now: it is not offered."""
        return self.fingerprint.endswith(WITHHELD)

    @property
    def is_shown(self) -> bool:
        """Whether pages show it."""
        return self.description is not None and not self.is_withheld

    @property
    def is_young(self) -> bool:
        """Whether it was just changed by hand, and maybe is being written to."""
        return self.fingerprint.removesuffix(WITHHELD).endswith(YOUNG)

    @classmethod
    def from_columns(cls, columns: tuple[Any, ...]) -> Row:
        """Take a row of the table."""
        filename, version, kind, said, uploaded, yanked, sha256, requires, *described, signed = columns
        version, requires = intern(version), requires and intern(requires)  # many files have the same
        description = None if sha256 is None else Description(sha256, requires, *described)
        moment = from_moment(uploaded)
        return cls(filename, version, ArchiveKind(kind), said, moment, yanked, description, bool(signed))

    def to_columns(self) -> tuple[Any, ...]:
        """Give what goes into :data:`COLUMNS` of the table."""
        read = self.description
        described = (
            (read.sha256, read.requires_python, read.core_metadata, read.display_name, read.provenance)
            if read
            else (None,) * 5
        )
        moment = to_moment(self.upload_time)
        listed = (self.filename, self.version, self.kind.value, self.fingerprint, moment, self.yanked)
        return (*listed, *described, self.signed)

    def to_file(self, description: Description) -> File:
        """Give the file as pages show it."""
        size, modified_ns = map(int, self.fingerprint.split(" ", 2)[:2])
        return File(
            filename=self.filename,
            version=self.version,
            kind=self.kind,
            size=size,
            hashes={"sha256": description.sha256},
            modified_ns=modified_ns,
            upload_time=self.upload_time,
            requires_python=description.requires_python,
            core_metadata=description.core_metadata,
            yanked=self.yanked,
            signed=self.signed,
            provenance=description.provenance,
        )


@frozen
class Content:
    """A project in the catalog."""

    record: ProjectRecord = field(factory=ProjectRecord)
    """What is known of it as a whole; its owners are named, also while they are its founders."""
    rows: Mapping[str, Row] = field(factory=dict)
    """Its files, by name."""


@frozen
class Snapshot:
    """A project as the catalog had it when it was looked up."""

    content: Content | None
    """What there was of it; ``None`` if nothing."""
    serial: int
    """The serial of its last change; 0 if there is none."""
    written: int | None
    """Which writing it was that wrote it; ``None`` if there is nothing of it."""
    numbered: bool
    """Whether the journal has begun."""


def to_moment(time: datetime) -> int:
    """Give a time in microseconds since the epoch."""
    return (time - EPOCH) // timedelta(microseconds=1)


def from_moment(moment: int) -> datetime:
    """Give the time that so many microseconds since the epoch are."""
    return EPOCH + timedelta(microseconds=moment)


def _time(nanoseconds: int) -> datetime:
    """Give the time of a file system, which may be any number."""
    return EPOCH + timedelta(seconds=min(max(nanoseconds // 1_000_000_000, 0), MAX_SECONDS))
