"""PyPI's legacy JSON (``/pypi/<project>/json``), which adds details that a page lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve

from pypid.model import File, Project
from pypid.names import is_name, normalize
from pypid.upstream.pages import values
from pypid.upstream.pages.parse import read_json

__all__ = ["enrich", "is_incomplete"]


def is_incomplete(project: Project) -> bool:
    """Return whether a page lacks sizes or upload times, as HTML pages do; legacy JSON may have them."""
    return any(file.size is None or file.upload_time is None for file in project.files)


def enrich(project: Project, body: bytes) -> Project:
    """Return a project with missing details of its files filled in from legacy JSON.

    Only files with the same name and digests in both are changed. No digests are added: lock files
    list all digests of a page, and must be the same as without pypid.

    :raises UpstreamFailed: the body is malformed.
    """
    document = read_json(project.name, body)
    known = {str(entry.get("filename")): entry for entry in _entries(document)}
    files = tuple(
        _enriched(file, known[file.filename]) if file.filename in known else file for file in project.files
    )
    display_name = values.as_mapping(document.get("info")).get("name")
    if (
        not isinstance(display_name, str)
        or not is_name(display_name)
        or normalize(display_name) != project.name
    ):
        display_name = project.display_name
    if files == project.files and display_name == project.display_name:
        return project
    return evolve(project, files=files, display_name=display_name)


def _entries(document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for entries in (*values.as_mapping(document.get("releases")).values(), document.get("urls")):
        if isinstance(entries, list):
            yield from map(values.as_mapping, entries)


def _enriched(file: File, entry: Mapping[str, object]) -> File:
    try:
        hashes = values.hashes(entry.get("digests"))
    except ValueError:
        return file
    common = file.hashes.keys() & hashes
    if not common or any(file.hashes[algorithm] != hashes[algorithm] for algorithm in common):
        return file
    size = values.file_size(entry.get("size"))
    time = values.upload_time(entry.get("upload_time_iso_8601"))
    yanked = entry.get("yanked_reason") or True if entry.get("yanked") is True else None
    return evolve(
        file,
        size=size if file.size is None else file.size,
        upload_time=file.upload_time or time,
        requires_python=file.requires_python or values.requires_python(entry.get("requires_python")),
        core_metadata=file.core_metadata or values.core_metadata(entry),
        yanked=values.yanked(yanked) if file.yanked is None else file.yanked,
    )
