"""Digital attestations: what clients send with a file, and the provenance that is served for it (PEP 740).

An attestation is a statement about a file, signed with a certificate that names the signer.
Here its form is checked, and that the statement is about this very file; not its signature.
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
"""How many characters the attestations of a file may have; PyPI's are some six thousand each."""
PREDICATE_TYPES = (
    "https://docs.pypi.org/attestations/publish/v1",
    "https://slsa.dev/provenance/v1",
)
"""What an attestation may state; of each there may be one for a file."""
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

_KINDS = {dict: "object", list: "array", str: "string", int: "integer"}


@frozen
class Attestation:
    """An attestation that is of the right form, and about the file that it came with."""

    document: Mapping[str, Any] = field(hash=False)
    """All of it, as the client sent it."""
    statement: bytes
    """What was signed."""
    predicate_type: str
    """What it states: one of :data:`PREDICATE_TYPES`."""


def parse(text: str, filename: Filename, sha256: str) -> Sequence[Attestation]:
    """Read the form field ``attestations`` of an upload.

    :param text: a JSON array of attestation objects.
    :param filename: the name of the file that they came with.
    :param sha256: the file's SHA-256 digest, in lower-case hexadecimal.
    :raises InvalidUpload: naming the first attestation that is malformed or about another file.
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
    """Write the provenance object of a file.

    The publisher that it names is what this index knows of it: not a Trusted Publisher, but
    somebody who signed in. Who signed the attestations, their certificates tell.

    :param uploader: the name of the principal who uploads it.
    """
    publisher: dict[str, object] = {"kind": "pypid", "claims": {}, "uploader": uploader}
    documents = [attestation.document for attestation in attestations]
    bundle = {"publisher": publisher, "attestations": documents}
    return json.dumps({"version": 1, "attestation_bundles": [bundle]}, separators=(",", ":")).encode("ascii")


def is_provenance(data: bytes) -> bool:
    """Tell whether this is a provenance object, which may have been made elsewhere."""
    try:
        document = _loads(data)
        return _take(document, "version", int) == 1 and bool(_take(document, "attestation_bundles", list))
    except ValueError:
        return False


def _attestation(document: object, filename: Filename, sha256: str) -> Attestation:
    """Check an attestation. :raises ValueError: with what is wrong with it."""
    if not isinstance(document, dict):
        raise ValueError("is no object")
    if _take(document, "version", int) != 1:
        raise ValueError("has another version than 1")
    material = _take(document, "verification_material", dict)
    _decoded(material, "certificate")
    entries = _take(material, "transparency_entries", list)
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("has no transparency_entries that are objects")
    envelope = _take(document, "envelope", dict)
    _decoded(envelope, "signature")
    statement = _decoded(envelope, "statement")
    try:
        parsed = _loads(statement)
    except ValueError:
        raise ValueError("has a statement that is not JSON") from None
    return Attestation(document, statement, _check_statement(parsed, filename, sha256))


def _check_statement(statement: object, filename: Filename, sha256: str) -> str:
    """Check that an in-toto statement is about a file, and give the type of what it states."""
    if _take(statement, "_type", str) != STATEMENT_TYPE:
        raise ValueError("has a statement that is no in-toto statement of version 1")
    subjects = _take(statement, "subject", list)
    if len(subjects) != 1:
        raise ValueError("has a statement about more than one file, or none")
    if not _is_name_of(_take(subjects[0], "name", str), filename):
        raise ValueError("is about a file of another name")
    if _take(_take(subjects[0], "digest", dict), "sha256", str) != sha256:
        raise ValueError("is about a file of another sha256 digest")
    predicate_type: str = _take(statement, "predicateType", str)
    if predicate_type not in PREDICATE_TYPES:
        raise ValueError(f"is of another predicateType than {' or '.join(PREDICATE_TYPES)}")
    return predicate_type


def _is_name_of(name: str, filename: Filename) -> bool:
    """Tell whether a statement's subject is a file's name, maybe in its normalized spelling."""
    try:
        parse_filename(name, filename.project)  # packaging takes names that are none
        parts = parse_wheel_filename if filename.kind is ArchiveKind.WHEEL else parse_sdist_filename
        return parts(name) == parts(filename.filename)
    except (InvalidFilename, ValueError):
        return False


def _loads(text: str | bytes) -> Any:
    """Read JSON, and nothing that is not. :raises ValueError: it is none."""
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


def _take(document: object, name: str, kind: type[Any]) -> Any:
    """Give what has a name in an object. :raises ValueError: it is not there, or of another kind."""
    value = document.get(name) if isinstance(document, dict) else None
    if type(value) is not kind:
        raise ValueError(f"has no {name}, or one that is no JSON {_KINDS[kind]}")
    return value


def _decoded(document: object, name: str) -> bytes:
    """Give the bytes that are there in base64, maybe on several lines. :raises ValueError: there are none."""
    text = "".join(_take(document, name, str).split())
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = b""
    if not data:
        raise ValueError(f"has a {name} that is not base64")
    return data
