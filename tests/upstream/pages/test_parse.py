"""Pages of other indexes: accepted, ignored and refused parts."""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pypid.errors import UpstreamFailed
from pypid.model import File, Project, Status
from pypid.names import ArchiveKind
from pypid.upstream.pages import MAX_PAGE, read_page
from pypid.upstream.pages.empty_directory import MAX_LENGTH

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=UTF-8"
URL = "https://index.example.org/simple/foo/"
SHA256 = "0123456789abcdef" * 4
OTHER = "f" * 64


def in_json(*files: Any, **page: Any) -> Project:
    """Read a page in JSON with these files."""
    document = {"meta": {"api-version": "1.4"}, "name": "foo", "files": files, **page}
    return read_page("foo", json.dumps(document).encode(), JSON, URL)


def in_html(body: str, head: str = "<title>Links for foo</title>") -> Project:
    """Read a page in HTML."""
    page = f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"
    return read_page("foo", page.encode(), HTML, URL)


def entry(filename: str = "foo-1.0.tar.gz", **values: Any) -> dict[str, Any]:
    """Make an entry of ``files``."""
    return {"filename": filename, "url": f"https://files.example.org/{filename}", "hashes": {}} | values


def test_all_of_json() -> None:
    """Each key that PEP 691, 700, 714, 740 and 792 know is read."""
    project = in_json(
        {
            "filename": "foo-1.0-py3-none-any.whl",
            "url": "../../files/foo-1.0-py3-none-any.whl#sha256=ignored",
            "hashes": {"SHA256": SHA256.upper(), "blake2b_256": "unknown"},
            "requires-python": ">=3.8,<4",
            "size": 1234,
            "upload-time": "2026-01-31T12:00:00.123456Z",
            "core-metadata": {"sha256": OTHER},
            "data-dist-info-metadata": False,
            "yanked": "it was <broken>",
            "provenance": "https://index.example.org/integrity/foo/provenance#ignored",
            "something-new": [1],
        },
        name="Foo",
        versions=["1.0"],
        **{"project-status": {"status": "deprecated", "reason": "use\nbar"}},
    )
    assert project == Project(
        "foo",
        "Foo",
        (
            File(
                filename="foo-1.0-py3-none-any.whl",
                version="1.0",
                kind=ArchiveKind.WHEEL,
                size=1234,
                hashes={"sha256": SHA256},
                modified_ns=None,
                upload_time=datetime(2026, 1, 31, 12, 0, 0, 123456, UTC),
                requires_python=">=3.8,<4",
                core_metadata=OTHER,
                yanked="it was <broken>",
                url="https://index.example.org/files/foo-1.0-py3-none-any.whl",
                provenance_url="https://index.example.org/integrity/foo/provenance",
            ),
        ),
        Status.DEPRECATED,
        "use bar",
    )


def test_all_of_html() -> None:
    """Each attribute that PEP 503, 592, 658, 714, 740 and 792, pypid and others know is read."""
    project = in_html(
        f"""<h1>Links for foo</h1>
        <a href="../../files/foo-1.0-py3-none-any.whl#sha256={SHA256}" data-requires-python="&gt;=3.8,&lt;4"
           data-dist-info-metadata="sha256={SHA256}" data-core-metadata="sha256={OTHER}" data-size="1234"
           data-upload-time="2026-01-31T12:00:00Z" data-yanked="it was &lt;broken&gt;" rel=internal
           data-provenance="https://index.example.org/integrity/foo/provenance"
        >foo-1.0-py3-none-any.whl</a><br />""",
        '<meta name="pypi:project-status" content="archived">'
        '<meta name="pypi:project-status-reason" content="it is done">'
        '<meta name="pypi:repository-version" content="1.4">',
    )
    assert project == Project(
        "foo",
        "foo",
        (
            File(
                filename="foo-1.0-py3-none-any.whl",
                version="1.0",
                kind=ArchiveKind.WHEEL,
                size=1234,
                hashes={"sha256": SHA256},
                modified_ns=None,
                upload_time=datetime(2026, 1, 31, 12, tzinfo=UTC),
                requires_python=">=3.8,<4",
                core_metadata=OTHER,
                yanked="it was <broken>",
                url="https://index.example.org/files/foo-1.0-py3-none-any.whl",
                provenance_url="https://index.example.org/integrity/foo/provenance",
            ),
        ),
        Status.ARCHIVED,
        "it is done",
    )


