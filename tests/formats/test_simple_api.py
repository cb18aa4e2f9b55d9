"""Pages of the Simple repository API."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pypid.formats.simple_api import MediaType, file_list, files_page, index_page, project_page
from pypid.model import File, Project, Status
from pypid.names import ArchiveKind

JSON, HTML_V1, HTML = MediaType.JSON, MediaType.HTML_V1, MediaType.HTML

FILE = File(
    filename="foo_bar-1.0+cpu-py3-none-any.whl",
    version="1.0+cpu",
    kind=ArchiveKind.WHEEL,
    size=1234,
    hashes={"sha256": "ab" * 32},
    modified_ns=None,
    upload_time=datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC),
    requires_python=">=3.8,<4",
    core_metadata="cd" * 32,
)
BARE = File("foo_bar-0!1.tar.gz", "1", ArchiveKind.SDIST, 0, {}, None, None)

nasty = st.text(max_size=30) | st.lists(
    st.sampled_from(
        (
            *('"', "'", ">", "<", "&", "/", "=", "\n", "\r", "\0", "\x0c", "\u2028", "\ud800"),
            *("&quot;", "&#10;", "&lt", "<script>", "</a>", "<a href=x>", "-->", "]]>", "</body>"),
            *(" onerror=", "javascript:", "{x}", "%s"),
        )
    ),
    max_size=8,
).map("".join)
filenames = st.from_regex(r"[A-Za-z0-9_.+!-]{1,20}", fullmatch=True) | nasty.filter(bool)
files = st.builds(
    File,
    filename=filenames,
    version=nasty,
    kind=st.sampled_from(ArchiveKind),
    size=st.integers(0, 2**63),
    hashes=st.dictionaries(st.sampled_from(["md5", "sha256", "blake2b"]) | nasty, nasty, max_size=3),
    modified_ns=st.none(),
    upload_time=st.none() | st.datetimes(timezones=st.just(UTC)),
    requires_python=st.none() | nasty,
    core_metadata=st.none() | st.just(True) | nasty,
    yanked=st.none() | nasty,
    signed=st.none() | st.booleans(),
    provenance=st.none() | nasty,
    provenance_url=st.none() | nasty,
)
projects = st.builds(
    Project, name=st.just("foo-bar"), display_name=nasty, files=st.lists(files, max_size=4).map(tuple)
)


class Anchors(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.anchors: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[str] = []
        self.metas: list[dict[str, str | None]] = []
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert len(dict(attrs)) == len(attrs)
        if tag == "a":
            self.anchors.append(("", dict(attrs)))
        if tag == "meta":
            self.metas.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "a":
            text, attributes = self.anchors[-1]
            self.anchors[-1] = (text + data, attributes)


def project(*files: File) -> Project:
    return Project("foo-bar", "Foo.Bar", files)


def as_json(*files: File) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(project_page(project(*files), JSON, "../f/"))
    return page


def entry(file: File) -> dict[str, Any]:
    """What JSON says of a file."""
    found: dict[str, Any] = as_json(file)["files"][0]
    return found


def anchor(file: File) -> dict[str, str | None]:
    """What HTML says of a file."""
    return Anchors(project_page(project(file), HTML, "../f/")).anchors[0][1]


def encoded(text: str) -> str:
    """A text as it can be written in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def test_c52_provenance() -> None:
    """Its URL is the file's below an absolute one; without that, or without provenance, there is none."""
    attested, url = evolve(FILE, provenance="ef" * 32), "https://example.org/f/"
    pages = [project_page(project(attested, FILE), media, "../f/", url) for media in (JSON, HTML)]
    told = [file.get("provenance") for file in json.loads(pages[0])["files"]]
    expected = [f"{url}foo_bar-1.0+cpu-py3-none-any.whl.provenance", None]
    assert told == expected
    assert [attributes.get("data-provenance") for _, attributes in Anchors(pages[1]).anchors] == expected
    assert "provenance" not in entry(attested)
    assert "data-provenance" not in anchor(attested)
    assert "provenance" not in file_list(project(attested), "f/")


def test_c52_provenance_of_an_upstream() -> None:
    """It is told of as if it were here, and not where it comes from."""
    attested, url = evolve(FILE, provenance_url="https://secret.example.org/x"), "https://example.org/f/"
    for media in (JSON, HTML):
        page = project_page(project(attested), media, "../f/", url)
        assert page == project_page(project(evolve(FILE, provenance="ef" * 32)), media, "../f/", url)
        assert b"secret" not in page
    assert "provenance" not in entry(attested)


