"""Projects and releases in the JSON that PyPI had before there were standards for it.

Mirrors and many small tools read it. Its keys are those of PyPI's "JSON API"; what this index
does not count or know has the value that stands there for nothing.
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

# Keys of "info", and the headers of core metadata where they come from.
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
    """Give the version that a project is shown with, or ``None`` if it has no files.

    It is the newest one that is final and not yanked. If there is none, a pre-release goes
    before a yanked release, and both before a version that PEP 440 does not know.
    """

    def rank(version: str) -> tuple[bool, bool, bool]:
        parsed = _parsed(version)
        is_final = parsed is not None and not parsed.is_prerelease
        return parsed is not None, not _is_yanked(releases[version]), is_final

    releases = _releases(project)
    # Of those that rank alike, the first that is looked at is taken.
    return max(reversed(releases), key=rank, default=None)


def release_files(project: Project, version: str) -> tuple[File, ...]:
    """Give the files of a version; none for a version that is not there."""
    return tuple(file for file in project.files if file.version == version)


def project_page_url(project: str, url: str) -> str:
    """Give the absolute URL of a project's page.

    :param url: the index's own, ending in a slash.
    """
    return f"{url}simple/{project}/"


def release_json(project: Project, version: str | None, core_metadata: bytes | None, url: str) -> bytes:
    """Write the JSON of a project and one of its releases.

    :param version: the release that is described; ``None`` where there are no releases left,
        which mirrors have to hear of.
    :param core_metadata: that of one of the release's files, if it is at hand.
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
    # A lone surrogate would make clients refuse the page.
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def release_info(
    project: Project, version: str | None, core_metadata: bytes | None, url: str
) -> dict[str, object]:
    """Describe a release as its authors do; parameters are those of :func:`release_json`."""
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
        # "None" is for "not known", while an empty list says that nothing is required.
        "requires_dist": lists["requires_dist"] if core_metadata is not None else None,
        "requires_python": next((file.requires_python for file in files if file.requires_python), None),
        "version": version or "",
        "yanked": _is_yanked(files),
        "yanked_reason": next((file.yanked for file in files if file.yanked), None),
    }


def file_entry(project: str, file: File, url: str) -> dict[str, object]:
    """Describe a file of a project; ``url`` is that of :func:`release_json`."""
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
    """Give the files of each version, oldest version first."""
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
    """Tell whether a release is yanked: all of its files are (PEP 592)."""
    return bool(files) and all(file.yanked is not None for file in files)


def _parsed_metadata(data: bytes | None) -> CoreMetadata | None:
    """Return what core metadata says; ``None`` if there is none, or it is not right."""
    try:
        return core_metadata.parse(data) if data is not None else None
    except InvalidMetadata:
        return None


def _labelled(urls: Sequence[str]) -> dict[str, str]:
    """Take ``label, url`` apart."""
    pairs = (one.partition(",") for one in urls)
    return {label.strip(): url.strip() for label, _, url in pairs}
