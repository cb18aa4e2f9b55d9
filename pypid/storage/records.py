"""Records of files and projects, as small JSON files beside the archives."""

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
    "final_name",
    "from_json",
    "pending_name",
    "pending_removal_name",
    "project_from_json",
    "project_to_json",
    "published_as",
    "record_name",
    "recorded_file",
    "to_json",
]

PROJECT_RECORD = ".pypid.json"
"""The name of a project's record in its directory."""

MAX_RECORD = 64 * 1024
"""The greatest length of a record, in bytes."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def record_name(filename: str) -> str:
    """Return the name of a file's record. The leading dot hides it from listings."""
    return f".{filename}.json"


def pending_name(name: str) -> str:
    """Return the temporary name of a file that will replace the file ``name``."""
    return f".{name.removeprefix('.')}.coming"


def pending_removal_name(name: str) -> str:
    """Return the name of the marker file that announces the removal of the file ``name``."""
    return f".{name}.going"


def final_name(name: str) -> str:
    """Return the final name of a sidecar file, whether or not it has its pending name now."""
    return name[1:-7] if name.startswith(".") and name.endswith(".coming") else name


def recorded_file(name: str) -> str | None:
    """Return the name of the file that a record belongs to, or ``None`` if this is not a record's name."""
    return name[1:-5] if name.startswith(".") and name.endswith(".json") else None


def project_to_json(record: ProjectRecord) -> bytes:
    """Return a project's record as JSON."""
    fields: dict[str, Any] = {"status": record.status.value, "reason": record.reason}
    if record.owners is not None:
        fields["owners"] = record.owners
    if record.maintainers:
        fields["maintainers"] = record.maintainers
    return _dump(fields)


def project_from_json(data: bytes) -> ProjectRecord:
    """Return a project's record from JSON. Unknown fields, which a later version may add, are ignored.

    :raises ValueError: it is not a record.
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
    """Return a file's record as JSON, with the names of the project and of the file."""
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
    """Return a file's record from JSON. Unknown fields, which a later version may add, are ignored.

    :raises ValueError: it is not a record.
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
    """Return the project and the file name of a record, validated.

    :raises ValueError: it is not a record.
    :raises InvalidFilename: no file can have these names.
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
        value.encode()  # raises for half a surrogate pair, which no page could show
    return value
