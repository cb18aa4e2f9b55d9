"""A project of another index, written down so that :mod:`pypid.upstream_pages.reading` reads it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pypid.model import File, Project, Status

__all__ = ["write_page"]

_encode = json.JSONEncoder(separators=(", ", ": ")).encode


def write_page(project: Project, meta: Mapping[str, object]) -> Iterator[str]:
    """Give the lines of a page as JSON (PEP 691), with absolute URLs and a file on each line.

    :param meta: what else is to stand under ``meta``.
    """
    head: dict[str, object] = {"meta": {"api-version": "1.4", **meta}, "name": project.display_name}
    if project.status is not Status.ACTIVE:
        head["project-status"] = {"status": project.status.value, "reason": project.status_reason}
    yield f'{_encode(head)[:-1]}, "files": [\n'
    last = len(project.files) - 1
    for number, file in enumerate(project.files):
        yield _encode(_entry(file)) + (",\n" if number < last else "\n")
    yield "]}\n"


def _entry(file: File) -> dict[str, object]:
    entry = {
        "filename": file.filename,
        "url": file.url,
        "hashes": dict(file.hashes),
        "size": file.size,
        "upload-time": file.upload_time.isoformat() if file.upload_time else None,
        "requires-python": file.requires_python,
        "core-metadata": {"sha256": file.core_metadata} if file.core_metadata else None,
        "yanked": None if file.yanked is None else file.yanked or True,
    }
    return {key: value for key, value in entry.items() if value is not None}
