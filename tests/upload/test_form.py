"""Tests for :mod:`pypid.upload.form`."""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b, md5, sha256
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import InvalidForm, InvalidUpload, TooLarge
from pypid.upload.form import FormReader, UploadForm

BOUNDARY = "f2a1c0ffee"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()


def part(name: str, value: bytes, *headers: str) -> bytes:
    """Write one part of a form by hand."""
    lines = [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{name}"', *headers, "", ""]
    return "\r\n".join(lines).encode() + value + b"\r\n"


def content(value: bytes, filename: str = "a-1.tar.gz") -> bytes:
    """Write the part with the file."""
    return part(f'content"; filename="{filename}', value)


def read(body: bytes, block: int = 1 << 16, content_type: str = CONTENT_TYPE) -> tuple[UploadForm, bytes]:
    """Read a form in blocks, and return it with the bytes of its file."""
    written: list[bytes] = []
    reader = FormReader(content_type, written.append)
    for start in range(0, len(body), block):
        reader.feed(body[start : start + block])
    return reader.finish(), b"".join(written)


def refusal(body: bytes, error: type[Exception] = InvalidForm) -> str:
    """Read a form that must be refused, in large and in small blocks; return the message."""
    messages = []
    for block in (1 << 20, 7):
        with pytest.raises(error) as caught:
            read(body, block)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1
    assert messages[0].isprintable()
    assert len(messages[0]) < 500
    return messages[0]


FORM = (
    part(":action", b"file_upload")
    + part("classifiers", b"Topic :: One")
    + part("summary", "Größe ✓".encode())
    + content(b"\x1f\x8b\r\n--\r\nbytes\r")
    + part("classifiers", b"Topic :: Two")
    + END
)


def test_c121_c123_c124_c125_fields_and_file() -> None:
    """Fields stand before and after the file, repeat, and are UTF-8."""
    form, file = read(FORM)
    assert form.fields == {
        ":action": ("file_upload",),
        "classifiers": ("Topic :: One", "Topic :: Two"),
        "summary": ("Größe ✓",),
    }
    assert form.first("classifiers") == "Topic :: One"
    assert form.first("absent") is None
    assert form.filename == "a-1.tar.gz"
    assert file == b"\x1f\x8b\r\n--\r\nbytes\r"
    assert form.size == len(file)
    assert form.hashes == {
        "sha256": sha256(file).hexdigest(),
        "md5": md5(file).hexdigest(),
        "blake2_256": blake2b(file, digest_size=32).hexdigest(),
    }


def test_split_at_every_offset() -> None:
    """Wherever the blocks are cut, the same form is read."""
    whole = read(FORM)
    for block in (1, 2, 3):
        assert read(FORM, block) == whole
    for offset in range(len(FORM) + 1):
        written: list[bytes] = []
        reader = FormReader(CONTENT_TYPE, written.append)
        reader.feed(FORM[:offset])
        reader.feed(FORM[offset:])
        assert (reader.finish(), b"".join(written)) == whole


def test_form_of_old_distutils() -> None:
    """distutils begins with an empty line and quotes nothing but names."""
    boundary = "--------------GHSKFJDLGDS7543FJKLFHRE75642756743254"
    body = b"".join(
        b"\r\n--" + boundary.encode() + b'\r\nContent-Disposition: form-data; name="' + rest
        for rest in (b'name"\r\n\r\nfoo', b'content"; filename="foo-1.zip"\r\n\r\nPK')
    )
    form, file = read(
        body + b"\r\n--" + boundary.encode() + b"--\r\n",
        content_type=f"multipart/form-data; boundary={boundary}",
    )
    assert (form.fields, form.filename, file) == ({"name": ("foo",)}, "foo-1.zip", b"PK")


def test_c126_c127_empty_and_unknown_mean_absent() -> None:
    """PDM sends empty fields, old setuptools sends ``UNKNOWN``."""
    body = part("requires_python", b"") + part("license", b"UNKNOWN") + part("x", b"") + part("x", b"y") + END
    assert read(body)[0].fields == {"x": ("y",)}


@pytest.mark.parametrize("name", [r"C:\up\a-1.tar.gz", r"\\host\a-1.tar.gz", r"a\..\a-1.tar.gz"])
def test_c155_backslash_in_the_file_name(name: str) -> None:
    """The parser would take the end of what looks like a path of Windows."""
    assert "file name" in refusal(content(b"x", name) + END)


def test_form_without_file() -> None:
    """Other actions have no file; then there is no name of one."""
    form, _ = read(part(":action", b"submit") + END)
    assert (form.filename, form.size) == (None, 0)
    assert read(END)[0].fields == {}


CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", BOUNDARY.encode(), b"x"])).map(b"".join),
).filter(lambda value: f"\r\n--{BOUNDARY}".encode() not in b"\r\n" + value)
NAMES = st.from_regex(r"[a-z_:]{1,20}", fullmatch=True).filter(lambda name: name != "content")
FIELDS = st.lists(
    st.tuples(NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=50)), max_size=8
)


