"""The reading of files, for the facts on pages that only their bytes tell."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import BinaryIO

from attrs import define, field
from twisted.logger import Logger

from pypid import archives
from pypid.catalog.rows import WITHHELD, Description, Row
from pypid.errors import InvalidArchive, InvalidMetadata, NotFound, StorageUnavailable
from pypid.formats import attestations, core_metadata
from pypid.formats.core_metadata import CoreMetadata
from pypid.formats.file_sha256 import file_sha256
from pypid.interfaces import IStorage
from pypid.model import StoredFile
from pypid.names import ArchiveKind, Filename, Sidecar, parse_filename

__all__ = ["Reader"]


@define(eq=False)
class Reader:
    """Reads files of a storage, and logs each fault of a file once. For workers' threads."""

    _warned: set[tuple[str, StoredFile, str]] = field(factory=set, init=False)
    _log = Logger()

    def read(
        self, storage: IStorage, project: str, stored: StoredFile
    ) -> Description | NotFound | StorageUnavailable:
        """Return the description of a file, or the error if it cannot be read now. Blocks."""
        name = parse_filename(stored.filename, project)
        stored_metadata = provenance = None
        try:
            if stored.untouched:
                with suppress(StorageUnavailable):  # the archive has it, too
                    stored_metadata = storage.sidecar(project, stored.filename, Sidecar.METADATA)
            if stored.provenance is not None:
                provenance = storage.sidecar(project, stored.filename, Sidecar.PROVENANCE)
            description, problem = storage.read(
                project,
                stored.filename,
                lambda file: _describe(file, name, stored, stored_metadata, provenance),
            )
        except (NotFound, StorageUnavailable) as error:
            return error
        if problem is not None:
            self.name(project, stored, "{file} is served without its core metadata: {error}", problem)
        if provenance is not None and description.provenance is None:
            self.name(project, stored, "{file} is served without what lies beside it as its provenance")
        return description

    def name(self, project: str, stored: StoredFile, text: str, error: Exception | None = None) -> None:
        """Log a fault of a file, once for each version of the file."""
        if (project, stored, text) not in self._warned:
            self._warned.add((project, stored, text))
            self._log.warn(text, file=stored.filename, error=str(error))

    def name_withheld(self, project: str, stored: StoredFile, row: Row) -> None:
        """Log that the bytes of a file are not the published ones, once for each version of the file."""
        if stored.record is None or row.description is None or (project, stored, WITHHELD) in self._warned:
            return
        self._warned.add((project, stored, WITHHELD))
        self._log.error(
            "{file} is withheld: its bytes were changed on disk. It was published with the SHA-256 digest"
            " {old}, and has {new} now. Copy the right file back, or see `pypid accept --help`",
            file=stored.filename,
            old=stored.record.sha256,
            new=row.description.sha256,
        )


def _describe(
    file: BinaryIO,
    name: Filename,
    stored: StoredFile,
    stored_metadata: bytes | None,
    provenance: bytes | None,
) -> tuple[Description, Exception | None]:
    """Return the description of a file, and the error if its core metadata is unusable. Blocks.

    :param stored_metadata: its core metadata, if the storage has it as a sidecar file.
    :param provenance: the content of its sidecar file of that kind.
    """
    record = stored.record if stored.untouched else None
    digest = record.sha256 if record is not None else file_sha256(file)
    file.seek(0)
    found, parsed, problem = stored_metadata, None, None
    try:
        if found is None:
            found = archives.core_metadata(file, name)
        parsed = core_metadata.parse(found) if found is not None else None
    except (InvalidArchive, InvalidMetadata) as error:
        problem = error
    served = found if found is not None and parsed is not None and _is_served(name, parsed) else None
    return Description(
        sha256=digest,
        requires_python=parsed.requires_python if parsed is not None else None,
        core_metadata=sha256(served).hexdigest() if served is not None else None,
        display_name=parsed.name if parsed is not None else name.display_name,
        provenance=_provenance_digest(provenance),
    ), problem


def _is_served(name: Filename, parsed: CoreMetadata) -> bool:
    """Return whether core metadata is served alone (PEP 658); of an sdist only if binding (PEP 643)."""
    return name.kind is ArchiveKind.WHEEL or (name.kind is ArchiveKind.SDIST and parsed.binding)


def _provenance_digest(data: bytes | None) -> str | None:
    """Return the SHA-256 digest of a provenance object (PEP 740), or ``None`` if it is not valid."""
    return sha256(data).hexdigest() if data is not None and attestations.is_provenance(data) else None
