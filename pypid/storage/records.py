"""Records of files and projects as the small JSON files that lie beside the archives."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from pypid.model import FileRecord, ProjectRecord, Status
from pypid.names import parse_filename

__all__ = [
    "MAX_RECORD",
    "PROJECT_RECORD",
    "pending_name",
    "from_json",
    "pending_removal_name",
    "project_from_json",
    "project_to_json",
    "published_as",
    "record_name",
    "recorded_file",
    "final_name",
    "to_json",
]

PROJECT_RECORD = ".pypid.json"
"""The name of a project's record in its directory."""

MAX_RECORD = 64 * 1024
"""No record is longer, in bytes."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def record_name(filename: str) -> str:
    """Give the name under which a file's record lies beside it; the dot hides it from listings."""
    return f".{filename}.json"


def pending_name(name: str) -> str:
    """Give the name under which something waits to take the place of what has ``name``."""
    return f".{name.removeprefix('.')}.coming"


def pending_removal_name(name: str) -> str:
    """Give the name of what says that nothing is to take the place of what has ``name``."""
    return f".{name}.going"


def final_name(name: str) -> str:
    """Give the name that a sidecar file has, or that it waits for."""
    return name[1:-7] if name.startswith(".") and name.endswith(".coming") else name


def recorded_file(name: str) -> str | None:
    """Give the name of the file whose record has this name, or ``None`` if it is no record's name."""
    return name[1:-5] if name.startswith(".") and name.endswith(".json") else None


def project_to_json(record: ProjectRecord) -> bytes:
    """Write a project's record down."""
    fields: dict[str, Any] = {"status": record.status.value, "reason": record.reason}
    if record.owners is not None:
        fields["owners"] = record.owners
    if record.maintainers:
        fields["maintainers"] = record.maintainers
    return _dump(fields)


def project_from_json(data: bytes) -> ProjectRecord:
    """Read a project's record; fields that a later version may add are passed over.

    :raises ValueError: it is none.
    """
    fields = _fields(data)
    reason = fields.get("reason")
    return ProjectRecord(
        status=Status(_take(fields, "status", str)),
        reason=None if reason is None else _take(fields, "reason", str),
        owners=None if fields.get("owners") is None else _names(fields, "owners"),
        maintainers=() if fields.get("maintainers") is None else _names(fields, "maintainers"),
    )


def to_json(record: FileRecord, project: str, filename: str) -> bytes:
    """Write a record down, and which file it is of."""
    fields: dict[str, Any] = {
        "project": project,
        "filename": filename,
        "upload_time": record.upload_time.astimezone(UTC).isoformat(),
        "uploader": record.uploader,
        "size": record.size,
        "modified_ns": record.modified_ns,
        "sha256": record.sha256,
    }
    if record.yanked is not None:
        fields["yanked"] = record.yanked
    if record.removed is not None:
        fields["removed"] = record.removed.astimezone(UTC).isoformat()
    if record.founder is not None:
        fields["founder"] = record.founder
    return _dump(fields)


def from_json(data: bytes) -> FileRecord:
    """Read a record; fields that a later version may add are passed over.

    :raises ValueError: it is none.
    """
    fields = _fields(data)
    sha256 = _take(fields, "sha256", str)
    if _SHA256.fullmatch(sha256) is None:
        raise ValueError("its sha256 is no digest")
    return FileRecord(
        upload_time=_time(fields, "upload_time"),
        uploader=None if fields.get("uploader") is None else _take(fields, "uploader", str),
        size=_take(fields, "size", int),
        modified_ns=_take(fields, "modified_ns", int),
        sha256=sha256,
        yanked=None if fields.get("yanked") is None else _take(fields, "yanked", str),
        removed=None if fields.get("removed") is None else _time(fields, "removed"),
        founder=None if fields.get("founder") is None else _take(fields, "founder", str),
    )


def published_as(data: bytes) -> tuple[str, str]:
    """Give the project and the file name that a record was made for, validated.

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


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1).encode("ascii") + b"\n"


def _time(fields: dict[str, Any], name: str) -> datetime:
    time = datetime.fromisoformat(_take(fields, name, str))
    if time.tzinfo is None:
        raise ValueError(f"its {name} has no time zone")
    return time.astimezone(UTC)


def _names(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_take({name: one}, name, str) for one in _take(fields, name, list))


def _take(fields: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = fields.get(name)
    if type(value) is not kind:
        raise ValueError(f"its {name} is no {kind.__name__}")
    if isinstance(value, str):
        value.encode()  # half a surrogate pair could not be shown on any page
    return value
