"""Conformance, section K: checks of the names and the fields of an upload."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.archives import zipped
from harness.conformance import LiveIndex, live_index
from harness.forms import upload_parts

from pypid.testing.builds import core_metadata, sdist, wheel


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index; every test makes projects of its own."""
    with live_index(tmp_path_factory.mktemp("checks")) as index:
        yield index


@pytest.fixture
def index(running: LiveIndex) -> Iterator[LiveIndex]:
    """Yield the index; however the test ended, nothing is left that was not published."""
    yield running
    listed = {file for project in running.projects() for file in running.files(project)}
    assert {path.name for path in running.tree() if path.name.endswith((".whl", ".gz", ".zip"))} == listed


@pytest.mark.parametrize(
    "sent",
    [
        *("../../a-1.0-py3-none-any.whl", "/etc/a-1.0-py3-none-any.whl", "b/a-1.0-py3-none-any.whl"),
        *(".a-1.0-py3-none-any.whl", "a-1.0-py3-none-any.whl\x01", "a\u2028-1.0-py3-none-any.whl"),
        *("a-1.0-py3-none-" + "any." * 60 + "whl", "a 1.0-py3-none-any.whl", "..", ""),
    ],
    ids=["up", "root", "directory", "hidden", "control", "unicode", "long", "blank", "dots", "empty"],
)
def test_c155_file_names_are_bare(index: LiveIndex, sent: str) -> None:
    """A file name with separators, control characters or a dot in front, or too long, is refused."""
    before = index.tree()
    assert index.send(upload_parts(*wheel("a", "1.0"), sent_as=sent)).status == 400
    assert index.tree() == before


def test_c155_backslashes(index: LiveIndex) -> None:
    """Backslashes never become directories: old browsers sent whole paths with them."""
    sent = r"C:\up\..\slashes-1.0-py3-none-any.whl"
    answer = index.send(upload_parts(*wheel("slashes", "1.0"), sent_as=sent))
    assert answer.status == 400
    assert index.files("slashes") == set()


@pytest.mark.parametrize(
    ("filename", "filetype"),
    [
        *(("old-1.0-py2.7.egg", "bdist_egg"), ("old-1.0.win32.exe", "bdist_wininst")),
        *(("old-1.0.win32.msi", "bdist_msi"), ("old-1.0-1.noarch.rpm", "bdist_rpm")),
        *(("old-1.0.linux-x86_64.tar.gz", "bdist_dumb"), ("old-1.0.deb", "bdist_deb")),
        *(("old-1.0.html", "sdist"), ("old-1.0.exe", "sdist"), ("old-1.0.tar.gz", "bdist_wheel")),
    ],
)
def test_c156_kinds_of_archives(index: LiveIndex, filename: str, filetype: str) -> None:
    """Only wheels and sdists are taken, each with the suffix of its kind."""
    parts = upload_parts(*sdist("old", "1.0"), sent_as=filename, filetype=filetype)
    assert index.send(parts).status == 400
    assert index.files("old") == set()


def test_c156_sdists(index: LiveIndex) -> None:
    """An sdist is a `.tar.gz`; a `.zip` is taken where old archives are allowed."""
    assert index.upload(*sdist("packed", "1.0")).status == 200
    zipped_sdist = zipped({"packed-1.0/PKG-INFO": core_metadata("packed", "1.0")})
    answer = index.upload("packed-1.0.zip", zipped_sdist)
    assert (answer.status, ".zip" in answer.text) == (400, True)
    assert index.files("packed") == {"packed-1.0.tar.gz"}


def test_c157_wheel_names(index: LiveIndex) -> None:
    """A wheel's name has its five or six parts, and the form's project and version."""
    filename, content = wheel("named", "1.0")
    for sent in ("named-1.0.whl", "named-1.0-py3-none.whl", "named-1.0-x1-py3-none-any.whl", "named.whl"):
        assert index.send(upload_parts(filename, content, sent_as=sent)).status == 400
    for fields in ({"name": "other"}, {"version": "1.1"}, {"version": "1.0.post1"}):
        answer = index.upload(filename, content, **fields)
        assert (answer.status, answer.reason.split(":")[0]) == (400, *fields)
    assert index.upload(filename, content, name="Named", version="v1.0.0").status == 200