def test_c47_core_metadata_without_a_digest() -> None:
    """PEP 714: that there is some is told in one word, under both names in HTML."""
    file = evolve(FILE, core_metadata=True)
    assert entry(file)["core-metadata"] is True
    assert anchor(file)["data-core-metadata"] == anchor(file)["data-dist-info-metadata"] == "true"


@pytest.mark.parametrize(("signed", "written"), [(True, "true"), (False, "false"), (None, None)])
def test_c67_signatures(signed: bool | None, written: str | None) -> None:
    """Pages say whether there is one, where that is known."""
    file = evolve(FILE, signed=signed)
    assert entry(file).get("gpg-sig") is signed
    assert anchor(file).get("data-gpg-sig") == written


def test_c30_c31_content_types() -> None:
    """Types are in lower case, and HTML has its charset."""
    assert JSON.content_type == b"application/vnd.pypi.simple.v1+json"
    assert HTML_V1.content_type == b"application/vnd.pypi.simple.v1+html; charset=utf-8"
    assert HTML.content_type == b"text/html; charset=utf-8"


def test_c32_to_c35_index_in_json() -> None:
    """The index page lists names with serials, and no keys of drafts and rejected PEPs."""
    assert json.loads(index_page({"a": 9, "foo-bar": 7}, JSON)) == {
        "meta": {"api-version": "1.4", "_last-serial": 9},
        "projects": [{"name": "a", "_last-serial": 9}, {"name": "foo-bar", "_last-serial": 7}],
    }
    assert json.loads(index_page({}, JSON)) == {"meta": {"api-version": "1.4"}, "projects": []}


def test_c58_c70_index_in_html() -> None:
    """Links of the index page are relative, with the name for their text."""
    anchors = Anchors(index_page({"a": 1, "foo-bar": 2}, HTML)).anchors
    assert anchors == [("a", {"href": "a/"}), ("foo-bar", {"href": "foo-bar/"})]


@pytest.mark.parametrize("media", [HTML, HTML_V1])
def test_c57_c60_html_document(media: MediaType) -> None:
    """Both pages are HTML5 documents of version 1.4, whether there is something to list or not."""
    for page in (index_page({}, media), project_page(project(), media, ""), files_page([])):
        assert page.startswith(b"<!DOCTYPE html>\n<html")
        assert {"name": "pypi:repository-version", "content": "1.4"} in Anchors(page).metas
        assert {"charset": "utf-8"} in Anchors(page).metas
        assert Anchors(page).anchors == []


def test_c10_c36_project_without_files_in_json() -> None:
    """A project with nothing in it is still a page."""
    assert as_json() == {"meta": {"api-version": "1.4"}, "name": "foo-bar", "versions": [], "files": []}


def test_c35_serial_of_a_project() -> None:
    """A project that has a journal says how far its page goes."""
    page = json.loads(project_page(evolve(project(FILE), serial=12), JSON, ""))
    assert page["meta"] == {"api-version": "1.4", "_last-serial": 12}


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.DEPRECATED, Status.QUARANTINED])
@pytest.mark.parametrize("reason", [None, 'a "<b>" &'])
def test_c53_c68_status(status: Status, reason: str | None) -> None:
    """Any status but active is told on both pages, with its reason if there is one."""
    shown = evolve(project(FILE), status=status, status_reason=reason)
    page = json.loads(project_page(shown, JSON, ""))
    said = {"reason": reason} if reason else {}
    assert page["project-status"] == {"status": status.value, **said}
    assert "project-status" not in page["meta"]
    metas = [
        meta for meta in Anchors(project_page(shown, HTML, "")).metas if "project" in str(meta.get("name"))
    ]
    expected = [{"name": "pypi:project-status", "content": status.value}]
    expected += [{"name": "pypi:project-status-reason", "content": reason}] if reason else []
    assert metas == expected


def test_c78_active_says_nothing() -> None:
    """A project without a status of its own has neither key nor elements for it, whatever the reason."""
    shown = evolve(project(FILE), status_reason="because")
    assert b"status" not in project_page(shown, JSON, "")
    assert b"status" not in project_page(shown, HTML, "")


