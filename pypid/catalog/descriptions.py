"""The facts on pages that only the bytes of a file tell. They are found in any thread or process."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

from attrs import frozen

from pypid import archives
from pypid.catalog.rows import Description
from pypid.errors import InvalidArchive, InvalidMetadata
from pypid.formats import attestations, core_metadata
from pypid.formats.core_metadata import CoreMetadata
from pypid.formats.file_sha256 import file_sha256
from pypid.names import ArchiveKind, Filename

__all__ = ["Described", "Undescribed", "describe", "describe_all", "describe_content"]

Described = tuple[Description, Sequence[tuple[str, Exception | None]]]
"""The description of a file, and its faults: for each a line for the log, and the error if there is one."""

_NO_METADATA = "{file} is served without its core metadata: {error}"
_NO_PROVENANCE = "{file} is served without what lies beside it as its provenance"


@frozen
class Undescribed:
    """A file to describe."""

    name: Filename
    """Its parsed name."""
    sha256: str | None
    """Its digest, if its record is certain to belong to its bytes."""
    metadata: bytes | None
    """Its core metadata, if the storage has it as a sidecar file."""
    provenance: bytes | None
    """The content of its sidecar file of that kind."""
    content: bytes = b""
    """Its bytes, if they were read already."""


def describe_all(files: Sequence[Undescribed]) -> Sequence[Described]:
    """Describe files whose contents were read. Blocks: it computes."""
    return [describe_content(file) for file in files]


def describe_content(file: Undescribed) -> Described:
    """Describe a file whose content was read. Blocks: it computes."""
    return describe(BytesIO(file.content), file)


def describe(file: BinaryIO, about: Undescribed) -> Described:
    """Describe an open file, which is at its beginning. Blocks. :raises OSError: it cannot be read."""
    digest = about.sha256 if about.sha256 is not None else file_sha256(file)
    file.seek(0)
    found, parsed = about.metadata, None
    faults: list[tuple[str, Exception | None]] = []
    try:
        if found is None:
            found = archives.core_metadata(file, about.name)
        parsed = core_metadata.parse(found) if found is not None else None
    except (InvalidArchive, InvalidMetadata) as error:
        faults.append((_NO_METADATA, error))
    served = found if found is not None and parsed is not None and _is_served(about.name, parsed) else None
    provenance = _provenance_digest(about.provenance)
    if about.provenance is not None and provenance is None:
        faults.append((_NO_PROVENANCE, None))
    return Description(
        sha256=digest,
        requires_python=parsed.requires_python if parsed is not None else None,
        core_metadata=sha256(served).hexdigest() if served is not None else None,
        display_name=parsed.name if parsed is not None else about.name.display_name,
        provenance=provenance,
    ), faults


def _is_served(name: Filename, parsed: CoreMetadata) -> bool:
    """Return whether core metadata is served alone (PEP 658); of an sdist only if binding (PEP 643)."""
    return name.kind is ArchiveKind.WHEEL or (name.kind is ArchiveKind.SDIST and parsed.binding)


def _provenance_digest(data: bytes | None) -> str | None:
    """Return the SHA-256 digest of a provenance object (PEP 740), or ``None`` if it is not valid."""
    return sha256(data).hexdigest() if data is not None and attestations.is_provenance(data) else None
