"""Conformance, section A: routes and names of the Simple API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

import pytest
from harness.conformance import HTML, JSON, LiveIndex, Page, live_index
from harness.daemon import Daemon
from harness.http import ask

from pypid.testing.builds import sdist, wheel

PAGES = ("/simple/", "/simple/foo-bar-baz/")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with two projects, one of which was uploaded under several spellings."""
    with live_index(tmp_path_factory.mktemp("names")) as index:
        index.publish(*wheel("foo-bar-baz", "1.0"), "Foo.Bar_Baz")
        index.publish(*sdist("foo-bar-baz", "1.0"), "foo--bar__baz")
        index.publish(*wheel("other", "1.0"))
        yield index


def test_c001_index_lists_every_project_once(index: LiveIndex) -> None:
    """`GET /simple/` lists every project, each once."""
    names = [project["name"] for project in index.json()["projects"]]
    assert len(names) == len(set(names))
    assert {"foo-bar-baz", "other"} <= set(names)
    assert [link.text for link in index.html().links] == names


def test_c002_project_page_at_its_normalized_name(index: LiveIndex) -> None:
    """A project's page is at its normalized name: lower case, one `-` for each run of `-`, `_` and `.`."""
    for accept in (JSON, HTML):
        assert index.get("/simple/foo-bar-baz/", accept).status == 200


def test_c003_all_spellings_are_one_project(index: LiveIndex) -> None:
    """What is uploaded as `Foo.Bar_Baz` is `foo-bar-baz`, and is nowhere else."""
    names = [project["name"] for project in index.json()["projects"]]
    assert [name for name in names if name.lower().startswith("foo")] == ["foo-bar-baz"]
    assert len(index.json("foo-bar-baz")["files"]) == 2
    assert [path.name for path in index.simple_directory.glob("[Ff]oo*")] == ["foo-bar-baz"]


@pytest.mark.parametrize("spelling", ["Foo_Bar_Baz", "foo.bar.baz", "FOO-BAR-BAZ", "foo--bar_.baz"])
def test_c004_other_spellings_redirect(index: LiveIndex, spelling: str) -> None:
    """Another spelling of a name redirects to the normalized one, for good."""
    answer = index.get(f"/simple/{spelling}/")
    assert answer.status in (301, 308)
    assert index.follow(f"/simple/{spelling}/", JSON).body == index.get("/simple/foo-bar-baz/", JSON).body


@pytest.mark.parametrize("path", PAGES)
def test_c005_missing_slash_redirects(index: LiveIndex, path: str) -> None:
    """Without the slash at its end, a page redirects to the one with it."""
    assert index.get(path.rstrip("/")).status in (301, 308)
    assert index.follow(path.rstrip("/"), JSON).body == index.get(path, JSON).body


@pytest.mark.parametrize(
    "path", ["/simple", "/simple/foo-bar-baz", "/simple/Foo.Bar_Baz/", "/simple//other/"]
)
def test_c006_redirects_keep_the_query(index: LiveIndex, path: str) -> None:
    """Those redirects keep the query string."""
    asked = "?format=application/vnd.pypi.simple.v1%2Bjson&x=%C3%A4"
    assert index.get(path + asked).headers["Location"].endswith(asked)
    assert index.follow(path + asked).headers["Content-Type"] == JSON


def test_c007_redirects_to_an_upstream_are_temporary(daemon: Callable[..., Daemon]) -> None:
    """A redirect that may change, such as one to an upstream, is a temporary one."""
    started = daemon("--upstream", "redirect:https://upstream.example.org/simple/")
    answer = ask(f"{started.simple}elsewhere/")
    assert answer.status in (302, 307)
    assert answer.headers["Location"] == "https://upstream.example.org/simple/elsewhere/"


@pytest.mark.parametrize("accept", [JSON, HTML, "*/*"])
def test_c008_unknown_project_is_404(index: LiveIndex, accept: str) -> None:
    """A project that is not there is a 404, and nothing else."""
    assert index.get("/simple/no-such-project/", accept).status == 404


def test_c009_errors_are_short_plain_text(
    index: LiveIndex, daemon: Callable[..., Daemon], users_file: Path
) -> None:
    """A 404 or 401 of the Simple API is a line of plain text; never is it a page with status 200."""
    private = daemon("--upstream", "none", "--access", "private", "--auth", f"htpasswd:{users_file}")
    for answer, status in (
        (index.get("/simple/no-such-project/", JSON), 404),
        (ask(f"{private.simple}no-such-project/", headers={"Accept": JSON}), 401),
        (ask(private.simple, headers={"Accept": HTML}), 401),
    ):
        assert answer.status == status
        assert answer.headers.get_content_type() == "text/plain"
        assert 0 < len(answer.body) < 200


def test_c010_project_without_files_is_there(index: LiveIndex) -> None:
    """A project whose files are all gone answers 200 with none; one that never was is a 404."""
    gone = index.publish_wheel("removed")
    index.remove(gone.project, gone.filename)
    lost = index.publish_wheel("emptied")
    (index.simple_directory / "emptied" / lost.filename).unlink()
    for name in ("removed", "emptied"):
        assert index.json(name)["files"] == []
        assert index.html(name).links == []
    (index.simple_directory / "made-by-hand").mkdir()
    assert index.get("/simple/made-by-hand/").status == 404
    assert index.get("/simple/never-made/").status == 404


