"""A project's page at another index, as JSON or as HTML, made a :class:`~pypid.model.Project`.

An entry that makes no sense is passed over, as clients do; a page that makes none is refused as a
whole, so that the last good one can be shown instead. It may take long: in a worker, then.
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
from pypid.upstream.pages.html import read_html
from pypid.upstream.pages.listings import is_empty_listing

__all__ = ["ACCEPT", "MAX_PAGE", "read_json", "read_page", "read_project", "refused"]

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01"
"""What is asked for (PEP 691, "Content types")."""
MAX_PAGE = 64 * 1024 * 1024
"""How many bytes a page may have."""
MAX_FILES = 100_000
"""How many files it may list."""
MAX_VALUES = 5_000_000
"""How many values it may have, as JSON: empty ones take twenty times the room in memory."""
MAX_HEAD = 4096
"""Within how many characters a page's title is looked for."""

_JSON = {"application/vnd.pypi.simple.v1+json", "application/json"}
_HTML = {"application/vnd.pypi.simple.v1+html", "text/html", "application/xhtml+xml"}
_API_VERSION = re.compile(r"1(?:\.[0-9]+)?")


def read_page(project: str, body: bytes, content_type: str | None, url: str) -> Project:
    """Read a page.

    :param project: the project's normalized name.
    :param content_type: the value of the header ``Content-Type``.
    :param url: where the page is, after all redirects.
    :raises UpstreamFailed: it is no such page.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type in _JSON:
        return read_project(project, read_json(project, body), url)
    if media_type not in _HTML:
        raise refused(project, f"it is of the type {media_type[:80]!a}")
    text = body.decode("utf-8", "replace")
    try:
        document = read_html(text, MAX_FILES)
    except ValueError as error:
        raise refused(project, str(error)) from None
    with suppress(ValueError):
        url = values.absolute_url(url, document.get("base", ""))
    found = read_project(project, document, url)
    if not found.files and not _is_list(project, text, document):
        raise refused(project, "it is a page of another kind")
    return found


def read_json(project: str, body: bytes) -> Mapping[str, object]:
    """Read a JSON object. :raises UpstreamFailed: it is none."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise refused(project, "it has too many values")
    try:
        # The hook is there for other threads, which have no turn while the C parser is at work.
        document = json.loads(body.decode("utf-8-sig"), object_hook=_unchanged)
    except (ValueError, RecursionError):
        raise refused(project, "it is not the JSON that it should be") from None
    if not isinstance(document, dict):
        raise refused(project, "it is not a JSON object")
    return document


def read_project(project: str, document: Mapping[str, object], base: str) -> Project:
    """Read an object of PEP 691, with URLs relative to ``base``.

    :raises UpstreamFailed: it is not about the project.
    """
    version = values.as_mapping(document.get("meta")).get("api-version", "1.0")
    if not isinstance(version, str) or _API_VERSION.fullmatch(version) is None:
        raise refused(project, "its version of the Simple API is not 1")
    entries = document.get("files")
    if not isinstance(entries, list):
        raise refused(project, "it has no list of files")
    if len(entries) > MAX_FILES:
        raise refused(project, f"it lists more than {MAX_FILES} files")
    name = document.get("name", project)
    if not isinstance(name, str) or not is_name(name) or normalize(name) != project:
        raise refused(project, "it is about another project")
    status, reason = values.project_status(document.get("project-status"))
    # Of a quarantined project nothing is offered, whatever the page lists (PEP 792).
    files = _files(project, entries, base) if status is not Status.QUARANTINED else ()
    return Project(project, name, files, status, reason)


def refused(project: str, why: str) -> UpstreamFailed:
    """Say that a page cannot be used."""
    return UpstreamFailed(f"the upstream's page of {project} cannot be used: {why}")


def _files(project: str, entries: Sequence[object], base: str) -> tuple[File, ...]:
    """Read the files, oldest version first; of several with one name the first counts."""
    files: dict[str, File] = {}
    for entry in entries:
        file = _file(project, values.as_mapping(entry), base)
        if file is not None:
            files.setdefault(file.filename, file)
    key = cache(version_key)
    return tuple(sorted(files.values(), key=lambda file: (key(file.version), file.filename)))


def _file(project: str, entry: Mapping[str, object], base: str) -> File | None:
    """Read a file, or nothing if it is none of the project's, or cannot be had or checked."""
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


def _is_list(project: str, text: str, document: Mapping[str, Any]) -> bool:
    """Tell whether a page without files is a list of files all the same, not one where to sign in, say."""
    if document["meta"] or document["project-status"] or "links for" in text[:MAX_HEAD].lower():
        return True
    names = (entry["filename"][:MAX_FILENAME] for entry in document["files"])
    return any(normalize(name).startswith(f"{project}-") for name in names) or is_empty_listing(project, text)


def _unchanged(found: dict[str, object]) -> dict[str, object]:
    return found
