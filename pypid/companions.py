"""What an upload's form brings along to be kept beside the file: a signature, and attestations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pypid import attestations
from pypid.attestations import Attestation
from pypid.errors import InvalidUpload
from pypid.form import UploadForm
from pypid.names import Filename
from pypid.signatures import check_signature

__all__ = ["Verify", "provenance", "signature"]

Verify = Callable[[Sequence[Attestation]], None]
"""Refuses attestations that were not signed by whom they should be. It may take some time.

:raises InvalidUpload: saying which one, and why.
"""


def signature(form: UploadForm) -> bytes | None:
    """Give the signature that came with a file, if one did.

    :raises InvalidUpload: it is none.
    """
    text = _single(form, "gpg_signature")
    return check_signature(text) if text is not None else None


def provenance(
    form: UploadForm, filename: Filename, uploader: str | None, verify: Verify | None
) -> bytes | None:
    """Give the provenance object to be served for a file, if attestations came with it (PEP 740).

    :param uploader: the name of the principal who uploads it.
    :param verify: looks at their signatures, if anybody is to.
    :raises InvalidUpload: they are malformed, about another file, or do not verify.
    """
    text = _single(form, "attestations")
    if text is None:
        return None
    parsed = attestations.parse(text, filename, form.hashes["sha256"])
    if verify is not None:
        verify(parsed)
    return attestations.provenance(parsed, uploader)


def _single(form: UploadForm, name: str) -> str | None:
    if len(form.fields.get(name, ())) > 1:
        raise InvalidUpload(f"{name}: the form has it more than once")
    return form.first(name)
