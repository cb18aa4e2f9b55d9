"""Tests for :mod:`pypid.formats.core_metadata`."""

from __future__ import annotations

import re
from contextlib import suppress
from email.parser import HeaderParser
from email.policy import compat32
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import InvalidMetadata
from pypid.formats.core_metadata import CoreMetadata, parse

REQUIRED = b"Metadata-Version: 2.4\nName: Lab.Pkg\nVersion: 1.0\n"


def refusal(data: bytes) -> str:
    """Parse metadata that must be refused quickly, and return the message."""
    started = thread_time()
    with pytest.raises(InvalidMetadata) as caught:
        parse(data)
    assert thread_time() - started < 10
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_modern_metadata() -> None:
    """What hatchling writes is read; the description is not taken for headers."""
    data = (
        REQUIRED
        + (
            "Summary: Größe — ✓\nLicense-Expression: MIT\nRequires-Python: <4,>= 3.8.*\n"
            "Dynamic: x\nX-New: y\n\nName: other\nRequires-Python: >=9\n"
        ).encode()
    )
    assert parse(data) == CoreMetadata(
        metadata_version="2.4",
        name="Lab.Pkg",
        version="1.0",
        requires_python="<4,>= 3.8.*",
        summary="Größe — ✓",
        dynamic=frozenset({"x"}),
    )


def test_old_metadata() -> None:
    """What distutils wrote in 2005 is read: version 1.0, UNKNOWN, a folded description, CRLF."""
    data = b"\r\n".join(
        [
            b"Metadata-Version: 1.0",
            b"Name: foo",
            b"Version: 0.1dev-r1716",
            b"Summary: UNKNOWN",
            b"Home-page: UNKNOWN",
            b"Description: Foo",
            *[b"        indented"] * 5_000,
            b"        ",
            b"Platform: UNKNOWN",
            b"Requires-Python: ",
            b"",
        ]
    )
    assert parse(data) == CoreMetadata("1.0", "foo", "0.1dev-r1716", None, None)


@pytest.mark.parametrize("missing", [b"Metadata-Version", b"Name", b"Version"])
def test_required_headers(missing: bytes) -> None:
    """Each required header is there exactly once."""
    others = b"".join(line for line in REQUIRED.splitlines(True) if not line.startswith(missing + b":"))
    for data in (others, others + missing + b": \n", others + missing + b": UNKNOWN\n"):
        assert refusal(data) == f"the metadata has no {missing.decode()}"
    assert refusal(REQUIRED + missing + b": 2\n") == f"the metadata has more than one {missing.decode()}"


@pytest.mark.parametrize("name", ["-", "a b", "a/../b", "a\x00", "x" * 101, "a\r b", "\u212aelvin"])
def test_invalid_names(name: str) -> None:
    """A name that is none is refused, and not repeated."""
    assert refusal(REQUIRED.replace(b"Lab.Pkg", name.encode())) == "the metadata has a Name that is not valid"


def test_ambiguous_requires_python() -> None:
    """Of two Requires-Python none is chosen."""
    assert "Requires-Python" in refusal(REQUIRED + b"Requires-Python: >=3\nrequires-python: >=2\n")


def test_t43_bounds() -> None:
    """The size and the number of headers are bounded, and all is UTF-8."""
    padding = b"\n" + b"x" * (1_999_999 - len(REQUIRED))
    assert parse(REQUIRED + padding).name == "Lab.Pkg"
    assert "longer" in refusal(REQUIRED + padding + b"x")
    assert parse(REQUIRED + b"Classifier: x\n" * 1_997).name == "Lab.Pkg"
    assert "more than 2000" in refusal(REQUIRED + b"Classifier: x\n" * 1_998)
    assert "more than 2000" in refusal(REQUIRED + b"Classifier: x\r" * 100_000)
    assert "UTF-8" in refusal(REQUIRED + b"Author: \xe9\n")
    assert "UTF-8" in refusal(REQUIRED + b"\n\xe9")


@pytest.mark.parametrize(
    "costly",
    [
        b'Content-Type: multipart/mixed; boundary="' + b'\\"' * 900_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=a%d\n--a%d\n" % (n, n) for n in range(900)),
        b"Content-Type: message/rfc822\n" * 1_900,
        b"Keywords: " + b"," * 1_900_000,
        b"Summary: x\n" + b" \n" * 600_000,
        b"Summary: " + b"=?utf-8?q?=41?=" * 100_000,
    ],
)
def test_t42_costly_headers(costly: bytes) -> None:
    """Headers that send the full e-mail parser on long ways are read fast."""
    started = thread_time()
    assert parse(REQUIRED + costly).name == "Lab.Pkg"
    assert thread_time() - started < 20


