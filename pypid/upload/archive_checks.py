"""The archive of an upload: it must be sound, and agree with the form."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from attrs import frozen
from packaging.utils import canonicalize_version

from pypid import archives
from pypid.archives import Inspection
from pypid.errors import InvalidArchive, InvalidMetadata, InvalidUpload
from pypid.formats import core_metadata
from pypid.formats.core_metadata import CoreMetadata
from pypid.names import ArchiveKind, Filename, normalize
from pypid.upload.fields import check_metadata_version, requirements, specifiers
from pypid.upload.form import UploadForm
from pypid.upload.platforms import is_common_platform
from pypid.upload.policy import UploadRules

__all__ = ["CheckedContent", "check_content"]

_BEFORE_LICENSE_FILES = frozenset({"1.0", "1.1", "1.2", "2.1", "2.2", "2.3"})
_STANDARD_LIBRARY = frozenset(normalize(name) for name in sys.stdlib_module_names)


@frozen
class CheckedContent:
    """The result of the check of a valid archive."""

    metadata: bytes | None
    """The core metadata, byte for byte; ``None`` if the archive has none."""
    warnings: Sequence[str]
    """Faults that PyPI would refuse, and remarks; one line each, which names the field or the file."""


def check_content(file: BinaryIO, form: UploadForm, filename: Filename, rules: UploadRules) -> CheckedContent:
    """Check an archive, and compare its core metadata with the form.

    This blocks for up to some seconds, so it runs in a worker's thread.

    :param form: the form, checked by :func:`pypid.upload.check_form`.
    :param filename: the result of that check.
    :raises InvalidUpload: the archive is not valid, or disagrees with the form; the text names the first
        wrong field, or the file.
    :raises OSError: the archive cannot be read.
    """
    try:
        inspection = archives.inspect(file, filename)
        parsed = core_metadata.parse(inspection.metadata) if inspection.metadata is not None else None
    except (InvalidArchive, InvalidMetadata) as error:
        raise InvalidUpload(f"content: {error}") from None
    objections = [f"content: {oddity}" for oddity in inspection.oddities]
    objections += _filename_objections(filename)
    objections += check_metadata_version(form.first("metadata_version"))
    if filename.kind is ArchiveKind.SDIST and form.first("pyversion") not in (None, "source"):
        objections.append("pyversion: of an sdist it is source")
    if parsed is not None:
        objections += check_metadata_version(parsed.metadata_version)
        _compare(parsed, form, filename)
        objections += _metadata_objections(parsed, inspection, filename)
    return CheckedContent(inspection.metadata, (*rules.to_warnings(objections), *_remarks(filename)))


def _filename_objections(filename: Filename) -> Iterator[str]:
    """Yield the reasons for which PyPI would refuse a file of this name."""
    if "+" in filename.version:
        yield "version: it is a local one"
    if filename.kind is ArchiveKind.SDIST:
        canonical = f"{filename.project.replace('-', '_')}-{filename.version}.tar.gz"
        if filename.filename != canonical:
            yield f"content: the sdist is not named as PEP 625 says, {canonical}"
    if filename.kind is ArchiveKind.WHEEL:
        name, *_, platforms = filename.filename.removesuffix(".whl").split("-")
        canonical = filename.project.replace("-", "_")
        if name != canonical:
            yield f"content: the wheel's name does not begin with the normalized name, {canonical}"
        for platform in platforms.lower().split("."):
            if not is_common_platform(platform):
                yield f"content: the wheel is for a platform that PyPI does not know, {platform[:60]}"
                return


def _metadata_objections(parsed: CoreMetadata, inspection: Inspection, filename: Filename) -> Iterator[str]:
    """Yield the reasons for which PyPI would refuse an archive with such metadata."""
    if any(requirement.url is not None for requirement in requirements(parsed.requires_dist)):
        yield "requires_dist: it has a direct reference to a URL"
    if parsed.metadata_version not in _BEFORE_LICENSE_FILES:
        directory = inspection.directory + ("/licenses" if filename.kind is ArchiveKind.WHEEL else "")
        if any(f"{directory}/{path}" not in inspection.paths for path in parsed.license_files):
            yield "license_file: the archive does not have one of those that its metadata names"


def _remarks(filename: Filename) -> Iterator[str]:
    """Yield warnings that even strict rules do not refuse."""
    if filename.project in _STANDARD_LIBRARY:
        yield "name: it is that of a module of Python's standard library"


def _compare(found: CoreMetadata, form: UploadForm, filename: Filename) -> None:
    """Compare the core metadata inside an archive with the file name and the form.

    A field that the form leaves out is not compared: old clients send less than the archive contains.

    :raises InvalidUpload: they disagree.
    """
    if normalize(found.name) != filename.project:
        raise InvalidUpload("name: the metadata inside the archive is that of another project")
    if canonicalize_version(found.version) != canonicalize_version(filename.version):
        raise InvalidUpload("version: the metadata inside the archive is that of another version")
    python, required = specifiers(found.requires_python), requirements(found.requires_dist)
    announced = form.first("requires_python")
    if announced is not None and specifiers(announced) != python:
        raise InvalidUpload("requires_python: the metadata inside the archive says something else")
    listed = form.fields.get("requires_dist")
    if listed is not None and set(listed) != set(found.requires_dist) and requirements(listed) != required:
        raise InvalidUpload("requires_dist: the metadata inside the archive says something else")
