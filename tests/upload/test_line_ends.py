"""Tests for :mod:`pypid.upload.line_ends`."""

from __future__ import annotations

import pytest

from pypid.errors import InvalidForm
from pypid.upload.form import FormReader, UploadForm
from pypid.upload.line_ends import LineEnds

BOUNDARY = "--------------GHSKFJDLGDS7543FJKLFHRE75642756743254"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}; charset=utf-8"
FORM = (
    f'\n--{BOUNDARY}\nContent-Disposition: form-data; name=":action"\n\nsubmit'
    f'\n--{BOUNDARY}\nContent-Disposition: form-data; name="description"\n\none\ntwo\r\nthree\r\n'
    f"\n--{BOUNDARY}--\n"
).encode()


def read(body: bytes, block: int) -> UploadForm:
    """Read a form in blocks."""
    reader = FormReader(CONTENT_TYPE, lambda data: None)
    for start in range(0, len(body), block):
        reader.feed(body[start : start + block])
    return reader.finish()


@pytest.mark.parametrize("block", [1, 2, 50, len(BOUNDARY) + 4, 1 << 16])
def test_form_of_setup_py_register(block: int) -> None:
    """It is read as what it means, however it is cut."""
    fields = read(FORM, block).fields
    assert fields[":action"] == ("submit",)
    assert fields["description"][0].split() == ["one", "two", "three"]


@pytest.mark.parametrize("block", [1, 1 << 16])
def test_proper_forms_pass_unchanged(block: int) -> None:
    """Only the beginning decides; a file that looks like such a form does not."""
    proper = f"\r\n--{BOUNDARY}\r\n\n--{BOUNDARY}\n\n".encode()
    ends = LineEnds(BOUNDARY.encode())
    assert b"".join(ends.convert(proper[at : at + block]) for at in range(0, len(proper), block)) == proper


def test_form_that_ends_in_its_beginning() -> None:
    """What is kept back does not pass for a whole form."""
    for size in range(10):
        with pytest.raises(InvalidForm):
            read(FORM[:size], 1 << 16)
