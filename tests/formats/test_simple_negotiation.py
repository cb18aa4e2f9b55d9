"""The choice between the types of the Simple repository API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.formats.simple_api import MediaType, accepted, accepts_gzip, negotiate

JSON, HTML_V1, HTML = MediaType.JSON, MediaType.HTML_V1, MediaType.HTML
V1 = "application/vnd.pypi.simple.v1"
PIP = f"{V1}+json, {V1}+html; q=0.1, text/html; q=0.01"
UV = f"{V1}+json, {V1}+html;q=0.2, text/html;q=0.01"
POETRY = f"{V1}+json, */*;q=0.1"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(
    "accept", [None, "", " , ", "*/*", "text/html", "text/*", BROWSER, JAVA, "TEXT/HTML"]
)
def test_c20_html_by_default(accept: str | None) -> None:
    """Browsers, old clients and those that do not say get HTML."""
    assert negotiate(accept) is HTML


@pytest.mark.parametrize("accept", [PIP, UV, POETRY, f"{V1}+json", f"{V1}+json, */*", f"*/*, {V1}+json"])
def test_c18_c21_c22_c23_json(accept: str) -> None:
    """Today's installers get JSON."""
    assert negotiate(accept) is JSON


@pytest.mark.parametrize(
    "accept", [f"{V1}+html", f"{V1}+html, text/html;q=0.9", f"{V1}+html;q=0.2, */*;q=0.1"]
)
def test_c19_html_v1(accept: str) -> None:
    """The versioned HTML type is there too."""
    assert negotiate(accept) is HTML_V1


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (f"{V1}+json;q=0.1, text/html", HTML),
        (f"{V1}+json, text/html", HTML),
        (f"{V1}+json;q=0.5, {V1}+html;q=0.6", HTML_V1),
        (f"{V1}+json;q=0, */*", HTML),
        ("text/html;q=0, */*", HTML_V1),
        (f"text/*;q=0, {V1}+html;q=0, */*;q=0.001", JSON),
        (f"text/html;q=0.5, text/*, {V1}+json;q=0.6", JSON),
        (f"{V1}+json ; charset=utf-8 ; Q=0.9,text/html;q=0.8", JSON),
        (f"{V1}+json;q=abc, text/html;q=0.1", HTML),
        (f"{V1}+json;q=2, text/html;q=0.1", HTML),
        (f"{V1}+json;q=nan, text/html;q=0.1", HTML),
        (f"{V1}+json;q=.5, text/html;q=0.4", JSON),
        (f"{V1}+json, text/html;q=0.5, application/vnd.pypi.simple.latest+json;q=0.1", JSON),
    ],
)
def test_c24_quality_values(accept: str, media: MediaType) -> None:
    """The greatest weight wins, the most specific range gives it, and none of 0 is ever chosen."""
    assert negotiate(accept) is media


@pytest.mark.parametrize("kind", ["json", "html"])
def test_c25_latest(kind: str) -> None:
    """The latest version is version 1, and the answer says so."""
    media = negotiate(f"application/vnd.pypi.simple.latest+{kind}")
    assert media is not None
    assert media.content_type.startswith(f"{V1}+{kind}".encode())


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.pypi.simple.v2+json",
        "application/xml",
        "application/json",
        "text/plain, application/json;q=0.5",
        "text/html;q=0",
        "*/*;q=0.0",
    ],
)
def test_c26_c27_not_acceptable(accept: str) -> None:
    """There is nothing for a client that wants something else, nor plain JSON for anybody."""
    assert negotiate(accept) is None


@pytest.mark.parametrize("spelling", [f"{V1}+json", f"{V1} json", "application/vnd.pypi.simple.latest+json"])
def test_c28_format_overrides(spelling: str) -> None:
    """The query string goes before the header, also where its "+" was not encoded."""
    assert negotiate("text/html", spelling) is JSON
    assert negotiate("application/xml", spelling) is JSON


@pytest.mark.parametrize("unknown", ["", "json", "*/*", f"{V1}+json;q=1", f"{V1}+json,text/html"])
def test_c28_unknown_format(unknown: str) -> None:
    """A format that is none leaves the choice to the header."""
    assert negotiate("text/html", unknown) is HTML
    assert negotiate(PIP, unknown) is JSON
    assert negotiate("application/xml", unknown) is None


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "a/b"),
        ("a/c", "a/c"),
        ("*/*", "a/b"),
        ("a/*;q=0.1, a/c;q=0.2", "a/c"),
        ("text/html", None),
        ("a/b;q=0, a/c;q=0", None),
    ],
)
def test_other_types(accept: str | None, chosen: str | None) -> None:
    """The same is done for types of other answers."""
    assert accepted(accept, ("a/b", "a/c")) == chosen


def test_absurdly_long_accept() -> None:
    """What follows the first few dozens of ranges is not even looked at."""
    assert negotiate("a/b," * 63 + f"{V1}+json") is JSON
    assert negotiate("a/b," * 64 + f"{V1}+json") is None
    assert negotiate("," * 8192) is HTML
    assert negotiate("text/html" + ";" * 8192) is HTML


@given(
    st.text() | st.lists(st.sampled_from([V1, "+json", "/", "*", ",", ";", "q=", "0", "1", "."])).map("".join)
)
def test_negotiation_never_raises(text: str) -> None:
    """Any text at all may stand in the header and in the query string."""
    negotiate(text, text)


@pytest.mark.parametrize(
    ("header", "gzip"),
    [
        (None, False),
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip ; q=0.5", True),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("identity;q=0, gzip;q=0.1", True),
        ("identity;q=0", False),
        ("gzip;q=2", False),
        ("gzip;q=", False),
        ("notgzip", False),
        ("deflate, " * 100 + "gzip", False),
    ],
)
def test_c181_gzip(header: str | None, gzip: bool) -> None:
    """A page is compressed for those who accept that, and like it no less than the plain one."""
    assert accepts_gzip(header) is gzip


@given(st.text() | st.lists(st.sampled_from(["gzip", "*", ",", ";", "q=", "0", "1", "."])).map("".join))
def test_gzip_negotiation_never_raises(text: str) -> None:
    """Any text at all may stand in the header."""
    accepts_gzip(text)