def test_c158_sdist_names(index: LiveIndex) -> None:
    """An sdist's name is that of the form's project and version, in whatever spelling."""
    filename, content = sdist("Spelled.Out", "1.0")
    for fields in ({"name": "Spelled"}, {"version": "1.1"}):
        answer = index.upload(filename, content, **fields)
        assert (answer.status, answer.reason.split(":")[0]) == (400, *fields)
    for number, spelling in enumerate(("spelled_out", "Spelled.Out", "spelled-out")):
        version = f"1.{number}"
        filename, content = sdist("Spelled.Out", version)
        sent = f"{spelling}-{version}.tar.gz"
        fields = {"name": "Spelled.Out", "version": version}
        assert index.send(upload_parts(filename, content, sent_as=sent, **fields)).status == 200
        again = index.send(
            upload_parts(filename, content, sent_as=f"SPELLED_out-{version}.0.tar.gz", **fields)
        )
        assert (again.status, sent in again.reason) == (409, True)


@pytest.mark.parametrize("version", ["1.0", "1.0rc1", "2!1.0.post3.dev4", "1.0+cpu", "1.0+ubuntu.1"])
def test_c163_versions(index: LiveIndex, version: str) -> None:
    """A version is one of PEP 440; local ones are taken too."""
    for filename, content in (wheel("versions", version), sdist("versions", version)):
        assert index.upload(filename, content, version=version).status == 200
        assert index.get(index.path("versions", filename)).body == content


@pytest.mark.parametrize("version", ["x", "1.0-x-y", "1..0", "1.0 ", "1.\u0661", "9" * 200])
def test_c163_what_is_no_version(index: LiveIndex, version: str) -> None:
    """What is not one of PEP 440 is refused by the name of the field."""
    answer = index.upload(*wheel("no-versions", "1.0"), version=version)
    assert (answer.status, answer.reason.split(":")[0]) == (400, "version")


@pytest.mark.parametrize("field", ["requires_python", "requires_dist"])
@pytest.mark.parametrize("value", ["three", ">=3.x.y", "a b", "a>=1;" + "(" * 5000, ">=3.8; a == 'b'"])
def test_c165_specifiers_parse(index: LiveIndex, field: str, value: str) -> None:
    """A specifier or requirement that does not parse is refused by the name of its field."""
    if (field, value) == ("requires_dist", "three"):
        value = "three four"
    answer = index.upload(*wheel("specified", "1.0"), **{field: value})
    assert (answer.status, answer.reason.split(":")[0]) == (400, field)
    assert index.files("specified") == set()


@pytest.mark.parametrize(
    "value", ["a", "a>=1,<2", "a (>=1)", "a[b,c] @ https://example.org/a.whl", "a; python_version<'3'"]
)
def test_c165_requirements(index: LiveIndex, value: str) -> None:
    """Requirements may be written in all ways of PEP 508."""
    filename, content = wheel("requiring", f"1.{sum(value.encode())}", requires_dist=[value])
    assert index.upload(filename, content, requires_dist=value).status == 200


def test_c166_what_does_no_harm_is_taken(index: LiveIndex) -> None:
    """Classifiers, descriptions, addresses and summaries may be what they are."""
    fields = {
        "classifiers": "Private :: Do Not Upload",
        "description": "`*broken rst\n===",
        "description_content_type": "text/nonsense",
        "author_email": "nobody at all",
        "home_page": "not a url",
        "project_urls": "no comma",
        "summary": "long " * 1000,
        "license": "my own",
        "keywords": ",,,",
    }
    assert index.upload(*wheel("private", "1.0"), **fields).status == 200


def test_c167_one_project_for_all_spellings(index: LiveIndex) -> None:
    """A file of another spelling of a project's name belongs to that project."""
    for version, name in (("1.0", "One.Project"), ("1.1", "one_project"), ("1.2", "ONE-PROJECT")):
        assert index.upload(*wheel(name, version), name=name).status == 200
    assert index.projects().count("one-project") == 1
    assert index.json("one-project")["versions"] == ["1.0", "1.1", "1.2"]
