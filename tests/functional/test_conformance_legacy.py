"""Conformance, section L: legacy JSON, XML-RPC, serials and feeds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xmlrpc.client import Fault, ServerProxy

import pytest
from harness.conformance import HTML, JSON, LiveIndex, live_index

from pypid.testing.builds import sdist, wheel

METHODS = (
    "system.listMethods",
    "browse",
    "user_packages",
    "no.such.method",
    "search.__class__",
    "updated_releases",
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with two projects; one has a yanked release and a pre-release above its newest."""
    with live_index(tmp_path_factory.mktemp("legacy")) as index:
        index.publish(*wheel("Sample.Project", "1.0"), "Sample.Project")
        index.publish(*wheel("sample-project", "1.10", requires_python=">=3.8", requires_dist=["other>=1"]))
        index.publish(*sdist("sample-project", "1.10"))
        index.publish(*wheel("sample-project", "1.11"))
        index.publish(*wheel("sample-project", "2.0rc1"))
        index.publish(*wheel("other", "1.0"))
        index.yank("sample-project", "1.11", reason="wrong")
        yield index


@pytest.fixture
def old(index: LiveIndex) -> ServerProxy:
    """Return an XML-RPC client."""
    return ServerProxy(f"{index.daemon.url}pypi", allow_none=True)


def legacy(index: LiveIndex, path: str) -> dict[str, Any]:
    """Return a page of the legacy JSON API."""
    answer = index.get(path)
    assert answer.status == 200, answer
    assert answer.headers.get_content_type() == "application/json"
    page: dict[str, Any] = json.loads(answer.body)
    return page


def test_c173_legacy_json(index: LiveIndex) -> None:
    """`/pypi/<project>/json` and `/pypi/<project>/<version>/json` describe a release and its files."""
    page = legacy(index, "/pypi/sample-project/1.10/json")
    assert (page["info"]["version"], page["info"]["requires_python"]) == ("1.10", ">=3.8")
    assert page["info"]["requires_dist"] == ["other>=1"]
    files = {file["filename"]: file for file in page["urls"]}
    assert set(files) == {"sample_project-1.10-py3-none-any.whl", "sample_project-1.10.tar.gz"}
    for name, file in files.items():
        shown = index.entry("sample-project", name)
        assert file["digests"]["sha256"] == shown["hashes"]["sha256"]
        assert file["yanked"] is False
        assert index.request("GET", index.path("sample-project", name)).status == 200
    releases = legacy(index, "/pypi/sample-project/json")["releases"]
    assert set(releases) == {"1.0", "1.10", "1.11", "2.0rc1"}
    assert [file["yanked"] for file in releases["1.11"]] == [True]
    assert index.get("/pypi/nope/json").status == index.get("/pypi/other/9.9/json").status == 404


@pytest.mark.parametrize("path", ["/pypi/Sample.Project/json", "/pypi/SAMPLE_project/1.10/json"])
def test_c173_other_spellings_redirect(index: LiveIndex, path: str) -> None:
    """Another spelling of the name redirects."""
    assert index.get(path).status in (301, 302, 307, 308)
    assert json.loads(index.follow(path).body)["urls"]


def test_c174_newest_final_release_is_shown(index: LiveIndex) -> None:
    """Without a version it is the newest release that is final and not yanked."""
    page = legacy(index, "/pypi/sample-project/json")
    assert page["info"]["version"] == "1.10"
    assert {file["filename"] for file in page["urls"]} == {
        "sample_project-1.10-py3-none-any.whl",
        "sample_project-1.10.tar.gz",
    }


def test_c175_search(old: ServerProxy) -> None:
    """XML-RPC's `search` serves `pip search`."""
    found: Any = old.search({"name": "sample", "summary": "sample"}, "or")
    assert [hit["name"] for hit in found if "ample" in hit["name"]]
    assert {"name", "version", "summary"} <= set(found[0])


@pytest.mark.parametrize("method", METHODS)
def test_c175_other_methods_are_faults(old: ServerProxy, method: str) -> None:
    """Every other method gives a fault, in an answer that clients can read."""
    with pytest.raises(Fault):
        getattr(old, method)()


def test_c176_mirrors(index: LiveIndex, old: ServerProxy) -> None:
    """XML-RPC tells old mirrors the serials of projects, and what changed since one."""
    before: Any = old.changelog_last_serial()
    index.publish_wheel("fresh")
    after: Any = old.changelog_last_serial()
    assert after > before
    serials: Any = old.list_packages_with_serial()
    assert before < serials["fresh"] <= after
    changes: Any = old.changelog_since_serial(before)
    assert changes
    assert {change[0] for change in changes} == {"fresh"}
    assert [change[4] for change in changes] == sorted(change[4] for change in changes)
    assert old.changelog_since_serial(after) == []
    index.yank("other", "1.0")
    last: Any = old.changelog_since_serial(after)
    assert {change[0] for change in last} == {"other"}


def test_c177_serial_header_grows(index: LiveIndex) -> None:
    """`X-PyPI-Last-Serial` is on pages and legacy JSON, and grows with each change of the project."""

    def serials() -> list[int]:
        answers = (
            *(index.get("/simple/growing/", accept) for accept in (JSON, HTML)),
            index.get("/pypi/growing/json"),
        )
        return [int(answer.headers["X-PyPI-Last-Serial"]) for answer in answers]

    def whole() -> int:
        return int(index.get("/simple/", JSON).headers["X-PyPI-Last-Serial"])

    index.publish_wheel("growing")
    seen, of_all = [serials()], [whole()]
    for change in (
        lambda: index.publish_wheel("growing", "1.1"),
        lambda: index.yank("growing", "1.1"),
        lambda: index.unyank("growing", "1.1"),
        lambda: index.set_status("growing", "deprecated"),
        lambda: index.remove("growing", "growing-1.1-py3-none-any.whl"),
        lambda: index.drop("growing", *wheel("growing", "1.2")),
    ):
        change()
        seen.append(serials())
        of_all.append(whole())
    assert all(len(set(each)) == 1 for each in seen)
    assert [each[0] for each in seen] == sorted({each[0] for each in seen})
    assert of_all == sorted(of_all)
    assert of_all[-2] >= seen[-2][0]


@pytest.mark.parametrize("feed", ["updates", "packages"])
def test_c178_feeds(index: LiveIndex, feed: str) -> None:
    """`/rss/updates.xml` and `/rss/packages.xml` tell of new releases and new projects, newest first."""
    index.publish_wheel(f"news-of-{feed}")
    answer = index.get(f"/rss/{feed}.xml")
    assert answer.status == 200
    assert answer.headers.get_content_type() in ("application/rss+xml", "text/xml", "application/xml")
    titles = [
        title.text or "" for title in ElementTree.fromstring(answer.body).iterfind("channel/item/title")
    ]
    assert f"news-of-{feed}" in titles[0]
    assert any("sample" in title.lower() for title in titles)
