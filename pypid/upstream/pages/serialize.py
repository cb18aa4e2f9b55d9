"""Projects of another index, written to the cache and read from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pypid.model import File, Project, Status
from pypid.upstream.pages.parse import read_json, read_project
from pypid.upstream.pages.values import as_mapping

__all__ = ["read_cached_page", "write_page"]

NOTES = "_pypid"

_encode = json.JSONEncoder(separators=(", ", ": ")).encode


def write_page(project: Project, notes: Mapping[str, object]) -> Iterator[str]:
    """Return the lines of a page as JSON (PEP 691), with absolute URLs and one file on each line.

    :param notes: further JSON values to write beside the page.
    """
    head: dict[str, object] = {
        "meta": {"api-version": "1.4", NOTES: notes},
        "name": project.display_name,
    }
    if project.status is not Status.ACTIVE:
        head["project-status"] = {"status": project.status.value, "reason": project.status_reason}
    yield f'{_encode(head)[:-1]}, "files": [\n'
    last = len(project.files) - 1
    for number, file in enumerate(project.files):
        yield _encode(_entry(file)) + (",\n" if number < last else "\n")
    yield "]}\n"


def read_cached_page(project: str, body: bytes) -> tuple[Project, Mapping[str, object]]:
    """Read a page of :func:`write_page` and its notes, with validation, as it may have been changed.

    :raises UpstreamFailed: the page is malformed.
    """
    document = read_json(project, body)
    notes = as_mapping(as_mapping(document.get("meta")).get(NOTES))
    return read_project(project, document, ""), notes


def _entry(file: File) -> dict[str, object]:
    metadata = file.core_metadata
    entry = {
        "filename": file.filename,
        "url": file.url,
        "hashes": dict(file.hashes),
        "size": file.size,
        "upload-time": file.upload_time.isoformat() if file.upload_time else None,
        "requires-python": file.requires_python,
        "core-metadata": {"sha256": metadata} if isinstance(metadata, str) else metadata,
        "provenance": file.provenance_url,
        "yanked": None if file.yanked is None else file.yanked or True,
    }
    return {key: value for key, value in entry.items() if value is not None}
