"""The sidecar files in an upload's form: a signature, and the provenance made from attestations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pypid.errors import InvalidUpload
from pypid.formats import attestations
from pypid.formats.attestations import Attestation
from pypid.names import Filename
from pypid.upload.form import UploadForm
from pypid.upload.signatures import check_signature

__all__ = ["Verify", "checked"]

Verify = Callable[[Sequence[Attestation]], None]
"""Verifies the signatures of attestations. It may block, so it is called in a worker's thread.

:raises InvalidUpload: a signature is not valid; the text says which one, and why.
"""


def checked(
    form: UploadForm, filename: Filename, uploader: str | None, verify: Verify | None
) -> tuple[bytes | None, bytes | None]:
    """Return the signature of a file and its provenance object, or ``None`` for each that is missing.

    :param uploader: the name of the principal who uploads the file.
    :param verify: verifies the signatures of attestations; ``None`` if they are not verified.
    :raises InvalidUpload: the signature or an attestation is malformed, about another file, or not verified.
    """
    signature, text = _single(form, "gpg_signature"), _single(form, "attestations")
    kept = check_signature(signature) if signature is not None else None
    if text is None:
        return kept, None
    parsed = attestations.parse(text, filename, form.hashes["sha256"])
    if verify is not None:
        verify(parsed)
    return kept, attestations.provenance(parsed, uploader)


def _single(form: UploadForm, name: str) -> str | None:
    if len(form.fields.get(name, ())) > 1:
        raise InvalidUpload(f"{name}: the form has it more than once")
    return form.first(name)