@pytest.mark.parametrize("path", ["/simple//foo-bar-baz/", "/simple///foo-bar-baz//", "/simple//"])
def test_c011_double_slashes_are_harmless(index: LiveIndex, path: str) -> None:
    """Doubled slashes, which Pipenv makes, lead to the page that is meant."""
    meant = path.replace("///", "/").replace("//", "/")
    assert index.follow(path, JSON).body == index.get(meant, JSON).body


@pytest.mark.parametrize(
    "path",
    [
        *("/simple/-foo/", "/simple/foo-/", "/simple/.foo/", "/simple/foo_/", "/simple/f%20o/"),
        *("/simple/f%C3%B6%C3%B6/", "/simple/foo%00/", "/simple/foo@1/", "/simple/foo%0d%0a/"),
        *("/simple/../", "/simple/../secret/", "/simple/%2e%2e/", "/simple/%2e%2e%2fsecret/"),
        *("/simple/..%2fsecret/secret.txt", "/packages/../../secret/secret.txt", "/packages/%2e%2e/htpasswd"),
        *("/packages/foo-bar-baz/..%2f..%2f..%2fusers", "/simple/foo-bar-baz/.pypid.json"),
    ],
)
def test_c012_what_is_no_name_reaches_no_storage(index: LiveIndex, path: str) -> None:
    """What is no project name is not found, and no path leads out of the projects."""
    answer = index.get(path)
    assert answer.status in (400, 404)
    assert b"alice" not in answer.body


@pytest.mark.parametrize("path", [*PAGES, "/simple", "/simple/Foo.Bar_Baz/", "/simple/nope/"])
@pytest.mark.parametrize("accept", [JSON, HTML, "application/xml"])
def test_c013_head_is_get_without_a_body(index: LiveIndex, path: str, accept: str) -> None:
    """`HEAD` gives the status and headers of `GET`, and no body."""
    head, get = (index.request(method, path, {"Accept": accept}) for method in ("HEAD", "GET"))
    assert head.body == b""
    for answer in (head, get):
        del answer.headers["Date"], answer.headers["X-Request-Id"]
    assert (head.status, head.headers.items()) == (get.status, get.headers.items())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("PUT", "/simple/"), ("DELETE", "/simple/"), ("PATCH", "/simple/")),
        *(("POST", "/simple/other/"), ("PUT", "/simple/other/"), ("DELETE", "/simple/other/")),
    ],
)
def test_c014_other_methods_are_405(index: LiveIndex, method: str, path: str) -> None:
    """Any other method is a 405 that names those which are allowed; but the index takes uploads too."""
    answer = index.request(method, path, index.credentials)
    assert answer.status == 405
    assert {"GET", "HEAD"} <= {allowed.strip() for allowed in answer.headers["Allow"].split(",")}


def test_c015_listed_files_are_there_and_others_are_not(index: LiveIndex) -> None:
    """A file is listed when it can be downloaded with its metadata, and no longer than that."""
    index.publish_wheel("steady", "0.0")
    versions = [f"1.{minor}" for minor in range(8)]

    def change() -> None:
        for version in versions:
            index.publish_wheel("steady", version)
        for version in versions:
            index.remove("steady", f"steady-{version}-py3-none-any.whl")
            assert index.get(f"/packages/steady/steady-{version}-py3-none-any.whl").status == 404
            assert version not in index.json("steady")["versions"]

    with ThreadPoolExecutor(1) as thread:
        changing = thread.submit(change)
        seen = set()
        while not changing.done():
            listed = index.json("steady")["files"]
            for file in listed:
                path = f"/packages/steady/{file['filename']}"
                answers = index.get(path), index.get(f"{path}.metadata")
                if {answer.status for answer in answers} != {200}:
                    # It was removed since.
                    assert file["filename"] not in index.get("/simple/steady/").text
            seen |= {file["filename"] for file in listed}
        changing.result()
    assert len(seen) > 1
    assert len(index.json("steady")["files"]) == 1


@pytest.mark.parametrize("prefix", ["/+simple/", "/%2Bsimple/", "/legacy/+simple/", "/legacy/%2Bsimple/"])
def test_c016_plus_simple_is_the_simple_page(index: LiveIndex, prefix: str) -> None:
    """Hatch finds a project's page where devpi has it, below the upload URL."""
    answer = index.follow(f"{prefix}foo-bar-baz/", HTML)
    assert answer.status == 200
    assert answer.headers.get_content_type() == "text/html"
    (link,) = [link for link in Page(answer.text).links if link.text == "foo_bar_baz-1.0.tar.gz"]
    assert index.get(urljoin(f"{prefix}foo-bar-baz/", link.attributes["href"])).status == 200


def test_c017_pip_is_answered_fast(index: LiveIndex) -> None:
    """`GET /simple/pip/`, which pip asks before all else, is answered at once.

    A busy machine delays some of many answers, but a page that takes its time delays them all.
    """
    waits = []
    for _ in range(20):
        began = time.monotonic()
        assert index.get("/simple/pip/", JSON).status == 404
        waits.append(time.monotonic() - began)
    assert min(waits) < 0.1
