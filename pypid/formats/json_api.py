"""Projects and releases in PyPI's "JSON API", which is older than the standards.

Mirrors and many small tools read it. The keys are those of PyPI; facts that this index
does not count or know have PyPI's value for an unknown fact.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from urllib.parse import quote

from packaging.version import InvalidVersion, Version

from pypid.errors import InvalidMetadata
from pypid.formats import core_metadata
from pypid.formats.core_metadata import CoreMetadata
from pypid.model import File, Project
from pypid.names import python_version

__all__ = [
    "file_entry",
    "newest_release",
    "project_page_url",
    "release_files",
    "release_info",
    "release_json",
]

# Keys of "info", and the headers of core metadata with their values.
_TEXTS = {
    "author": "Author",
    "author_email": "Author-email",
    "description_content_type": "Description-Content-Type",
    "download_url": "Download-URL",
    "home_page": "Home-page",
    "keywords": "Keywords",
    "license": "License",
    "license_expression": "License-Expression",
    "maintainer": "Maintainer",
    "maintainer_email": "Maintainer-email",
    "summary": "Summary",
}
_LISTS = {
    "classifiers": "Classifier",
    "dynamic": "Dynamic",
    "license_files": "License-File",
    "provides_extra": "Provides-Extra",
    "requires_dist": "Requires-Dist",
}


def newest_release(project: Project) -> str | None:
    """Return the version with which a project is shown, or ``None`` if the project has no files.

    This is the newest final release that is not yanked. If there is none, a pre-release goes
    before a yanked release, and both go before a version that is invalid by PEP 440.
    """

    def rank(version: str) -> tuple[bool, bool, bool]:
        parsed = _parsed(version)
        is_final = parsed is not None and not parsed.is_prerelease
        return parsed is not None, not _is_yanked(releases[version]), is_final

    releases = _releases(project)
    # max() returns the first of several versions with the same rank: the newest.
    return max(reversed(releases), key=rank, default=None)


def release_files(project: Project, version: str) -> tuple[File, ...]:
    """Return the files of a version; empty if there is no such version."""
    return tuple(file for file in project.files if file.version == version)


def project_page_url(project: str, url: str) -> str:
    """Return the absolute URL of a project's page.

    :param url: the absolute URL of this index, ending in a slash.
    """
    return f"{url}simple/{project}/"


def release_json(project: Project, version: str | None, core_metadata: bytes | None, url: str) -> bytes:
    """Return the JSON of a project and one of its releases.

    :param version: the version of the release; ``None`` if no releases are left, which mirrors
        must learn, too.
    :param core_metadata: the core metadata of one of the release's files, if available.
    :param url: the absolute URL of this index, ending in a slash.
    """
    releases = {
        one: [file_entry(project.name, file, url) for file in files]
        for one, files in _releases(project).items()
    }
    document = {
        "info": release_info(project, version, core_metadata, url),
        "last_serial": project.serial,
        "releases": releases,
        "urls": releases.get(version or "", []),
    }
    # Clients refuse a page with a lone surrogate.
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def release_info(
    project: Project, version: str | None, core_metadata: bytes | None, url: str
) -> dict[str, object]:
    """Return the key ``info`` of a release; parameters are those of :func:`release_json`."""
    files = release_files(project, version or "")
    page = project_page_url(project.name, url)
    said = _parsed_metadata(core_metadata)
    texts = {key: said.text(name) if said else "" for key, name in _TEXTS.items()}
    lists = {key: said.texts(name) if said else () for key, name in _LISTS.items()}
    return {
        **texts,
        **lists,
        "description": said.description if said else "",
        "name": project.display_name,
        "package_url": page,
        "platform": ",".join(said.texts("Platform")) if said else "",
        "project_url": page,
        "project_urls": _labelled(said.texts("Project-URL") if said else ()),
        "release_url": page,
        # None means "unknown"; an empty list means that nothing is required.
        "requires_dist": lists["requires_dist"] if core_metadata is not None else None,
        "requires_python": next((file.requires_python for file in files if file.requires_python), None),
        "version": version or "",
        "yanked": _is_yanked(files),
        "yanked_reason": next((file.yanked for file in files if file.yanked), None),
    }


def file_entry(project: str, file: File, url: str) -> dict[str, object]:
    """Return the object that describes a file; ``url`` is that of :func:`release_json`."""
    metadata = file.core_metadata
    entry: dict[str, object] = {
        "comment_text": "",
        "core-metadata": {"sha256": metadata} if isinstance(metadata, str) else bool(metadata),
        "digests": dict(file.hashes),
        "downloads": -1,
        "filename": file.filename,
        "has_sig": bool(file.signed),
        "packagetype": file.kind.value,
        "python_version": python_version(file.filename, file.kind),
        "requires_python": file.requires_python,
        "size": file.size,
        "url": f"{url}packages/{project}/{quote(file.filename, safe='+!')}",
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
    }
    if file.upload_time is not None:
        time = file.upload_time.astimezone(UTC).replace(tzinfo=None)
        entry["upload_time"] = time.isoformat(timespec="seconds")
        entry["upload_time_iso_8601"] = time.isoformat() + "Z"
    return entry


def _releases(project: Project) -> dict[str, list[File]]:
    """Return the files of each version, oldest version first."""
    releases: dict[str, list[File]] = {version: [] for version in project.versions}
    for file in project.files:
        releases[file.version].append(file)
    return releases


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None


def _is_yanked(files: Sequence[File]) -> bool:
    """Return whether a release is yanked, which means that all its files are (PEP 592)."""
    return bool(files) and all(file.yanked is not None for file in files)


def _parsed_metadata(data: bytes | None) -> CoreMetadata | None:
    """Return parsed core metadata; ``None`` if there is none, or it is not valid."""
    try:
        return core_metadata.parse(data) if data is not None else None
    except InvalidMetadata:
        return None


def _labelled(urls: Sequence[str]) -> dict[str, str]:
    """Return a mapping from values of the form ``label, url``."""
    pairs = (one.partition(",") for one in urls)
    return {label.strip(): url.strip() for label, _, url in pairs}