def test_files_are_in_order() -> None:
    """The oldest version comes first, what is no version before all, and each name once: the first counts."""
    names = ["foo-1.10.tar.gz", "foo-1.9.zip", "foo-1.9.tar.gz", "foo-dev.tar.gz", "foo-2rc1.tar.gz"]
    project = in_json(*map(entry, names), entry("foo-1.10.tar.gz", size=5))
    assert [file.filename for file in project.files] == [
        "foo-dev.tar.gz",
        "foo-1.9.tar.gz",
        "foo-1.9.zip",
        "foo-1.10.tar.gz",
        "foo-2rc1.tar.gz",
    ]
    assert project.file("foo-1.10.tar.gz").size is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "bad",
    [
        *(None, 1, "foo-2.0.tar.gz", [], {}),
        *({"filename": "foo-2.0.tar.gz"}, {"url": "https://x.example.org/foo-2.0.tar.gz"}),
        *(entry(filename=None), entry(filename=["foo-2.0.tar.gz"]), entry(url=None), entry(url=7)),
        *(entry("bar-1.0.tar.gz"), entry("foobar-1.0.tar.gz"), entry("foo-2.0.rpm"), entry("foo.tar.gz")),
        *(entry("../foo-2.0.tar.gz"), entry("foo-2.0.tar.gz\n"), entry("foo-2.0\0.tar.gz"), entry("")),
        *(entry("foo-<b>.tar.gz"), entry("foo-\ud800.tar.gz"), entry(f"foo-{'1' * 300}.tar.gz")),
        *(entry(url=url) for url in ("file:///etc/passwd", "ftp://x.example.org/a", "javascript:alert(1)")),
        *(entry(url=url) for url in ("data:,x", "https://[::1/a", "https://h:x/a")),
        *(entry(url=url) for url in ("https://u:p@x.example.org/a", "https://h:0/a", "https://h:70000/a")),
        *(entry(url=url) for url in ("https://good.example.org\\@evil.example.org/a", "https://h\n.org/a")),
        *(entry(url=url) for url in ("https://h\t/a", "https://é.example.org/a")),
        *(entry(url=url) for url in ("https://\ud800/a", "https://h/" + "a" * 5000, "https://<b>/a")),
        *(entry(hashes={"sha256": digest}) for digest in ("", "abc", SHA256[:-1] + "g", None, 5, [SHA256])),
        *(entry(hashes={"md5": SHA256}), entry(hashes={"sha256": SHA256 + "\n"})),
    ],
    ids=repr,
)
def test_t59_entries_that_make_no_sense_are_passed_over(bad: Any) -> None:
    """Those beside them are not."""
    project = in_json(bad, entry("foo-1.5.tar.gz"))
    assert [file.filename for file in project.files] == ["foo-1.5.tar.gz"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("size", value) for value in (-1, 1.5, float("nan"), "12", True, None, 2**53, [])),
        *(("upload-time", value) for value in ("", "yesterday", 5, None, "2026-13-01T00:00:00Z", [])),
        *(("upload-time", value) for value in ("0001-01-01T00:00:00+23:00", "2026-01-01" + "0" * 99)),
        *(("requires-python", value) for value in ("", 3, None, ">=3\n", ">=3\0", ">" * 2000, "\ud800")),
        *(
            ("core-metadata", value)
            for value in (1, False, None, {}, "x", "true", {"sha256": "x"}, {"md5": "0" * 32})
        ),
        *(("provenance", value) for value in (None, "", 1, {}, "ftp://example.org/x", "https://a:b@c/d")),
        *(("yanked", value) for value in (False, None, "", 1, [], {})),
    ],
    ids=repr,
)
def test_t59_values_that_make_no_sense_are_dropped(key: str, value: Any) -> None:
    """The file is there without them."""
    assert in_json(entry(**{key: value})) == in_json(entry())


