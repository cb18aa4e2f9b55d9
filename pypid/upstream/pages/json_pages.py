"""What PyPI's old JSON knows of files, for pages that say less (``/pypi/<project>/json``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve

from pypid.model import File, Project
from pypid.names import is_name, normalize
from pypid.upstream.pages import values
from pypid.upstream.pages.parse import read_json

__all__ = ["enrich", "lacks_something"]


def lacks_something(project: Project) -> bool:
    """Tell whether a page left out what the old JSON may know, as pages in HTML do."""
    return any(file.size is None or file.upload_time is None for file in project.files)


def enrich(project: Project, body: bytes) -> Project:
    """Fill in what the page left out of the files that both list under one name with equal digests.

    The digests stay those of the page: lock files have all that there are, and are to be the
    same as without pypid.

    :raises UpstreamFailed: the body makes no sense.
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
