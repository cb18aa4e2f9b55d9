"""Parses a project's page at another index, JSON or HTML, into a :class:`~pypid.model.Project`.

A malformed entry is skipped, as clients do. A malformed page is refused as a whole, so that the
last good one can be served instead. To parse a page may take long, so it belongs in a worker.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from pypid.errors import InvalidFilename, UpstreamFailed
from pypid.model import File, Project, Status
from pypid.names import MAX_FILENAME, is_name, normalize, parse_filename, version_key
from pypid.upstream.pages import values
from pypid.upstream.pages.empty_directory import is_empty_listing
from pypid.upstream.pages.html import read_html

__all__ = ["ACCEPT", "MAX_PAGE", "read_json", "read_page", "read_project", "unusable_page"]

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01"
"""The ``Accept`` header of requests (PEP 691, "Content types")."""
MAX_PAGE = 64 * 1024 * 1024
"""Largest page in bytes."""
MAX_FILES = 100_000
"""Largest number of files on a page."""
MAX_VALUES = 5_000_000
"""Largest number of values in a JSON page; in memory empty ones take twenty times their size."""
MAX_HEAD = 4096
"""Number of characters at the start of a page in which its title is searched."""

_JSON = {"application/vnd.pypi.simple.v1+json", "application/json"}
_HTML = {"application/vnd.pypi.simple.v1+html", "text/html", "application/xhtml+xml"}
_API_VERSION = re.compile(r"1(?:\.[0-9]+)?")


def read_page(project: str, body: bytes, content_type: str | None, url: str) -> Project:
    """Parse a page.

    :param project: the project's normalized name.
    :param content_type: the value of the header ``Content-Type``.
    :param url: the final URL of the page, after all redirects.
    :raises UpstreamFailed: it is not a page of the project.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type in _JSON:
        return read_project(project, read_json(project, body), url)
    if media_type not in _HTML:
        raise unusable_page(project, f"it is of the type {media_type[:80]!a}")
    text = body.decode("utf-8", "replace")
    try:
        document = read_html(text, MAX_FILES)
    except ValueError as error:
        raise unusable_page(project, str(error)) from None
    with suppress(ValueError):
        url = values.absolute_url(url, document.get("base", ""))
    found = read_project(project, document, url)
    if not found.files and not _is_file_list(project, text, document):
        raise unusable_page(project, "it is a page of another kind")
    return found


def read_json(project: str, body: bytes) -> Mapping[str, object]:
    """Parse a JSON object. :raises UpstreamFailed: it is malformed, or has too many values."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise unusable_page(project, "it has too many values")
    try:
        # The hook lets other threads run: the C parser alone would not release the interpreter.
        document = json.loads(body.decode("utf-8-sig"), object_hook=_unchanged)
    except (ValueError, RecursionError):
        raise unusable_page(project, "it is not the JSON that it should be") from None
    if not isinstance(document, dict):
        raise unusable_page(project, "it is not a JSON object")
    return document


def read_project(project: str, document: Mapping[str, object], base: str) -> Project:
    """Read a JSON object in the structure of PEP 691, with URLs relative to ``base``.

    :raises UpstreamFailed: it is malformed, or about another project.
    """
    version = values.as_mapping(document.get("meta")).get("api-version", "1.0")
    if not isinstance(version, str) or _API_VERSION.fullmatch(version) is None:
        raise unusable_page(project, "its version of the Simple API is not 1")
    entries = document.get("files")
    if not isinstance(entries, list):
        raise unusable_page(project, "it has no list of files")
    if len(entries) > MAX_FILES:
        raise unusable_page(project, f"it lists more than {MAX_FILES} files")
    name = document.get("name", project)
    if not isinstance(name, str) or not is_name(name) or normalize(name) != project:
        raise unusable_page(project, "it is about another project")
    status, reason = values.project_status(document.get("project-status"))
    # A quarantined project has no files, whatever the page lists (PEP 792).
    files = _files(project, entries, base) if status is not Status.QUARANTINED else ()
    return Project(project, name, files, status, reason)


def unusable_page(project: str, why: str) -> UpstreamFailed:
    """Return the error for a page that cannot be used."""
    return UpstreamFailed(f"the upstream's page of {project} cannot be used: {why}")


def _files(project: str, entries: Sequence[object], base: str) -> tuple[File, ...]:
    """Return the files, oldest version first; of several entries with one name the first counts."""
    files: dict[str, File] = {}
    for entry in entries:
        file = _file(project, values.as_mapping(entry), base)
        if file is not None:
            files.setdefault(file.filename, file)
    key = cache(version_key)
    return tuple(sorted(files.values(), key=lambda file: (key(file.version), file.filename)))


def _file(project: str, entry: Mapping[str, object], base: str) -> File | None:
    """Return the file of an entry, or ``None`` if its name, URL or digests are invalid."""
    filename = entry.get("filename")
    if not isinstance(filename, str):
        return None
    try:
        name = parse_filename(filename, project)
        url = values.absolute_url(base, entry.get("url"))
        hashes = values.hashes(entry.get("hashes"))
    except (InvalidFilename, ValueError):
        return None
    return File(
        filename=filename,
        version=name.version,
        kind=name.kind,
        size=values.file_size(entry.get("size")),
        hashes=hashes,
        modified_ns=None,
        upload_time=values.upload_time(entry.get("upload-time")),
        requires_python=values.requires_python(entry.get("requires-python")),
        core_metadata=values.core_metadata(entry),
        yanked=values.yanked(entry.get("yanked")),
        url=url,
        provenance_url=values.provenance(base, entry.get("provenance")),
    )


def _is_file_list(project: str, text: str, document: Mapping[str, Any]) -> bool:
    """Return whether a page without files is a list of files, and not a sign-in page, for example."""
    if document["meta"] or document["project-status"] or "links for" in text[:MAX_HEAD].lower():
        return True
    names = (entry["filename"][:MAX_FILENAME] for entry in document["files"])
    return any(normalize(name).startswith(f"{project}-") for name in names) or is_empty_listing(project, text)


def _unchanged(found: dict[str, object]) -> dict[str, object]:
    return found
