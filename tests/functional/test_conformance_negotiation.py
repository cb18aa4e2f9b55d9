"""Conformance, section B: the representation of a page that a client gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.conformance import HTML, HTML_V1, JSON, LiveIndex, live_index
from harness.daemon import Daemon
from harness.http import Answer, ask

from pypid.testing.builds import wheel
from pypid.testing.web import basic

PIP = f"{JSON}, {HTML_V1}; q=0.1, text/html; q=0.01"
UV = f"{JSON}, {HTML_V1};q=0.2, text/html;q=0.01"
POETRY = f"{JSON}, */*;q=0.1"
REASON = "schön kaputt"

paths = pytest.mark.parametrize("path", ["/simple/", "/simple/sample/"])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with one project."""
    with live_index(tmp_path_factory.mktemp("negotiation")) as index:
        index.publish(*wheel("sample", "1.0"))
        yield index


def media_type(answer: Answer) -> str:
    """Return a page's media type as it was sent, without its parameters."""
    assert answer.status == 200, answer
    return answer.headers["Content-Type"].partition(";")[0]


@paths
def test_c018_json(index: LiveIndex, path: str) -> None:
    """Who accepts JSON gets it, named exactly."""
    answer = index.get(path, JSON)
    assert answer.headers["Content-Type"] == JSON
    assert json.loads(answer.body)["meta"]


@paths
def test_c019_versioned_html(index: LiveIndex, path: str) -> None:
    """Who accepts the versioned HTML gets it under that name."""
    answer = index.get(path, HTML_V1)
    assert media_type(answer) == HTML_V1
    assert answer.text.startswith("<!DOCTYPE html>")


@paths
@pytest.mark.parametrize(
    "accept", [HTML, "*/*", None, "", "text/*", "text/html, application/xhtml+xml, */*;q=0.8"]
)
def test_c020_plain_html_for_everybody_else(index: LiveIndex, path: str, accept: str | None) -> None:
    """`text/html`, `*/*` and no `Accept` at all give `text/html`."""
    assert media_type(index.get(path, accept)) == HTML


@paths
def test_c021_pip_gets_json(index: LiveIndex, path: str) -> None:
    """What pip sends gives JSON."""
    assert media_type(index.get(path, PIP)) == JSON


@paths
def test_c022_uv_gets_json(index: LiveIndex, path: str) -> None:
    """What uv sends gives JSON."""
    assert media_type(index.get(path, UV)) == JSON


@paths
def test_c023_poetry_gets_json(index: LiveIndex, path: str) -> None:
    """What Poetry sends gives JSON."""
    assert media_type(index.get(path, POETRY)) == JSON


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (f"{JSON};q=0.1, text/html", HTML),
        (f"{JSON};q=0.5, {HTML_V1};q=0.6, text/html;q=0.4", HTML_V1),
        (f"{JSON};q=0, */*", HTML),
        ("text/html;q=0, */*;q=0.1", HTML_V1),
        (f"text/html;q=0, {HTML_V1};q=0, */*", JSON),
        (f"{JSON};q=0.001, text/html;q=0", JSON),
    ],
)
def test_c024_weights_count(index: LiveIndex, accept: str, chosen: str) -> None:
    """The weights of `Accept` decide, and a type with `q=0` is never chosen."""
    assert media_type(index.get("/simple/sample/", accept)) == chosen


def test_c025_latest_is_named_by_its_version(index: LiveIndex) -> None:
    """`latest` is accepted, and answered with the name of the version that it is."""
    for kind, chosen in (("json", JSON), ("html", HTML_V1)):
        assert media_type(index.get("/simple/", f"application/vnd.pypi.simple.latest+{kind}")) == chosen


@paths
@pytest.mark.parametrize(
    "accept", ["application/vnd.pypi.simple.v2+json", "application/xml", "image/*, a/b;q=1"]
)
def test_c026_nothing_acceptable_is_406(index: LiveIndex, path: str, accept: str) -> None:
    """Who accepts nothing of what there is gets a 406."""
    assert index.get(path, accept).status == 406


@paths
@pytest.mark.parametrize("accept", ["application/json", "application/json, text/html;q=0.5", "application/*"])
def test_c027_never_application_json(index: LiveIndex, path: str, accept: str) -> None:
    """No page is ever labelled `application/json`."""
    assert index.get(path, accept).headers.get_content_type() != "application/json"


@pytest.mark.parametrize(
    ("wanted", "accept", "chosen"),
    [
        ("application/vnd.pypi.simple.v1%2Bjson", HTML, JSON),
        ("application/vnd.pypi.simple.latest%2Bjson", HTML, JSON),
        ("application/vnd.pypi.simple.v1%2Bhtml", JSON, HTML_V1),
        ("text/html", JSON, HTML),
        ("application/xml", JSON, JSON),
        ("", JSON, JSON),
    ],
)
def test_c028_format_beats_accept(index: LiveIndex, wanted: str, accept: str, chosen: str) -> None:
    """`?format=` goes before `Accept`; what it does not know is passed over."""
    assert media_type(index.get(f"/simple/sample/?format={wanted}", accept)) == chosen


def test_c029_vary_names_what_decided(
    index: LiveIndex, daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """`Vary` names `Accept`, and `Accept-Encoding` and `Authorization` where they make a difference."""
    etag = index.get("/simple/sample/", JSON).headers["ETag"]
    revalidated = index.get("/simple/sample/", JSON, If_None_Match=etag)
    assert revalidated.status == 304
    for answer in (
        *(index.get(path, accept) for path in ("/simple/", "/simple/sample/") for accept in (JSON, HTML)),
        index.get("/simple/sample/", "application/xml"),
        revalidated,
    ):
        assert "Accept" in vary(answer)
    big = index.publish_wheel("much", requires_python=">=3.8")
    for minor in range(30):
        index.drop(big.project, f"much-2.{minor}.zip", b"")
    compressed = index.get("/simple/much/", JSON, Accept_Encoding="gzip")
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert {"Accept", "Accept-Encoding"} <= vary(compressed)
    private = daemon("--upstream", "none", "--access", "private", "--auth", f"htpasswd:{users_file}")
    assert "Authorization" in vary(ask(private.simple, headers=basic(*user)))


def vary(answer: Answer) -> set[str]:
    """Return what a response depends on."""
    return {name.strip() for value in answer.headers.get_all("Vary", []) for name in value.split(",")}


@paths
@pytest.mark.parametrize("accept", [JSON, JSON.upper(), HTML_V1.upper(), "TEXT/HTML"])
def test_c030_media_types_are_lower_case(index: LiveIndex, path: str, accept: str) -> None:
    """Media types are sent in lower case, however they were asked for."""
    sent = index.get(path, accept).headers["Content-Type"]
    assert sent == sent.lower()
    assert sent.split(";")[0] == accept.lower()


def test_c031_pages_are_utf8(index: LiveIndex) -> None:
    """HTML says that it is UTF-8; JSON is, and has no byte order mark."""
    index.publish_wheel("broken")
    index.yank("broken", "1.0", reason=REASON)
    for accept in (HTML, HTML_V1):
        answer = index.get("/simple/broken/", accept)
        assert answer.headers["Content-Type"] == f"{accept}; charset=utf-8"
        assert REASON in answer.text
    body = index.get("/simple/broken/", JSON).body
    assert body.startswith(b"{")
    assert REASON in body.decode("utf-8")