def test_core_metadata_without_a_digest() -> None:
    """It may be that there is some, and no digest of it (PEP 714)."""
    link = '<a href="foo-1.0.tar.gz" {}></a>'
    for attribute in ("data-core-metadata", "data-dist-info-metadata"):
        assert in_html(link.format(f'{attribute}="true"')).files[0].core_metadata is True
        for value in ("", "false", "True", "sha256="):
            assert in_html(link.format(f'{attribute}="{value}"')).files[0].core_metadata is None
    for key in ("core-metadata", "dist-info-metadata", "data-dist-info-metadata"):
        assert in_json(entry(**{key: True})).files[0].core_metadata is True


@pytest.mark.parametrize(
    ("value", "reason"),
    [(True, ""), ("oops", "oops"), ("a\r\nb\0c\ud800", "a  b c"), ("x" * 5000, "x" * 1000), ("\n", "")],
)
def test_yanked(value: Any, reason: str) -> None:
    """A reason is one line of what can be shown, and not endless."""
    assert in_json(entry(yanked=value)).files[0].yanked == reason


@pytest.mark.parametrize("status", [{}, None, "archived", {"status": "lost"}, {"status": 1}, {"status": []}])
def test_status_that_nobody_knows(status: Any) -> None:
    assert in_json(**{"project-status": status}).status is Status.ACTIVE


def test_name_that_only_looks_like_it() -> None:
    """The sign for Kelvin is no letter of a name, and becomes one in lower case."""
    with pytest.raises(UpstreamFailed, match="about another project"):
        read_page("kit", '{"files": [], "name": "\u212ait"}'.encode(), JSON, URL)


def test_quarantined() -> None:
    """Nothing is offered of it, even if the page goes on to list files."""
    project = in_json(entry(), **{"project-status": {"status": "quarantined"}})
    assert project == Project("foo", "foo", (), Status.QUARANTINED)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("foo-1.0.tar.gz", "https://index.example.org/simple/foo/foo-1.0.tar.gz"),
        ("/f/foo-1.0.tar.gz", "https://index.example.org/f/foo-1.0.tar.gz"),
        ("https:///f/foo-1.0.tar.gz", "https://index.example.org/f/foo-1.0.tar.gz"),
        ("//h.example.org/foo-1.0.tar.gz", "https://h.example.org/foo-1.0.tar.gz"),
        ("../../../../foo-1.0.tar.gz", "https://index.example.org/foo-1.0.tar.gz"),
        ("http://h:8080/a b/foo-1.0.tar.gz?x=1#y", "http://h:8080/a%20b/foo-1.0.tar.gz?x=1"),
        ("http://[::1]:80/foo-1.0.tar.gz", "http://[::1]:80/foo-1.0.tar.gz"),
        ("a%20b/é/foo-1.0.tar.gz", "https://index.example.org/simple/foo/a%20b/%C3%A9/foo-1.0.tar.gz"),
    ],
)
def test_urls_are_absolute(written: str, url: str) -> None:
    """In JSON and in HTML alike."""
    assert in_json(entry(url=written)).files[0].url == url
    if "?" not in written:
        assert in_html(f'<a href="{written}">x</a>').files[0].url == url


@pytest.mark.parametrize(
    ("head", "url"),
    [
        ('<base href="https://cdn.example.org/a/">', "https://cdn.example.org/a/foo-1.0.tar.gz"),
        ("<BASE HREF=/b/>", "https://index.example.org/b/foo-1.0.tar.gz"),
        (
            '<base target="_blank"><base href="/1/"><base href="/2/">',
            "https://index.example.org/1/foo-1.0.tar.gz",
        ),
        ('<base href="file:///etc/">', "https://index.example.org/simple/foo/foo-1.0.tar.gz"),
        (
            '<base href="https://u:p@evil.example.org/">',
            "https://index.example.org/simple/foo/foo-1.0.tar.gz",
        ),
    ],
)
def test_t59_base(head: str, url: str) -> None:
    """Links are relative to what the page says, as long as that is no trick."""
    assert in_html('<a href="foo-1.0.tar.gz">x</a>', head).files[0].url == url