@pytest.mark.slow
@given(FIELDS, CONTENTS, FIELDS, st.integers(1, 80))
def test_b154_round_trip(
    before: list[tuple[str, str]], file: bytes, after: list[tuple[str, str]], block: int
) -> None:
    """What was put into a form is read from it, whatever the bytes and the blocks."""
    texts = [b"".join(part(name, value.encode()) for name, value in fields) for fields in (before, after)]
    form, received = read(texts[0] + content(file, "a.whl") + texts[1] + END, block)
    expected: dict[str, tuple[str, ...]] = {}
    for name, value in before + after:
        if value not in ("", "UNKNOWN"):
            expected[name] = (*expected.get(name, ()), value)
    assert form.fields == expected
    assert (received, form.filename, form.size) == (file, "a.whl", len(file))
    assert form.hashes["sha256"] == sha256(file).hexdigest()


@pytest.mark.parametrize("ending", [b"", b"\r", b"\n", b"\r\n", b"--", b"\r\n--", b"\r\n--f2a1"])
def test_b154_all_bytes(ending: bytes) -> None:
    """A file of every pair of bytes arrives, whatever it ends with."""
    file = b"".join(bytes((a, b)) for a in range(256) for b in range(256)) + ending
    assert read(content(file) + END)[1] == file


@given(st.binary(max_size=400), st.integers(1, 50))
def test_garbage_is_refused_cleanly(garbage: bytes, block: int) -> None:
    """Nothing but refusals comes of garbage."""
    for body in (garbage, FORM[:60] + garbage, part("a", b"b") + garbage):
        with suppress(InvalidForm, TooLarge):
            read(body, block)


@given(st.data())
def test_damaged_form_is_refused_cleanly(data: st.DataObject) -> None:
    """Nothing but refusals comes of a form with a few bytes changed, lost or added."""
    start = data.draw(st.integers(0, len(FORM)))
    stop = data.draw(st.integers(start, min(start + 6, len(FORM))))
    with suppress(InvalidForm, TooLarge):
        read(FORM[:start] + data.draw(st.binary(max_size=6)) + FORM[stop:])


@given(st.text(max_size=60) | st.text(max_size=60).map("multipart/form-data;boundary=".__add__))
def test_any_content_type_is_taken_or_refused(content_type: str) -> None:
    """Nothing but refusals comes of a strange ``Content-Type``."""
    with suppress(InvalidForm):
        FormReader(content_type, bytes)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=x",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; boundary=grün",
        'multipart/form-data; boundary="x',
        'multipart/form-data; boundary=x"',
        'multipart/form-data; boundary="x\r\ny"',
        'multipart/form-data; boundary="x "',
        "multipart/form-data; boundary*=utf-8''x",
        "multipart/form-data; boundary=x; boundary=y",
        "multipart/form-data; boundary=x y",
        'multipart/form-data; boundary=x"y"',
    ],
)
def test_b127_b129_improper_content_type(content_type: str) -> None:
    """A form of another type, or without a proper boundary, is refused before it is read."""
    with pytest.raises(InvalidForm):
        FormReader(content_type, bytes)


@pytest.mark.parametrize("boundary", ["x" * 70, '"with (odd) signs:/=?"', "'+_,-."])
def test_proper_boundaries(boundary: str) -> None:
    """Boundaries that RFC 2046 allows are taken."""
    body = FORM.replace(BOUNDARY.encode(), boundary.strip('"').encode())
    form, _ = read(body, 5, f"Multipart/Form-Data; charset=utf-8; Boundary={boundary}")
    assert form.filename == "a-1.tar.gz"


