"""What an upload's form brings along to be kept beside the file: a signature, and attestations."""

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
"""Refuses attestations that were not signed by whom they should be. It may take some time.

:raises InvalidUpload: saying which one, and why.
"""


def checked(
    form: UploadForm, filename: Filename, uploader: str | None, verify: Verify | None
) -> tuple[bytes | None, bytes | None]:
    """Give the signature that came with a file, and the provenance object to be served for it.

    :param uploader: the name of the principal who uploads it.
    :param verify: looks at the signatures of attestations, if anybody is to.
    :raises InvalidUpload: one of them is malformed, about another file, or does not verify.
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
