"""Pages of the Simple repository API, as JSON and as HTML (PEP 503, 691, 700, 714, 792; version 1.4).

Machines read these pages all day long, so they are rendered without templates, which are slower.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from html import escape
from urllib.parse import quote

from attrs import evolve

from pypid.model import File, Project, Status
from pypid.names import Sidecar

__all__ = [
    "MediaType",
    "accepted",
    "accepts_gzip",
    "file_list",
    "files_page",
    "index_page",
    "negotiate",
    "project_page",
]

API_VERSION = "1.4"
UNSIZED_API_VERSION = "1.0"
"""The version of a JSON page with a file of unknown size: later versions require the size (PEP 700)."""
MAX_WEIGHTED = 64

# It encodes one entry at a time: while the C encoder runs, no other thread does.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_HREF = re.compile(r"href(?=\s*=)", re.IGNORECASE)
_WEIGHT = re.compile(r"0?\.[0-9]+|0\.?|1(?:\.0*)?")
# Digests that both pip and uv accept in a link; uv refuses a whole page with any other.
_FRAGMENTS = ("sha256", "sha512", "sha384", "md5")


class MediaType(Enum):
    """The media types of pages; the values are their names in ``Accept``."""

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML_V1 = "application/vnd.pypi.simple.v1+html"
    HTML = "text/html"

    @property
    def content_type(self) -> bytes:
        """The value of ``Content-Type`` for a page of this type."""
        charset = "" if self is MediaType.JSON else "; charset=utf-8"
        return f"{self.value}{charset}".encode("ascii")


# The order of preference among types of the same weight.
_PREFERENCE = (MediaType.HTML, MediaType.HTML_V1, MediaType.JSON)
_STATUS_METAS = {"status": "pypi:project-status", "reason": "pypi:project-status-reason"}
_NAMED = {media.value: media for media in MediaType} | {
    "application/vnd.pypi.simple.latest+json": MediaType.JSON,
    "application/vnd.pypi.simple.latest+html": MediaType.HTML_V1,
}


def negotiate(accept: str | None, format: str | None = None) -> MediaType | None:  # noqa: A002
    """Choose the type of a page (RFC 9110 section 12.5.1; PEP 691, "Version + format selection").

    A type that the client names goes before a type that matches only a wildcard of the same weight.
    If types are still equal, or the client names none, HTML is chosen.

    :param accept: the ``Accept`` header; several are joined by commas.
    :param format: the ``format`` of the query string, decoded. It overrides ``accept`` if it
        is a known type.
    :returns: ``None`` if the client accepts no type; the answer is then a 406.
    """
    # A "+" that was not percent-encoded in the query string arrives as a blank.
    if format is not None and (named := _NAMED.get(format.lower().replace(" ", "+"))):
        return named
    best = accepted(accept, [media.value for media in _PREFERENCE])
    return MediaType(best) if best is not None else None


def accepted(accept: str | None, types: Sequence[str]) -> str | None:
    """Choose one of ``types``, as :func:`negotiate` does, or ``None``; without a header the first one."""
    qualities = _qualities(accept or "")
    if not qualities:
        return types[0]

    def rank(media_type: str) -> tuple[float, int]:
        main_type = media_type.partition("/")[0]
        for wildcards, media_range in enumerate((media_type, f"{main_type}/*", "*/*")):
            if media_range in qualities:
                return qualities[media_range], -wildcards
        return 0.0, 0

    best = max(types, key=rank)
    return best if rank(best)[0] > 0 else None


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether a page should be sent gzipped (RFC 9110 section 12.5.3).

    :param accept_encoding: the header; several are joined by commas.
    """
    weights = _weights(accept_encoding or "")
    named = [weights[name] for name in ("gzip", "x-gzip") if name in weights]
    gzip = max(named) if named else weights.get("*", 0.0)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def index_page(projects: Mapping[str, int], media: MediaType) -> bytes:
    """Render the page that lists all projects.

    :param projects: the serial of the last change of each, by normalized name.
    """
    if media is MediaType.JSON:
        entries = (_encode({"name": name, "_last-serial": serial}) for name, serial in projects.items())
        meta = _meta(API_VERSION, max(projects.values(), default=0))
        return _json({"meta": meta}, "projects", entries)
    return _html("Simple index", (_link(f"{name}/", name) for name in projects))


def project_page(
    project: Project, media: MediaType, files_url: str, provenance_url: str | None = None
) -> bytes:
    """Render the page that lists a project's files; a quarantined project shows none (PEP 792).

    :param files_url: the first part of the files' URLs, relative to the page or absolute; it ends
        in ``/``.
    :param provenance_url: the same for the URLs of provenance objects, which must be absolute and
        secure (PEP 740); ``None`` if the page should not announce provenance.
    """
    if project.status is Status.QUARANTINED:
        project = evolve(project, files=())
    if media is MediaType.JSON:
        is_sized = all(file.size is not None for file in project.files)
        meta = _meta(API_VERSION if is_sized else UNSIZED_API_VERSION, project.serial)
        page: dict[str, object] = {"meta": meta, "name": project.name}
        if project.status is not Status.ACTIVE:
            page["project-status"] = _status(project)
        page["versions"] = project.versions
        entries = (_encode(_entry(file, files_url, provenance_url)) for file in project.files)
        return _json(page, "files", entries)
    metas = {}
    if project.status is not Status.ACTIVE:
        metas = {_STATUS_METAS[key]: value for key, value in _status(project).items()}
    anchors = (_anchor(file, files_url, provenance_url) for file in project.files)
    return _html(f"Links for {project.display_name}", anchors, metas)


