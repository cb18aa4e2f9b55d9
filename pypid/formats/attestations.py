"""Digital attestations, which clients send with a file, and provenance objects, which are served (PEP 740).

An attestation is a statement about a file, signed with a certificate that names the signer.
This module checks its form, and that the statement is about the file; it does not verify the signature.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from pypid.errors import InvalidFilename, InvalidUpload
from pypid.names import ArchiveKind, Filename, parse_filename

__all__ = ["Attestation", "is_provenance", "parse", "provenance"]

MAX_SIZE = 256 * 1024
"""The most characters that the attestations of a file may have; each of PyPI's has some six thousand."""
PREDICATE_TYPES = (
    "https://docs.pypi.org/attestations/publish/v1",
    "https://slsa.dev/provenance/v1",
)
"""The types of statements; a file may have one attestation of each type."""
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

_KINDS = {dict: "object", list: "array", str: "string", int: "integer"}


@frozen
class Attestation:
    """A well-formed attestation about the uploaded file."""

    document: Mapping[str, Any] = field(hash=False)
    """The whole JSON object, as the client sent it."""
    statement: bytes
    """The signed bytes."""
    predicate_type: str
    """The type of the statement, one of :data:`PREDICATE_TYPES`."""


def parse(text: str, filename: Filename, sha256: str) -> Sequence[Attestation]:
    """Parse the form field ``attestations`` of an upload.

    :param text: a JSON array of attestation objects.
    :param filename: the name of the uploaded file.
    :param sha256: the file's SHA-256 digest, in lower-case hexadecimal.
    :raises InvalidUpload: an attestation is malformed, or about another file; the text has its number.
    """
    if len(text) > MAX_SIZE:
        raise InvalidUpload(f"attestations: they are longer than {MAX_SIZE} characters")
    try:
        documents = _loads(text)
    except ValueError:
        raise InvalidUpload("attestations: not a JSON array") from None
    if not isinstance(documents, list) or not documents:
        raise InvalidUpload("attestations: not a JSON array of one attestation or more")
    if len(documents) > len(PREDICATE_TYPES):
        raise InvalidUpload(f"attestations: there are more than {len(PREDICATE_TYPES)}")
    attestations: list[Attestation] = []
    for number, document in enumerate(documents, 1):
        try:
            attestation = _attestation(document, filename, sha256)
        except ValueError as error:
            raise InvalidUpload(f"attestations: number {number} {error}") from None
        if attestation.predicate_type in [other.predicate_type for other in attestations]:
            raise InvalidUpload(f"attestations: number {number} states the same as another one")
        attestations.append(attestation)
    return attestations


def provenance(attestations: Sequence[Attestation], uploader: str | None) -> bytes:
    """Return the provenance object of a file, as JSON.

    Its publisher is the user who signed in to this index, not a Trusted Publisher. The certificates in
    the attestations name the signers.

    :param uploader: the name of the principal who uploads the file.
    """
    publisher: dict[str, object] = {"kind": "pypid", "claims": {}, "uploader": uploader}
    documents = [attestation.document for attestation in attestations]
    bundle = {"publisher": publisher, "attestations": documents}
    return json.dumps({"version": 1, "attestation_bundles": [bundle]}, separators=(",", ":")).encode("ascii")


def is_provenance(data: bytes) -> bool:
    """Return whether ``data`` is a provenance object, by this index or another one."""
    try:
        document = _loads(data)
        return _member(document, "version", int) == 1 and bool(_member(document, "attestation_bundles", list))
    except ValueError:
        return False


def _attestation(document: object, filename: Filename, sha256: str) -> Attestation:
    """Return a checked attestation. :raises ValueError: it is not valid; the text says why."""
    if not isinstance(document, dict):
        raise ValueError("is no object")
    if _member(document, "version", int) != 1:
        raise ValueError("has another version than 1")
    material = _member(document, "verification_material", dict)
    _base64_member(material, "certificate")
    entries = _member(material, "transparency_entries", list)
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("has no transparency_entries that are objects")
    envelope = _member(document, "envelope", dict)
    _base64_member(envelope, "signature")
    statement = _base64_member(envelope, "statement")
    try:
        parsed = _loads(statement)
    except ValueError:
        raise ValueError("has a statement that is not JSON") from None
    return Attestation(document, statement, _check_statement(parsed, filename, sha256))


def _check_statement(statement: object, filename: Filename, sha256: str) -> str:
    """Check that an in-toto statement is about a file, and return its predicate type."""
    if _member(statement, "_type", str) != STATEMENT_TYPE:
        raise ValueError("has a statement that is no in-toto statement of version 1")
    subjects = _member(statement, "subject", list)
    if len(subjects) != 1:
        raise ValueError("has a statement about more than one file, or none")
    if not _is_name_of(_member(subjects[0], "name", str), filename):
        raise ValueError("is about a file of another name")
    if _member(_member(subjects[0], "digest", dict), "sha256", str) != sha256:
        raise ValueError("is about a file of another sha256 digest")
    predicate_type: str = _member(statement, "predicateType", str)
    if predicate_type not in PREDICATE_TYPES:
        raise ValueError(f"is of another predicateType than {' or '.join(PREDICATE_TYPES)}")
    return predicate_type


def _is_name_of(name: str, filename: Filename) -> bool:
    """Return whether the name of a statement's subject is that of a file, maybe in normalized spelling."""
    try:
        parse_filename(name, filename.project)  # packaging accepts invalid names
        parts = parse_wheel_filename if filename.kind is ArchiveKind.WHEEL else parse_sdist_filename
        return parts(name) == parts(filename.filename)
    except (InvalidFilename, ValueError):
        return False


def _loads(text: str | bytes) -> Any:
    """Parse strict JSON, without the extensions of Python. :raises ValueError: it is not JSON."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _member(document: object, name: str, kind: type[Any]) -> Any:
    """Return a member of an object. :raises ValueError: it is missing, or of another type."""
    value = document.get(name) if isinstance(document, dict) else None
    if type(value) is not kind:
        raise ValueError(f"has no {name}, or one that is no JSON {_KINDS[kind]}")
    return value


def _base64_member(document: object, name: str) -> bytes:
    """Return a decoded base64 member, which may have line breaks. :raises ValueError: it is not base64."""
    text = "".join(_member(document, name, str).split())
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = b""
    if not data:
        raise ValueError(f"has a {name} that is not base64")
    return data
