"""Records of published files as the small JSON files that lie beside them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from pypid.model import Publication, Record
from pypid.names import parse_filename

__all__ = ["MAX_RECORD", "from_json", "metadata_name", "published_as", "record_name", "to_json"]

MAX_RECORD = 64 * 1024
"""No record is longer, in bytes."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def record_name(filename: str) -> str:
    """Give the name under which a file's record lies beside it; the dot hides it from listings."""
    return f".{filename}.json"


def metadata_name(filename: str) -> str:
    """Give the name under which a file's core metadata lies beside it (PEP 658)."""
    return f"{filename}.metadata"


def to_json(record: Record, publication: Publication) -> bytes:
    """Write a record down, and under which name it was published."""
    fields = {
        "project": publication.project,
        "filename": publication.filename,
        "upload_time": record.upload_time.astimezone(UTC).isoformat(),
        "uploader": record.uploader,
        "size": record.size,
        "modified_ns": record.modified_ns,
        "sha256": record.sha256,
    }
    return json.dumps(fields, indent=1).encode("ascii") + b"\n"


def from_json(data: bytes) -> Record:
    """Read a record; fields that a later version may add are passed over.

    :raises ValueError: it is none.
    """
    fields = _fields(data)
    upload_time = datetime.fromisoformat(_take(fields, "upload_time", str))
    if upload_time.tzinfo is None:
        raise ValueError("its upload_time has no time zone")
    sha256 = _take(fields, "sha256", str)
    if _SHA256.fullmatch(sha256) is None:
        raise ValueError("its sha256 is no digest")
    return Record(
        upload_time=upload_time.astimezone(UTC),
        uploader=None if fields.get("uploader") is None else _take(fields, "uploader", str),
        size=_take(fields, "size", int),
        modified_ns=_take(fields, "modified_ns", int),
        sha256=sha256,
    )


def published_as(data: bytes) -> tuple[str, str]:
    """Give the project and the file name that a record was made for, vetted.

    :raises ValueError: it is no record.
    :raises InvalidFilename: nothing is ever published under these names.
    """
    fields = _fields(data)
    parsed = parse_filename(_take(fields, "filename", str), _take(fields, "project", str))
    return parsed.project, parsed.filename


def _fields(data: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(fields, dict):
        raise ValueError("it is no JSON object")
    return fields


def _take(fields: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = fields.get(name)
    if type(value) is not kind:
        raise ValueError(f"its {name} is no {kind.__name__}")
    return value