def test_base_is_not_for_json() -> None:
    assert in_json(entry(url="foo-1.0.tar.gz"), base="/b/").files[0].url == f"{URL}foo-1.0.tar.gz"


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"\0" * 10,
            b"null",
            b"[]",
            b'"x"',
            b"1",
            b"{",
            b'{"files": [}',
            b"<html></html>",
            b"\xff\xfe{}",
        ),
        *(
            '{"files": []}'.encode("utf-16"),
            b'{"files": [], "x": "\xff"}',
            b'{"files": ' + b"1" * 5000 + b"}",
        ),
        *(
            b"{}",
            b'{"files": null}',
            b'{"files": {}}',
            b'{"files": 1}',
            b"[" * 100_000,
            b'{"files":' * 100_000,
        ),
        *(b'{"files": [], "name": "bar"}', b'{"files": [], "name": 1}', b'{"files": [], "name": "foo\\n"}'),
        *(
            b'{"files": [], "meta": {"api-version": %s}}' % version
            for version in (b'"2.0"', b'"2"', b"1", b"null", b'"1.x"', b'"11.0"', b'"1.0\\n"')
        ),
        b'{"files": [' + b"{}," * 100_001 + b"{}]}",
        b'{"files": [], "x": [' + b"[]," * 5_000_001 + b"[]]}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_t59_json_that_makes_no_sense_is_refused(body: bytes) -> None:
    """In one clear line, which repeats nothing of it."""
    with pytest.raises(UpstreamFailed) as refusal:
        read_page("foo", body, JSON, URL)
    assert str(refusal.value).startswith("the upstream's page of foo cannot be used: ")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    "version", [{}, {"meta": None}, {"meta": {"api-version": "1"}}, {"meta": {"api-version": "1.99"}}]
)
def test_versions(version: Any) -> None:
    """Every version 1 will do, and none at all, as some indexes have it."""
    assert in_json(entry(), **({"meta": {}} | version)).files


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/octet-stream", "application/vnd.pypi.simple.v2+json", "x/\n"],
)
def test_t59_wrong_content_type(content_type: str | None) -> None:
    """What does not say that it is a page is none."""
    with pytest.raises(UpstreamFailed, match="it is of the type '") as refusal:
        read_page("foo", b'{"files": []}', content_type, URL)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/VND.PYPI.SIMPLE.V1+JSON ; charset=utf-8"]
)
def test_content_types_of_json(content_type: str) -> None:
    assert read_page("foo", b'\xef\xbb\xbf{"files": []}', content_type, URL).files == ()


@pytest.mark.parametrize(
    "body",
    [
        "<html><head><title>Index of /simple/foo/</title></head><body><h1>Index of /simple/foo/</h1>"
        '<hr><pre><a href="../">../</a>\n</pre><hr></body></html>',
        '<title>Index of /simple/Foo</title><table><tr><th><a href="?C=N;O=D">Name</a></th></tr>'
        '<tr><td><a href="/simple/">Parent Directory</a></td></tr></table>',
        "<title>Directory listing for /simple/foo/</title><h1>Directory listing</h1><ul></ul>",
        "<title>/simple/foo/</title><a href='./..'>Up</a>",
        "<TITLE>Index of /simple/f%6fo/</TITLE>",
        "<!DOCTYPE html>\n<html><body></body></html>\n",
        "<html><head><meta charset=utf-8><title>foo</title></head><body><!-- a > b --></body></html>",
    ],
    ids=["nginx", "apache", "python", "caddy", "quoted", "blank", "blank-with-title"],
)
def test_fault_d3_a_directory_that_is_empty(body: str) -> None:
    """A directory that is there and empty is a project without files."""
    assert read_page("foo", body.encode(), "text/html", URL).files == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Internal error",
        "<title>Sign in</title><form action=/login><input name=password></form>",
        '<title>Index of /</title><a href="../">..</a>',
        '<title>Index of /simple/bar/</title><a href="../">..</a>',
        "<title>foo</title><p>Sign in</p>",
        "<html><body>",
        "<html><body><p>Sign in</p></body></html>",
        "<html><body><form action=/login></form></body></html>",
        "<html><head><meta http-equiv=refresh content='0; url=/login'></head><body></body></html>",
        "<html><head><script src=/login.js></script></head><body></body></html>",
        f"<html>{' ' * MAX_LENGTH}</html>",
        '<a href="https://portal.example.org/">Accept our terms</a><a href="bar-1.0.tar.gz">bar</a>',
    ],
)
def test_t59_html_of_another_kind_is_refused(body: str) -> None:
    """A page without files has to look like one of an index."""
    with pytest.raises(UpstreamFailed, match="it is a page of another kind"):
        read_page("foo", body.encode(), HTML, URL)