def test_c76_quarantined() -> None:
    """Nothing is offered of a quarantined project, not even on the list of all files."""
    shown = evolve(project(FILE), status=Status.QUARANTINED)
    page = json.loads(project_page(shown, JSON, ""))
    assert (page["files"], page["versions"]) == ([], [])
    assert Anchors(project_page(shown, HTML, "")).anchors == []
    assert file_list(shown, "") == ""


def test_the_list_of_all_files() -> None:
    """For find-links: the anchors of each project's page, one below the other."""
    page = files_page([file_list(project(FILE, BARE), "foo-bar/"), "", file_list(project(BARE), "x/")])
    anchors = Anchors(page).anchors
    assert [(text, str(found["href"]).partition("#")[0]) for text, found in anchors] == [
        (FILE.filename, f"foo-bar/{FILE.filename}"),
        (BARE.filename, f"foo-bar/{BARE.filename}"),
        (BARE.filename, f"x/{BARE.filename}"),
    ]
    assert b"\n\n" not in page


def test_file_in_json() -> None:
    """C39 to C50: everything known of a file, and nothing else."""
    assert entry(FILE) == {
        "filename": "foo_bar-1.0+cpu-py3-none-any.whl",
        "url": "../f/foo_bar-1.0+cpu-py3-none-any.whl",
        "hashes": {"sha256": "ab" * 32},
        "size": 1234,
        "upload-time": "2026-01-02T03:04:05.000600Z",
        "requires-python": ">=3.8,<4",
        "core-metadata": {"sha256": "cd" * 32},
        "yanked": False,
    }


def test_file_in_html() -> None:
    """C59 to C69: the same in an anchor, under both names of the core metadata."""
    assert anchor(FILE) == {
        "href": "../f/foo_bar-1.0+cpu-py3-none-any.whl#sha256=" + "ab" * 32,
        "data-size": "1234",
        "data-upload-time": "2026-01-02T03:04:05.000600Z",
        "data-requires-python": ">=3.8,<4",
        "data-core-metadata": "sha256=" + "cd" * 32,
        "data-dist-info-metadata": "sha256=" + "cd" * 32,
    }
    assert b'data-requires-python="&gt;=3.8,&lt;4"' in project_page(project(FILE), HTML, "")


def test_c41_c48_unknowns_are_left_out() -> None:
    """What is not known has no key, rather than a null."""
    url = "../f/foo_bar-0!1.tar.gz"
    assert entry(BARE) == {"filename": BARE.filename, "url": url, "hashes": {}, "size": 0, "yanked": False}
    assert anchor(BARE) == {"href": url, "data-size": "0"}
    empty = evolve(BARE, requires_python="", core_metadata="")
    assert (entry(empty), anchor(empty)) == (entry(BARE), anchor(BARE))


def test_c37_versions() -> None:
    """Each version stands there once, oldest first."""
    versions = ("2.0", "10.0", "2.0", "1.0+cpu")
    page = as_json(*(evolve(FILE, version=version) for version in versions))
    assert page["versions"] == ["1.0+cpu", "2.0", "10.0"]


@pytest.mark.parametrize(("yanked", "value"), [(None, False), ("", True), ("broken", "broken")])
def test_c46_yanked_in_json(yanked: str | None, value: object) -> None:
    """A yank without a reason is true, one with a reason is the reason."""
    found = entry(evolve(FILE, yanked=yanked))["yanked"]
    assert (type(found), found) == (type(value), value)


def test_c64_yanked_in_html() -> None:
    """The attribute is there exactly if the file is yanked."""
    assert "data-yanked" not in anchor(FILE)
    assert anchor(evolve(FILE, yanked=""))["data-yanked"] == ""
    assert anchor(evolve(FILE, yanked="broken"))["data-yanked"] == "broken"


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 100000, tzinfo=UTC), "2026-01-02T03:04:05.100000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5))), "2026-01-01T22:04:05Z"),
    ],
)
def test_c43_c44_upload_time(time: datetime, text: str) -> None:
    """Times are in UTC, with six fraction digits or none."""
    assert entry(evolve(FILE, upload_time=time))["upload-time"] == text
    assert anchor(evolve(FILE, upload_time=time))["data-upload-time"] == text