@given(st.binary(max_size=200), st.text(max_size=200))
def test_anything_is_read_or_refused(garbage: bytes, text: str) -> None:
    """Nothing but refusals comes of garbage."""
    for data in (garbage, text.encode("utf-8", "replace"), REQUIRED + garbage):
        with suppress(InvalidMetadata):
            parse(data)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_requires_python_letter_for_letter(value: str) -> None:
    """Nothing of Requires-Python is changed."""
    expected = None if value == "UNKNOWN" else value
    assert parse(REQUIRED + f"Requires-Python: {value}".encode()).requires_python == expected


@pytest.mark.parametrize(
    ("version", "dynamic", "binding"),
    [
        ("2.1", [], False),
        ("2.2", [], True),
        ("2.10", [], True),
        ("3.0", [], False),
        ("2.2", ["License", "summary"], True),
        ("2.4", ["Requires-Dist"], False),
        ("2.4", ["license", " REQUIRES-PYTHON "], False),
        ("2.4", ["Provides-Extra"], False),
    ],
)
def test_c92_which_metadata_of_an_sdist_binds(version: str, dynamic: list[str], binding: bool) -> None:
    """From 2.2 on, and if nothing that a resolver uses is left to the build (PEP 643)."""
    lines = [f"Metadata-Version: {version}", "Name: a", "Version: 1", *(f"Dynamic: {one}" for one in dynamic)]
    assert parse("\n".join(lines).encode()).binding is binding


_lines = st.one_of(
    st.sampled_from(
        [
            "Name: foo",
            "name:bar",
            "Version : 1",
            "From me",
            " more",
            "\tmore ",
            "",
            ":",
            ": x",
            "X-1:",
            "x",
            "É: 1",
        ]
    ),
    st.text(st.sampled_from("ab: \t-\x0b\x85\u2028é"), max_size=6),
)
_texts = st.lists(st.tuples(_lines, st.sampled_from(["\n", "\r\n", "\r", ""])), max_size=12)


@given(_texts)
def test_headers_are_taken_apart_as_python_does(parts: list[tuple[str, str]]) -> None:
    """Those that come after the ones that there must be; and the body is what is left."""
    text = "".join(line + end for line, end in parts)
    message = HeaderParser(policy=compat32).parsestr(REQUIRED.decode() + text)
    with suppress(InvalidMetadata):
        parsed = parse((REQUIRED.decode() + text).encode())
        for name in message:
            lines = [re.split(r"[\r\n]+", str(value)) for value in message.get_all(name, [])]
            values = [" ".join(filter(None, map(str.strip, one))) for one in lines]
            assert list(parsed.texts(name)) == values
        assert parsed._body == message.get_payload()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fault_c5_folded_headers_are_one_line(end: str) -> None:
    """All values that are one; the description has its lines."""
    lines = [
        *REQUIRED.decode().splitlines(),
        "Requires-Python: >=3.8,",
        "        !=3.9.0,",
        "\t<4",
        "Summary: in two",
        "  lines",
        "Author: Zoë",
        "        |and others",
        "License: MIT",
        "        ",
        "        Copyright",
        "Requires-Dist: a",
        "  >=1",
        "Description: First.",
        "        Second.",
        "               Third.",
        "",
    ]
    parsed = parse(end.join(lines).encode())
    assert parsed.requires_python == ">=3.8, !=3.9.0, <4"
    assert parsed.summary == parsed.text("Summary") == "in two lines"
    assert parsed.text("Author") == "Zoë |and others"
    assert parsed.text("license") == "MIT Copyright"
    assert parsed.requires_dist == ("a >=1",)
    assert parsed.description == f"First.{end}Second.{end}       Third."


def test_the_description_is_the_body() -> None:
    """Also where a line that is no header ends them."""
    assert parse(REQUIRED + b"Description: no\n\n# Yes\n\nit is\n").description == "# Yes\n\nit is\n"
    assert parse(REQUIRED + b"no header\n\n# Yes\n").description == "no header\n\n# Yes\n"
    assert parse(REQUIRED + b"Description: UNKNOWN\n").description == ""


def test_many_lines_of_one_header() -> None:
    """A header of a million lines takes no longer than its bytes."""
    started = thread_time()
    assert parse(REQUIRED + b"Summary: x" + b"\n " * 900_000).summary == "x"
    assert thread_time() - started < 10