@pytest.mark.parametrize(
    "body",
    [
        "<h1>Links for Foo</h1>",
        '<meta name="pypi:repository-version" content="1.0">',
        '<meta name="pypi:project-status" content="quarantined">',
        '<a href="foo-1.0.rpm">an old kind of file</a>',
    ],
)
def test_html_without_files(body: str) -> None:
    """A project may have none."""
    assert read_page("foo", body.encode(), HTML, URL).files == ()


def test_html_of_another_version() -> None:
    with pytest.raises(UpstreamFailed, match="version of the Simple API"):
        in_html("", '<meta name="pypi:repository-version" content="2.0">')


@given(st.binary(max_size=300), st.sampled_from([JSON, HTML, None]))
@example(b'{"files":[{"filename":"foo-1.0.tar.gz","url":"http://[::/"}]}', JSON)
def test_t59_any_bytes(body: bytes, content_type: str | None) -> None:
    """A page is read or refused, whatever it is."""
    with suppress(UpstreamFailed):
        assert read_page("foo", body, content_type, URL).name == "foo"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["filename", "url", "hashes", "size", "upload-time", "requires-python", "yanked"]
KEYS += ["core-metadata", "provenance"]


@pytest.mark.slow
@given(
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, VALUES)), max_size=4),
    st.fixed_dictionaries(
        {}, optional={"meta": VALUES, "project-status": VALUES, "name": VALUES, "base": VALUES}
    ),
)
def test_t59_any_values(entries: list[dict[str, Any]], page: dict[str, Any]) -> None:
    """Values of any type come to no harm, even in an entry that is right otherwise."""
    files = [
        *({**entry(f"foo-{n}.tar.gz"), **one} for n, one in enumerate(entries)),
        *entries,
        entry("foo-x.zip"),
    ]
    try:
        project = in_json(*files, **page)
    except UpstreamFailed:
        assert {"meta", "name"} & set(page)
    else:
        assert project.file("foo-x.zip") is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        b"<",
        b"<a ",
        b'<a "',
        b'<a b="',
        b"<!--",
        b"<!-->",
        b"<a href=x>",
        b"<title>",
        b"</",
        b"<br>",
        b"<a b ",
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [b"", b"<a ", b'<a href="', b"<script>"], ids=repr)
def test_t59_html_bombs(before: bytes, unit: bytes) -> None:
    """Time does not grow with the square of what a page is made of."""
    body = before + unit * ((MAX_PAGE - len(before)) // len(unit) // 64)
    began = time.process_time()
    with pytest.raises(UpstreamFailed):
        read_page("foo", body, HTML, URL)
    assert time.process_time() - began < 5


@pytest.mark.slow
@pytest.mark.parametrize("unit", [b"b ", b"b= ", b" ", b"/", b"&amp;", b"b='' "], ids=repr)
def test_t59_html_bombs_in_a_tag(unit: bytes) -> None:
    """A single tag may be all of it."""
    began = time.process_time()
    with pytest.raises(UpstreamFailed):
        read_page("foo", b"<a href=" + unit * (MAX_PAGE // len(unit) // 64), HTML, URL)
    assert time.process_time() - began < 5


@pytest.mark.slow
def test_t59_largest_html() -> None:
    """A page of the largest size is done with in seconds, even if it is all attributes."""
    began = time.process_time()
    with pytest.raises(UpstreamFailed, match="too many tags"):
        read_page("foo", b"<a " + b"b " * (MAX_PAGE // 2 - 2), HTML, URL)
    assert time.process_time() - began < 20