def file_list(project: Project, files_url: str) -> str:
    """Render the part of :func:`files_page` that lists a project's files; see :func:`project_page`."""
    files = project.files if project.status is not Status.QUARANTINED else ()
    return "\n".join(_anchor(file, files_url) for file in files)


def files_page(lists: Iterable[str]) -> bytes:
    """Render a page that lists the files of many projects, for ``--find-links``.

    :param lists: the results of :func:`file_list`.
    """
    return _html("Files", filter(None, lists))


def _weights(header: str) -> dict[str, float]:
    """Return the weight of each well-formed item of a header; parameters other than ``q`` are ignored."""
    weights: dict[str, float] = {}
    for item in header.lower().split(",", MAX_WEIGHTED)[:MAX_WEIGHTED]:
        name, *parameters = (part.strip() for part in item.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if name and _WEIGHT.fullmatch(weight):
            weights[name] = max(float(weight), weights.get(name, 0.0))
    return weights


def _qualities(accept: str) -> dict[str, float]:
    """Return the weight of each media range, with the ``v1`` names for types of the Simple API."""
    qualities: dict[str, float] = {}
    for media_range, weight in _weights(accept).items():
        if "/" in media_range:
            if media := _NAMED.get(media_range):
                media_range = media.value
            qualities[media_range] = max(weight, qualities.get(media_range, 0.0))
    return qualities


def _meta(version: str, serial: int) -> dict[str, object]:
    return {"api-version": version, "_last-serial": serial} if serial else {"api-version": version}


def _json(page: Mapping[str, object], key: str, entries: Iterable[str]) -> bytes:
    """Return a JSON page whose last key is ``key``, with encoded ``entries``."""
    head = _encode(page).removesuffix("}")
    # Clients refuse a page with a lone surrogate, which an upstream's JSON may contain.
    return f'{head},"{key}":[{",".join(entries)}]}}'.encode("utf-8", "replace")


def _status(project: Project) -> dict[str, str]:
    """Return the object for a project's status, with the reason if there is one (PEP 792)."""
    reason = {"reason": project.status_reason} if project.status_reason else {}
    return {"status": project.status.value, **reason}


def _entry(file: File, files_url: str, provenance_url: str | None) -> dict[str, object]:
    """Return the JSON object of a file, in which no value may be ``null`` (PEP 691, PEP 700)."""
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": _url(file, files_url),
        "hashes": dict(file.hashes),
        "yanked": False if file.yanked is None else file.yanked or True,
    }
    if file.size is not None:
        entry["size"] = file.size
    if file.upload_time is not None:
        entry["upload-time"] = _timestamp(file.upload_time)
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.core_metadata:
        entry["core-metadata"] = file.core_metadata is True or {"sha256": file.core_metadata}
    if file.signed is not None:
        entry["gpg-sig"] = file.signed
    if provenance := _provenance(file, provenance_url):
        entry["provenance"] = provenance
    return entry


def _html(title: str, anchors: Iterable[str], metas: Mapping[str, str] | None = None) -> bytes:
    title = _escape(title)
    metas = {"pypi:repository-version": API_VERSION, **(metas or {})}
    lines = (
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        *(f'<meta name="{name}" content="{_escape(value)}">' for name, value in metas.items()),
        f"<title>{title}</title>",
        "</head>",
        "<body>",
        f"<h1>{title}</h1>",
        *anchors,
        "</body>",
        "</html>",
        "",
    )
    return "\n".join(lines).encode("utf-8", "replace")


def _link(url: str, text: str) -> str:
    return f'<a href="{_escape(url)}">{_escape(text)}</a><br>'


def _anchor(file: File, files_url: str, provenance_url: str | None = None) -> str:
    """Return the anchor of a file on one line, as some clients parse it by pattern (PEP 503)."""
    url = _url(file, files_url)
    if algorithm := next((name for name in _FRAGMENTS if name in file.hashes), None):
        url += f"#{algorithm}={file.hashes[algorithm]}"
    attributes = {"href": url}
    if file.size is not None:
        attributes["data-size"] = str(file.size)
    if file.upload_time is not None:
        attributes["data-upload-time"] = _timestamp(file.upload_time)
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.core_metadata:
        digest = "true" if file.core_metadata is True else f"sha256={file.core_metadata}"
        # pip 22.3 to 23.0 knows the second name only (PEP 714).
        attributes |= {"data-core-metadata": digest, "data-dist-info-metadata": digest}
    if file.signed is not None:
        attributes["data-gpg-sig"] = "true" if file.signed else "false"
    if provenance := _provenance(file, provenance_url):
        attributes["data-provenance"] = provenance
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    written = " ".join(f'{name}="{_escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{_escape(file.filename)}</a><br>"


def _escape(text: str) -> str:
    """Escape a text for HTML, with line ends, and with ``href=``, which old setuptools takes for a link."""
    escaped = escape(text).replace("\n", "&#10;").replace("\r", "&#13;")
    return _HREF.sub(lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", escaped)


def _url(file: File, files_url: str) -> str:
    return files_url + quote(file.filename, safe="+!", errors="replace")


def _provenance(file: File, provenance_url: str | None) -> str | None:
    if provenance_url is None or not (file.provenance or file.provenance_url):
        return None
    return Sidecar.PROVENANCE.of(_url(file, provenance_url))


def _timestamp(time: datetime) -> str:
    """Return a time in UTC with six fraction digits or none; PDM on old Pythons reads no other (PEP 700)."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
