"""The values of the catalog: files, projects and snapshots of them."""

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
"""The time after a change by hand, in nanoseconds, when a file is read again at each scan."""
YOUNG = " young"
"""The suffix of the fingerprint of such a file."""
MAX_SECONDS = 253_402_300_799
"""The last second of the year 9999, the end of Python's times."""

WITHHELD = " withheld"
"""The suffix of the fingerprint of a file whose bytes are not the published ones any more."""

COLUMNS = (
    "filename, version, kind, seen, upload_time, yanked,"
    " sha256, requires_python, core_metadata, display_name, provenance, signed"
)


@frozen
class Description:
    """The facts about a file that only its contents tell."""

    sha256: str
    """The SHA-256 digest of the file, in lower-case hexadecimal."""
    requires_python: str | None
    """The ``Requires-Python`` of its core metadata."""
    core_metadata: str | None
    """The SHA-256 digest of its core metadata, if that is served alone (PEP 658)."""
    display_name: str
    """The project's name as the file spells it."""
    provenance: str | None = None
    """The SHA-256 digest of its provenance object (PEP 740), if there is a valid one."""


@frozen
class Row:
    """A file in the catalog."""

    filename: str
    """The name of the file."""
    version: str
    """The version of its release."""
    kind: ArchiveKind
    """The kind of archive."""
    fingerprint: str
    """Size, time and identity as last listed: it differs when the bytes may have changed."""
    upload_time: datetime
    """The time of its upload, or of its last change if that is unknown."""
    yanked: str | None
    """The reason for its yank; ``None`` if it is not yanked."""
    description: Description | None
    """The facts read from it; ``None`` if it was not read yet."""
    signed: bool = False
    """Whether it has a signature."""

    @classmethod
    def of(
        cls, project: str, stored: StoredFile, known: Row | None, read: Description | None, now: int
    ) -> Row:
        """Return the row of a listed file.

        :param known: its earlier row; the description is kept if the fingerprint is the same.
        :param read: the description read from the file just now, if any.
        :param now: the time in microseconds since the epoch.
        """
        parsed = known or parse_filename(stored.filename, project)
        # Without a record, a change within one tick of the clock leaves no trace.
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
            # The description or the record belongs to other bytes.
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
        """Whether its bytes are not the published ones, so that it is not served."""
        return self.fingerprint.endswith(WITHHELD)

    @property
    def is_shown(self) -> bool:
        """Whether pages show the file."""
        return self.description is not None and not self.is_withheld

    @property
    def is_young(self) -> bool:
        """Whether it was changed by hand just now, and may still be written to."""
        return self.fingerprint.removesuffix(WITHHELD).endswith(YOUNG)

    @classmethod
    def from_columns(cls, columns: tuple[Any, ...]) -> Row:
        """Return the row from the values of :data:`COLUMNS`."""
        filename, version, kind, said, uploaded, yanked, sha256, requires, *described, signed = columns
        version, requires = intern(version), requires and intern(requires)  # many files share them
        description = None if sha256 is None else Description(sha256, requires, *described)
        moment = from_moment(uploaded)
        return cls(filename, version, ArchiveKind(kind), said, moment, yanked, description, bool(signed))

    def to_columns(self) -> tuple[Any, ...]:
        """Return the values for :data:`COLUMNS`."""
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
        """Return the file for pages."""
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
    """The state of a project."""

    record: ProjectRecord = field(factory=ProjectRecord)
    """The record of the project. It names the owners even while these are the founders."""
    rows: Mapping[str, Row] = field(factory=dict)
    """Rows by file name."""


@frozen
class Snapshot:
    """The catalog's state of a project at the time of the lookup."""

    content: Content | None
    """The state of the project; ``None`` if the catalog had none."""
    serial: int
    """The serial of its last change, or 0."""
    written: int | None
    """The number of the write that saved it; ``None`` if the catalog had no state of it."""
    numbered: bool
    """Whether the journal had begun."""


def to_moment(time: datetime) -> int:
    """Return a time as microseconds since the epoch."""
    return (time - EPOCH) // timedelta(microseconds=1)


def from_moment(moment: int) -> datetime:
    """Return the time of a number of microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=moment)


def _time(nanoseconds: int) -> datetime:
    """Return the time of a number of nanoseconds since the epoch, which may be out of range."""
    return EPOCH + timedelta(seconds=min(max(nanoseconds // 1_000_000_000, 0), MAX_SECONDS))