@pytest.mark.parametrize(
    ("hashes", "fragment"),
    [
        ({"md5": "1", "sha512": "2", "sha256": "3"}, "#sha256=3"),
        ({"md5": "1"}, "#md5=1"),
        ({"blake2b": "1", "sha512": "2"}, "#sha512=2"),
        ({"blake2b_256": "1", "crc32": "2"}, ""),
        ({}, ""),
    ],
)
def test_c62_fragment(hashes: dict[str, str], fragment: str) -> None:
    """A link has the best digest that every installer knows, or none."""
    assert anchor(evolve(BARE, hashes=hashes))["href"] == "../f/foo_bar-0!1.tar.gz" + fragment
    assert entry(evolve(BARE, hashes=hashes))["hashes"] == hashes


def test_absolute_files_url() -> None:
    """Files may be linked to from anywhere."""
    page = project_page(project(BARE), HTML, "https://example.org/a&b/")
    assert Anchors(page).anchors[0][1]["href"] == "https://example.org/a&b/foo_bar-0!1.tar.gz"


@given(nasty)
def test_c59_names_on_the_index_page(name: str) -> None:
    """T18: whatever a name were, the index page would be a list of links."""
    name_shown = encoded(name)
    anchors = Anchors(index_page({name: 1, "foo": 2}, HTML)).anchors
    assert anchors == [(name_shown, {"href": name_shown + "/"}), ("foo", {"href": "foo/"})]
    assert json.loads(index_page({name: 1}, JSON))["projects"] == [{"name": name_shown, "_last-serial": 1}]


@pytest.mark.slow
@given(projects)
def test_c59_html_for_whatever_authors_write(project: Project) -> None:
    """T18: the page has its usual elements, and an anchor for each file that says what was written."""
    page = project_page(project, HTML, "../f/", "https://example.org/")
    parsed = Anchors(page)
    usual = ["html", "head", "meta", "meta", "title", "body", "h1"]
    assert parsed.tags == usual + ["a", "br"] * len(project.files)
    for file, (text, attributes) in zip(project.files, parsed.anchors, strict=True):
        assert text == encoded(file.filename)
        url, _, fragment = str(attributes.pop("href")).partition("#")
        assert unquote(url.removeprefix("../f/")) == encoded(file.filename)
        assert "/" not in url.removeprefix("../f/")
        algorithm, _, value = fragment.partition("=")
        assert not algorithm or value == encoded(file.hashes[algorithm])
        digest = f"sha256={encoded(str(file.core_metadata))}" if file.core_metadata else None
        digest = "true" if file.core_metadata is True else digest
        expected = {
            "data-size": str(file.size),
            "data-requires-python": encoded(file.requires_python) if file.requires_python else None,
            "data-core-metadata": digest,
            "data-dist-info-metadata": digest,
            "data-yanked": None if file.yanked is None else encoded(file.yanked),
            "data-gpg-sig": None if file.signed is None else str(file.signed).lower(),
            "data-provenance": f"https://example.org/{url[5:]}.provenance"
            if file.provenance or file.provenance_url
            else None,
        }
        attributes.pop("data-upload-time", None)
        assert attributes == {name: value for name, value in expected.items() if value is not None}


@pytest.mark.slow
@given(projects)
def test_c71_one_anchor_a_line(project: Project) -> None:
    """Clients that match lines with a pattern find each anchor whole."""
    lines = project_page(project, HTML, "../f/", "https://example.org/").decode().split("\n")
    anchors = [line for line in lines if line.startswith("<a ")]
    assert len(anchors) == len(project.files)
    assert all(re.fullmatch(r"<a href=[^<>]*>[^<>]*</a><br>", line) for line in anchors)


@given(projects)
def test_json_for_whatever_authors_write(project: Project) -> None:
    """C41: the page is JSON in UTF-8 without a null, and says what was written."""
    page = project_page(project, JSON, "../f/", "https://example.org/")
    parsed = json.loads(page.decode("utf-8"))
    assert b":null" not in re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', page)
    for file, found in zip(project.files, parsed["files"], strict=True):
        assert found["filename"] == encoded(file.filename)
        assert unquote(found["url"]) == "../f/" + encoded(file.filename)
        assert found.get("requires-python", "") == encoded(file.requires_python or "")
        assert found["yanked"] == (False if file.yanked is None else encoded(file.yanked) or True)
        assert re.fullmatch(r".*T\d\d:\d\d:\d\d(\.\d{6})?Z", found.get("upload-time", "T00:00:00Z"))
