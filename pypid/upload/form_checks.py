"""The form of an upload: its fields must agree with one another and with the file.

The legacy upload API and its error texts are PyPI's. Only file
names (PEP 427, PEP 625), versions (PEP 440) and core metadata have a specification.
"""

from __future__ import annotations

from packaging.utils import canonicalize_version

from pypid.errors import InvalidFilename, InvalidUpload
from pypid.names import (
    ArchiveKind,
    Filename,
    canonical_version,
    is_name,
    normalize,
    parse_filename,
    suffix_of,
)
from pypid.upload.fields import requirements, specifiers
from pypid.upload.form import UploadForm
from pypid.upload.policy import UploadRules

__all__ = ["check_form"]

_FILETYPES = {".msi": "bdist_msi"}
"""The values of ``filetype`` by suffix that differ from the value of the archive's kind."""


def check_form(form: UploadForm, rules: UploadRules) -> Filename:
    """Compare the fields of a form with one another and with the uploaded bytes.

    This may take some milliseconds, so it runs in a worker's thread.

    :returns: the parsed name of the uploaded file.
    :raises InvalidUpload: a field is missing or wrong; the text names the first such field.
    """
    if form.first("protocol_version") not in (None, "1"):
        raise InvalidUpload("protocol_version: only version 1 of the upload protocol is spoken here")
    if form.filename is None:
        raise InvalidUpload("content: the upload has no file")
    try:
        filename = parse_filename(form.filename)
    except InvalidFilename as error:
        raise InvalidUpload(f"content: {error}") from None
    suffix = suffix_of(filename.filename) or ""
    if not rules.takes_archive(filename.filename):
        hint = "" if rules.strict else f", or have the administrator say --old-archives {suffix[1:]}"
        raise InvalidUpload(
            f"content: files of the kind {suffix} are not taken here: send a .whl or .tar.gz{hint}"
        )
    filetype = _FILETYPES.get(suffix, filename.kind.value)
    if form.first("filetype") != filetype:
        raise InvalidUpload(f"filetype: it is not the one that the file's suffix says, {filetype}")
    if filename.kind is ArchiveKind.WHEEL and form.first("pyversion") is None:
        raise InvalidUpload("pyversion: a wheel's form must have it")
    _check_name(form.first("name"), filename)
    _check_version(form.first("version"), filename)
    specifiers(form.first("requires_python"))
    requirements(form.fields.get("requires_dist", ()))
    form.check_digests()
    return filename


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
