"""Conformance, section H: reading that needs a sign-in."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
from harness.attacks import sign_in
from harness.conformance import HTML, JSON, LiveIndex, Published, live_index

from pypid.testing.builds import wheel
from pypid.testing.web import basic

ODD_USERS = (
    ("bob@example.org", "a:b:c"),
    ("percent", "%3A@%41"),
    ("jurgen", "пароль ☃"),
    ("dot.-_", " "),
)
CANARY = ("canary-user", "canary-password")
PAGES = ("/simple/", "/simple/sample/", "/simple/nope/")
FILE = Published("sample", "sample-1.0-py3-none-any.whl", wheel("sample", "1.0")[1])
DOWNLOADS = (FILE.path, f"{FILE.path}.metadata", "/simple/sample/" + FILE.filename)

everything = pytest.mark.parametrize("path", [*PAGES, *DOWNLOADS])


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index that only users may read, some of them with strange names and passwords."""
    directory = tmp_path_factory.mktemp("private")
    with live_index(directory, "--access", "private", users=ODD_USERS) as index:
        index.publish(FILE.filename, FILE.content)
        yield index


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index that anybody may read."""
    with live_index(tmp_path_factory.mktemp("public")) as index:
        index.publish(FILE.filename, FILE.content)
        yield index


@everything
@pytest.mark.parametrize(
    "credentials",
    [
        {},
        basic("alice", "wrong"),
        basic("nobody", "wrong"),
        basic("", ""),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest x"},
    ],
    ids=["none", "wrong", "unknown", "empty", "malformed", "other-scheme"],
)
def test_c107_without_credentials_401(private: LiveIndex, path: str, credentials: dict[str, str]) -> None:
    """Missing or bad credentials give a 401 that asks for Basic ones."""
    answer = private.request("GET", path, credentials)
    assert answer.status == 401
    assert re.match(r'Basic realm="[^"]+"', answer.headers["WWW-Authenticate"])


@pytest.mark.parametrize("path", [*PAGES, *DOWNLOADS, "/simple", "/simple/Sample/", "/simple/Nope", "/"])
@pytest.mark.parametrize("accept", [JSON, HTML])
def test_c109_strangers_get_401(private: LiveIndex, path: str, accept: str) -> None:
    """A first request without credentials gets 401 everywhere: no 404, no page, no way elsewhere."""
    answer = private.follow(path, accept)
    assert answer.status == 401
    assert b"1.0" not in answer.body


@pytest.mark.parametrize("path", ["/simple/", "/simple/sample/", *DOWNLOADS])
def test_c110_credentials_are_taken_unasked(private: LiveIndex, path: str) -> None:
    """Basic credentials that come with the first request are taken, for pages and files alike."""
    assert private.request("GET", path, private.credentials).status == 200


@pytest.mark.parametrize("accept", [JSON, HTML])
def test_c113_files_are_where_the_index_is(public: LiveIndex, accept: str) -> None:
    """Files are on the same scheme, host and port as the index, so that credentials go with them."""
    page = f"{public.daemon.simple}sample/"
    urls = (
        [file["url"] for file in public.json("sample")["files"]]
        if accept == JSON
        else [link.attributes["href"] for link in public.html("sample").links]
    )
    assert {urlsplit(urljoin(page, url))[:2] for url in urls} == {urlsplit(page)[:2]}


@pytest.mark.parametrize("user", ODD_USERS, ids=["colon", "percent", "unicode", "blank"])
def test_c114_odd_names_and_passwords(private: LiveIndex, user: tuple[str, str]) -> None:
    """Names and passwords may have `:`, `@`, `%` and letters of any script; the first `:` separates."""
    assert private.request("GET", "/simple/", basic(*user)).status == 200
    assert private.request("GET", "/simple/", basic(user[0], user[1] + "x")).status == 401


def test_c115_unknown_users_look_like_wrong_passwords(private: LiveIndex) -> None:
    """An unknown user and a wrong password are answered alike."""
    answers = [private.request("GET", "/simple/", basic(name, "wrong")) for name in ("alice", "nobody")]
    for answer in answers:
        del answer.headers["Date"], answer.headers["X-Request-Id"]
    first, second = ((answer.status, answer.body, answer.headers.items()) for answer in answers)
    assert first == second


def test_c115_too_many_failures_are_429(private: LiveIndex) -> None:
    """Who fails too often is told with a 429 when to try again."""
    answers = [sign_in(private.daemon, "alice", f"{one}", source="127.0.0.115") for one in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert answers[10].headers["Retry-After"].isdecimal()


@pytest.mark.parametrize("path", [*PAGES, *DOWNLOADS, "/simple", "/simple/Sample", "/simple//sample/", "/"])
def test_c116_credentials_are_never_repeated(public: LiveIndex, private: LiveIndex, path: str) -> None:
    """Credentials stand in no redirect, page, error or log."""
    encoded = b64encode(":".join(CANARY).encode()).decode()
    for index in (public, private):
        for method in ("GET", "POST"):
            answer = index.request(method, path, basic(*CANARY))
            said = f"{answer.headers}{answer.body.decode('latin-1')}{index.daemon.log_text()}"
            assert [secret for secret in (CANARY[1], encoded) if secret in said] == []


@everything
def test_c117_bad_credentials_show_on_public_pages(public: LiveIndex, path: str) -> None:
    """Bad credentials are a 401 also where none are needed, so that a typing error shows."""
    assert public.request("GET", path, basic("alice", "wrong")).status == 401
