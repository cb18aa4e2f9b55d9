"""Pages of the Simple repository API, as JSON and as HTML (PEP 503, 691, 700, 714; version 1.4).

Machines read these pages, all day long; they are put together here without templates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from html import escape
from urllib.parse import quote

from pypid.model import File, Project

__all__ = ["MediaType", "index_page", "negotiate", "project_page"]

API_VERSION = "1.4"
MAX_MEDIA_RANGES = 64

_WEIGHT = re.compile(r"0?\.[0-9]+|0\.?|1(?:\.0*)?")
# Digests that pip and uv both know in a link; uv refuses a whole page for any other.
_FRAGMENTS = ("sha256", "sha512", "sha384", "md5")


class MediaType(Enum):
    """The types that a page can have; the values are their names in ``Accept``."""

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML_V1 = "application/vnd.pypi.simple.v1+html"
    HTML = "text/html"

    @property
    def content_type(self) -> bytes:
        """The value of ``Content-Type`` for a page of this type."""
        charset = "" if self is MediaType.JSON else "; charset=utf-8"
        return f"{self.value}{charset}".encode("ascii")


# What is preferred among types that the client likes as much.
_PREFERENCE = (MediaType.HTML, MediaType.HTML_V1, MediaType.JSON)
_NAMED = {media.value: media for media in MediaType} | {
    "application/vnd.pypi.simple.latest+json": MediaType.JSON,
    "application/vnd.pypi.simple.latest+html": MediaType.HTML_V1,
}


def negotiate(accept: str | None, format: str | None = None) -> MediaType | None:  # noqa: A002
    """Choose the type of a page (RFC 9110 section 12.5.1; PEP 691, "Version + format selection").

    Types that the client names go before those that only a wildcard of the same weight
    covers; what is undecided then is HTML, as it is for a client that does not say.

    :param accept: the ``Accept`` header, several of them joined by commas.
    :param format: the ``format`` of the query string, decoded. It overrides ``accept`` if it
        is one of the known types.
    :returns: ``None`` if there is no type that the client accepts, which makes a 406.
    """
    # A "+" that was not percent-encoded in the query string arrives as a blank.
    if format is not None and (named := _NAMED.get(format.lower().replace(" ", "+"))):
        return named
    qualities = _qualities(accept or "")
    if not qualities:
        return MediaType.HTML

    def rank(media: MediaType) -> tuple[float, int]:
        main_type = media.value.partition("/")[0]
        for wildcards, media_range in enumerate((media.value, f"{main_type}/*", "*/*")):
            if media_range in qualities:
                return qualities[media_range], -wildcards
        return 0.0, 0

    best = max(_PREFERENCE, key=rank)
    return best if rank(best)[0] > 0 else None


def index_page(projects: Sequence[str], media: MediaType) -> bytes:
    """Render the page that lists all projects, given their normalized names."""
    if media is MediaType.JSON:
        return _json({"projects": [{"name": name} for name in projects]})
    return _html("Simple index", (f'<a href="{escape(name)}/">{escape(name)}</a><br>' for name in projects))


def project_page(project: Project, media: MediaType, files_url: str) -> bytes:
    """Render the page that lists a project's files.

    :param files_url: what their URLs begin with, relative to the page or absolute; it ends
        in ``/``.
    """
    if media is MediaType.JSON:
        return _json(
            {
                "name": project.name,
                "versions": project.versions,
                "files": [_entry(file, files_url) for file in project.files],
            }
        )
    return _html(f"Links for {project.display_name}", (_anchor(file, files_url) for file in project.files))


def _qualities(accept: str) -> dict[str, float]:
    """Give the weight of each well-formed media range; parameters other than ``q`` do not count."""
    qualities: dict[str, float] = {}
    for item in accept.lower().split(",", MAX_MEDIA_RANGES)[:MAX_MEDIA_RANGES]:
        media_range, *parameters = (part.strip() for part in item.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if "/" in media_range and _WEIGHT.fullmatch(weight):
            if media := _NAMED.get(media_range):
                media_range = media.value
            qualities[media_range] = max(float(weight), qualities.get(media_range, 0.0))
    return qualities


def _json(page: dict[str, object]) -> bytes:
    page = {"meta": {"api-version": API_VERSION}, **page}
    # A lone surrogate, which an upstream's JSON may hold, would make clients refuse the page.
    return json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _entry(file: File, files_url: str) -> dict[str, object]:
    """Describe a file for JSON, where no key may be ``null`` (PEP 691, PEP 700)."""
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": _url(file, files_url),
        "hashes": dict(file.hashes),
        "size": file.size,
        "yanked": False if file.yanked is None else file.yanked or True,
    }
    if file.upload_time is not None:
        entry["upload-time"] = _timestamp(file.upload_time)
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.core_metadata:
        entry["core-metadata"] = {"sha256": file.core_metadata}
    return entry


def _html(title: str, anchors: Iterable[str]) -> bytes:
    title = escape(title)
    lines = (
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta name="pypi:repository-version" content="{API_VERSION}">',
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


def _anchor(file: File, files_url: str) -> str:
    """Describe a file for HTML, on one line, which some clients take apart by pattern (PEP 503)."""
    url = _url(file, files_url)
    if algorithm := next((name for name in _FRAGMENTS if name in file.hashes), None):
        url += f"#{algorithm}={file.hashes[algorithm]}"
    attributes = {"href": url, "data-size": str(file.size)}
    if file.upload_time is not None:
        attributes["data-upload-time"] = _timestamp(file.upload_time)
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.core_metadata:
        digest = f"sha256={file.core_metadata}"
        # pip 22.3 to 23.0 knows the second name only (PEP 714).
        attributes |= {"data-core-metadata": digest, "data-dist-info-metadata": digest}
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    written = " ".join(f'{name}="{_escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{_escape(file.filename)}</a><br>"


def _escape(text: str) -> str:
    """Escape a text for HTML, line ends included."""
    return escape(text).replace("\n", "&#10;").replace("\r", "&#13;")


def _url(file: File, files_url: str) -> str:
    return files_url + quote(file.filename, safe="+!", errors="replace")


def _timestamp(time: datetime) -> str:
    """Write a time in UTC with six fraction digits or none; PDM on old Pythons reads no other (PEP 700)."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
