"""Conformance, section D: pages as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from harness.conformance import HTML, HTML_V1, LiveIndex, Page, live_index

from pypid.testing.builds import SIGNATURE, sdist, wheel

REASON = """it's <b>"bad"</b> & worse"><a href=https://evil.example.org/sample-9.0.tar.gz>"""
PAGES = pytest.mark.parametrize("path", ["/simple/", "/simple/sample/"])
WHEEL = "sample-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with files of all kinds in one project, ``sample``."""
    with live_index(tmp_path_factory.mktemp("html")) as index:
        index.publish(*wheel("Sample", "1.0", requires_python=">=3.8,<4"), "Sample")
        index.publish(*sdist("sample", "1.0"))
        index.publish(*wheel("sample", "1.1"))
        index.publish(*wheel("sample", "1.2"))
        index.publish(*wheel("sample", "2.0+cpu.1"))
        index.drop("sample", "sample-3.1-py3-none-any.whl", b"no wheel at all")
        index.publish(*wheel("other", "1.0"))
        index.yank("sample", "1.1", reason="")
        index.yank("sample", "1.2", reason=REASON)
        yield index


@pytest.fixture
def page(index: LiveIndex) -> Page:
    """Return the page of ``sample``."""
    return index.html("sample")


@PAGES
@pytest.mark.parametrize("accept", [HTML, HTML_V1])
def test_c057_html5_with_a_link_each(index: LiveIndex, path: str, accept: str) -> None:
    """A page is an HTML5 document with one `<a>` for each project or file."""
    text = index.get(path, accept).text
    assert text.startswith("<!DOCTYPE html>")
    document = index.json() if path == "/simple/" else index.json("sample")
    assert len(Page(text).links) == len(document.get("projects") or document["files"])


def test_c058_link_text_is_the_name(index: LiveIndex, page: Page) -> None:
    """The text of a link is the name of the project or file."""
    assert {"sample", "other"} <= {link.text for link in index.html().links}
    assert {link.text for link in page.links} == {file["filename"] for file in index.json("sample")["files"]}


def test_c059_attributes_are_escaped(index: LiveIndex, page: Page) -> None:
    """Attribute values are escaped; a reason with markup in it stays a reason."""
    text = index.get("/simple/sample/", HTML).text
    assert 'data-requires-python="&gt;=3.8,&lt;4"' in text
    assert "<b>" not in text
    assert page.link("sample-1.2-py3-none-any.whl")["data-yanked"] == REASON
    assert "evil.example.org" not in "".join(link.attributes["href"] for link in page.links)


@PAGES
def test_c060_version_stays_1_4(index: LiveIndex, path: str) -> None:
    """The page says that its version is 1.4."""
    assert Page(index.get(path, HTML).text).meta["pypi:repository-version"] == "1.4"


def test_c061_links_carry_the_digest(index: LiveIndex, page: Page) -> None:
    """Links to files end in `#sha256=` and the digest."""
    digests = {file["filename"]: file["hashes"]["sha256"] for file in index.json("sample")["files"]}
    for link in page.links:
        assert link.attributes["href"].partition("#")[2] == f"sha256={digests[link.text]}"


def test_c062_digest_is_of_a_known_kind(page: Page) -> None:
    """No other algorithm stands there: uv refuses the whole page for one that it does not know."""
    assert {link.attributes["href"].partition("#")[2].partition("=")[0] for link in page.links} == {"sha256"}


def test_c063_requires_python(page: Page) -> None:
    """`data-requires-python` is on the links of files whose metadata says it."""
    assert page.link(WHEEL)["data-requires-python"] == ">=3.8,<4"
    assert "data-requires-python" not in page.link("sample-1.1-py3-none-any.whl")


def test_c064_yanked_where_it_is_so(page: Page) -> None:
    """`data-yanked` is on yanked files alone, with the reason or empty."""
    yanked = {
        link.text: link.attributes["data-yanked"] for link in page.links if "data-yanked" in link.attributes
    }
    assert yanked == {"sample-1.1-py3-none-any.whl": "", "sample-1.2-py3-none-any.whl": REASON}


def test_c065_core_metadata_where_it_is_served(index: LiveIndex, page: Page) -> None:
    """`data-core-metadata` has the digest of the `.metadata` beside the file, exactly where there is one."""
    for file in index.json("sample")["files"]:
        attributes = page.link(file["filename"])
        if file.get("core-metadata"):
            assert attributes["data-core-metadata"] == f"sha256={file['core-metadata']['sha256']}"
        else:
            assert "data-core-metadata" not in attributes
    assert "data-core-metadata" in page.link(WHEEL)


def test_c066_old_name_of_it_too(page: Page) -> None:
    """`data-dist-info-metadata`, which pip 22.3 to 23.0 reads, has the same value."""
    for link in page.links:
        assert link.attributes.get("data-dist-info-metadata") == link.attributes.get("data-core-metadata")


def test_c067_signatures(index: LiveIndex) -> None:
    """`data-gpg-sig` on every link tells whether there is a signature at the file's URL plus `.asc`."""
    assert index.upload(*sdist("signed", "1.0"), gpg_signature=SIGNATURE).status == 200
    index.publish(*wheel("signed", "1.0"))
    for link in index.html("signed").links:
        answer = index.get(f"/packages/signed/{link.text}.asc")
        assert link.attributes["data-gpg-sig"] == ("true" if answer.status == 200 else "false")
    assert index.html("signed").link("signed-1.0.tar.gz")["data-gpg-sig"] == "true"
    assert index.get("/packages/signed/signed-1.0.tar.gz.asc").text == SIGNATURE


def test_c068_project_status(index: LiveIndex) -> None:
    """A status other than active stands in the head, with its reason."""
    assert "pypi:project-status" not in index.html("other").meta
    index.publish_wheel("finished")
    index.set_status("finished", "deprecated", reason='use "other" & be <happy>')
    meta = index.html("finished").meta
    assert meta["pypi:project-status"] == "deprecated"
    assert meta["pypi:project-status-reason"] == 'use "other" & be <happy>'


def test_c069_size_and_time(index: LiveIndex, page: Page) -> None:
    """`data-size` and `data-upload-time`, which uv reads, say what the JSON page says."""
    for file in index.json("sample")["files"]:
        attributes = page.link(file["filename"])
        assert attributes["data-size"] == str(file["size"])
        assert attributes["data-upload-time"] == file["upload-time"]


def test_c070_links_of_the_index_are_relative(index: LiveIndex) -> None:
    """The links of the index are relative: a name and a slash."""
    assert all(link.attributes["href"] == f"{link.text}/" for link in index.html().links)


@PAGES
def test_c071_links_can_be_taken_apart_by_pattern(index: LiveIndex, path: str) -> None:
    """Each link is a line of its own, with no `>` inside its tag and nothing but text inside it."""
    lines = [line for line in index.get(path, HTML).text.splitlines() if "<a" in line]
    assert lines
    assert all(re.fullmatch(r'<a( [a-z-]+="[^"<>]*")+>[^<>]+</a><br>', line) for line in lines)


def test_c072_no_other_links(index: LiveIndex) -> None:
    """Nothing else on a project's page is an `href`, nor looks like one: old clients follow every one."""
    text = index.get("/simple/sample/", HTML).text
    # This is how setuptools finds them, in whatever stands before.
    found = re.findall(r"""href\s*=\s*['"]?([^'"> ]+)""", text, re.IGNORECASE)
    assert found == [link.attributes["href"] for link in Page(text).links]
    assert "rel=" not in text
