"""What an upload says of itself: the form, the file name and the core metadata must agree.

The legacy upload API and its error texts are PyPI's; nothing of it is in a PEP but the file
names (PEP 427, PEP 625), versions (PEP 440) and the core metadata specifications.
"""

from __future__ import annotations

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_version

from pypid.errors import InvalidFilename, InvalidUpload
from pypid.form import UploadForm
from pypid.metadata import CoreMetadata
from pypid.names import ArchiveKind, Filename, canonical_version, is_name, normalize, parse_filename

__all__ = ["check_form", "check_metadata"]

_SUFFIXES = {ArchiveKind.WHEEL: (".whl",), ArchiveKind.SDIST: (".tar.gz", ".zip")}


def check_form(form: UploadForm) -> Filename:
    """Check the fields of a form against each other and against the bytes that came with them.

    May take a while for what strange forms require; to be called in a worker's thread.

    :returns: what the name of the uploaded file says.
    :raises InvalidUpload: naming the first field that is missing or wrong.
    """
    if form.first("protocol_version") not in (None, "1"):
        raise InvalidUpload("protocol_version: only version 1 of the upload protocol is spoken here")
    if form.filename is None:
        raise InvalidUpload("content: the upload has no file")
    try:
        filename = parse_filename(form.filename)
    except InvalidFilename as error:
        raise InvalidUpload(f"content: {error}") from None
    filetype = form.first("filetype")
    if filetype != filename.kind.value:
        raise InvalidUpload("filetype: it is not the one that the file's suffix says")
    if not filename.filename.endswith(_SUFFIXES.get(filename.kind, ())):
        raise InvalidUpload("filetype: only wheels (.whl) and sdists (.tar.gz, .zip) can be uploaded")
    if filename.kind is ArchiveKind.WHEEL and form.first("pyversion") is None:
        raise InvalidUpload("pyversion: a wheel's form must have it")
    _check_name(form.first("name"), filename)
    _check_version(form.first("version"), filename)
    _check_requires_python(form.first("requires_python"))
    for requirement in form.fields.get("requires_dist", ()):
        _check_requires_dist(requirement)
    form.check_digests()
    return filename


def check_metadata(metadata: CoreMetadata, filename: Filename) -> None:
    """Check that the core metadata inside an archive is that of the file's name.

    :raises InvalidUpload: it is another project's or version's.
    """
    if normalize(metadata.name) != filename.project:
        raise InvalidUpload("name: the metadata inside the archive is that of another project")
    if canonicalize_version(metadata.version) != canonicalize_version(filename.version):
        raise InvalidUpload("version: the metadata inside the archive is that of another version")
    _check_requires_python(metadata.requires_python)


def _check_name(name: str | None, filename: Filename) -> None:
    if name is None or not is_name(name):
        raise InvalidUpload("name: it is missing, or has characters that no project name may have")
    if normalize(name) != filename.project:
        raise InvalidUpload("name: the file name is that of another project")


def _check_version(version: str | None, filename: Filename) -> None:
    if version is None or canonical_version(version) is None:
        raise InvalidUpload("version: it is missing, or no version by PEP 440")
    if canonicalize_version(version) != canonicalize_version(filename.version):
        raise InvalidUpload("version: the file name is that of another version")


def _check_requires_python(specifiers: str | None) -> None:
    try:
        SpecifierSet(specifiers or "")
    except InvalidSpecifier:
        raise InvalidUpload("requires_python: not a list of version specifiers by PEP 440") from None


def _check_requires_dist(requirement: str) -> None:
    try:
        Requirement(requirement)
    except (InvalidRequirement, RecursionError):
        raise InvalidUpload("requires_dist: not a requirement by PEP 508") from None