def test_b128_boundary_does_not_occur() -> None:
    """A body without its boundary is refused at its beginning."""
    reader = FormReader(CONTENT_TYPE, bytes)
    with pytest.raises(InvalidForm):
        reader.feed(b"x" * 100)


@pytest.mark.parametrize("cut", range(1, len(END) + 1))
def test_b130_b131_cut_short(cut: int) -> None:
    """A form without its last delimiter is refused; only the last line's end may be missing."""
    body = FORM[:-cut]
    if cut <= 2:
        assert read(body)[0].filename == "a-1.tar.gz"
    else:
        assert "ends before" in refusal(body)
    assert "ends before" in refusal(content(b"abc")[:-4])


def test_t28_epilogue_is_bounded() -> None:
    """A kilobyte may follow the end, however the blocks are cut."""
    assert read(FORM + b"x" * 1022) == read(FORM + b"x" * 1022, 1) == read(FORM)
    assert "goes on" in refusal(FORM + b"x" * 1023)


def test_b134_million_parts() -> None:
    """Too many parts are refused at once, a thousand are taken."""
    started = thread_time()
    assert "count" in refusal(part("a", b"") * 10_000)
    assert thread_time() - started < 10
    assert len(read(part("classifiers", b"x") * 1000 + END)[0].fields["classifiers"]) == 1000


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="' + "\\" * 50_000,
        "form-data" + ";" * 50_000,
        "form-data; " + "a=" * 25_000,
        'form-data; name="' + "\\" * 900,
        "form-data; a=" + ";" * 900,
        'form-data; name="x',
        "form-data",
        "attachment; name=x",
    ],
)
def test_b137_costly_or_bad_disposition(disposition: str) -> None:
    """Headers made to be slow to parse are refused fast."""
    started = thread_time()
    refusal(f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n".encode() + END)
    assert thread_time() - started < 5


def test_t28_headers_of_a_part_are_bounded() -> None:
    """A part has few headers, and no long ones."""
    refusal(part("a", b"", "X-A: " + "x" * 1024) + END)
    refusal(part("a", b"", *[f"X-{n}: x" for n in range(8)]) + END)
    refusal(part("a", b"", "X-A: x", "X-A: y") + END)
    refusal(part("a", b"", "X-A: x", " folded") + END)
    assert read(part("a", b"b", *[f"X-{n}: x" for n in range(7)]) + END)[0].first("a") == "b"


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit-odd", "x-token", ""])
def test_b138_transfer_encodings(encoding: str) -> None:
    """Encoded parts are refused, not decoded nor stored as they are."""
    header = f"Content-Transfer-Encoding: {encoding}"
    assert "encoded" in refusal(part('content"; filename="a', b"YQ==", header) + END)


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary", "Binary "])
def test_identity_transfer_encodings(encoding: str) -> None:
    """Encodings that are none change nothing."""
    assert read(part("a", b"YQ==", f"Content-Transfer-Encoding: {encoding}") + END)[0].first("a") == "YQ=="


@pytest.mark.parametrize(
    "parameters",
    [
        "name*=utf-8''%ff",
        "name=content; filename*=utf-8''a.whl",
        'name="content"; filename="a.whl"; filename*=utf-8\'\'b.whl',
        "name*0=a; name*1=b",
        "name=x; filename*0*=utf-8''a; filename*1*=b",
    ],
)
def test_b139_extended_parameters(parameters: str) -> None:
    """Parameters that readers take for different names are refused."""
    refusal(f"--{BOUNDARY}\r\nContent-Disposition: form-data; {parameters}\r\n\r\nx\r\n".encode() + END)


@pytest.mark.parametrize(
    "parameters",
    [
        "name=content; filename=a-1.tar.gz; filename*=utf-8''a-1.tar.gz",
        'name="content"; filename="a-1.tar.gz"; filename*=UTF-8\'\'a-1%2Etar%2egz',
        "name=content;filename*=utf-8'en'a-1.tar.gz;filename=a-1.tar.gz",
        "name=content; filename*=utf-8''a-1.tar.gz ; filename=a-1.tar.gz",
    ],
)
def test_fault_c6_the_name_of_the_file_twice(parameters: str) -> None:
    """What .NET and PowerShell send is taken, as both say the same."""
    body = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {parameters}\r\n\r\nx\r\n".encode()
    assert read(body + END)[0].filename == "a-1.tar.gz"


@pytest.mark.parametrize(
    "extended",
    [
        "utf-8''b-1.tar.gz",
        "utf-8''a-1.tar.gz%00",
        "utf-8''a-1.tar.gz%ff",
        "utf-8''a-1.tar.g%7",
        "utf-8''A-1.tar.gz",
        "iso-8859-1''a-1.tar.gz",
        "utf-16''a-1.tar.gz",
        "a-1.tar.gz",
        "\"utf-8''a-1.tar.gz\"",
        "utf-8''a-1.tar.gz; filename*=utf-8''a-1.tar.gz",
        "utf-8''a-1.tar.gz; name*=utf-8''content",
        "utf-8''a-1.tar.gz; filename*0=a",
        "utf-8''",
    ],
)
def test_fault_c6_names_that_differ_stay_refused(extended: str) -> None:
    """Also where one of them is malformed, or there are more."""
    parameters = f"name=content; filename=a-1.tar.gz; filename*={extended}"
    refusal(f"--{BOUNDARY}\r\nContent-Disposition: form-data; {parameters}\r\n\r\nx\r\n".encode() + END)
    assert "filename" in refusal(
        part("a", b"x").replace(b"\r\n\r\n", f"; filename*={extended}\r\n\r\n".encode(), 1) + END
    )


def test_two_files_are_refused() -> None:
    """A form has one file."""
    assert "two files" in refusal(content(b"a") + content(b"b") + END)


def test_fields_are_utf8() -> None:
    """A field in another encoding is refused, by an escaped name."""
    assert "'license' is not UTF-8" in refusal(part("license", b"\xe9") + END)
    assert r"'\xfc<\u202e" in refusal(part("ü<\u202e" + "x" * 99, b"\xe9") + END)


@pytest.mark.slow
def test_t28_fields_are_bounded() -> None:
    """A megabyte for one field, four for all; the file counts for neither."""
    megabyte = b"x" * 1_000_000
    form, _ = read(part("description", megabyte) + content(megabyte * 5) + END)
    assert len(form.first("description") or "") == 1_000_000
    assert "'description'" in refusal(part("description", megabyte + b"x") + END, TooLarge)
    assert "together" in refusal(part("a", megabyte) * 4 + part("b", b"x") + END, TooLarge)


def test_errors_of_the_writer_pass() -> None:
    """What the staging raises is not taken for a fault of the form."""

    def write(data: bytes) -> None:
        raise TooLarge("enough")

    with pytest.raises(TooLarge, match="enough"):
        FormReader(CONTENT_TYPE, write).feed(FORM)


DIGESTS = {
    "sha256_digest": sha256(b"file").hexdigest(),
    "blake2_256_digest": blake2b(b"file", digest_size=32).hexdigest(),
    "md5_digest": md5(b"file").hexdigest(),
}


@pytest.mark.parametrize("name", DIGESTS)
def test_c129_one_digest_is_enough(name: str) -> None:
    """Any one digest will do, in either case."""
    form, _ = read(part(name, DIGESTS[name].upper().encode()) + content(b"file") + END)
    form.check_digests()


@pytest.mark.parametrize("name", DIGESTS)
@pytest.mark.parametrize("wrong", [b"0" * 64, b"x", "é".encode()])
def test_t09_each_digest_must_match(name: str, wrong: bytes) -> None:
    """One wrong digest is named, though the others are right."""
    digests = b"".join(part(key, value.encode()) for key, value in DIGESTS.items())
    read(digests + content(b"file") + END)[0].check_digests()
    form, _ = read(digests + part(name, wrong) + content(b"file") + END)
    with pytest.raises(InvalidUpload, match=name):
        form.check_digests()


def test_c129_no_digest() -> None:
    """A form without digests, or with empty ones, cannot be verified."""
    form, _ = read(part("sha256_digest", b"") + content(b"file") + END)
    with pytest.raises(InvalidUpload, match="sha256_digest"):
        form.check_digests()
