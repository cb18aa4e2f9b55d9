"""Serialized pages are read back unchanged."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import UpstreamFailed
from pypid.model import File, Project, Status
from pypid.names import parse_filename
from pypid.upstream.pages import read_cached_page, write_page
from pypid.upstream.pages.values import line, requires_python

DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
URLS = st.sampled_from(["https://files.example.org/a/b.whl?c", "http://[::1]:80/x"])
NAMES = ["foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl", "foo-2.zip", "foo-dev.tar.gz"]
FILES = st.builds(
    lambda filename, **values: File(
        filename=filename,
        version=(name := parse_filename(filename, "foo")).version,
        kind=name.kind,
        modified_ns=None,
        **values,
    ),
    filename=st.sampled_from(NAMES),
    size=st.none() | st.integers(0, 2**53 - 1),
    hashes=st.dictionaries(st.just("sha256"), DIGESTS),
    upload_time=st.none() | st.datetimes(datetime(1970, 1, 2), timezones=st.just(UTC)),
    requires_python=st.none() | st.text(min_size=1).filter(lambda text: requires_python(text) == text),
    core_metadata=st.none() | st.just(True) | DIGESTS,
    yanked=st.none() | st.just("") | st.text().filter(lambda text: line(text) == text),
    url=URLS,
    provenance_url=st.none() | URLS,
)
PROJECTS = st.builds(
    lambda files, **values: Project(
        "foo",
        files=tuple(
            sorted({file.filename: file for file in files}.values(), key=lambda f: NAMES.index(f.filename))
        ),
        **values,
    ),
    st.lists(FILES, max_size=1) | st.just([]),
    display_name=st.sampled_from(["foo", "Foo"]),
    status=st.sampled_from([status for status in Status if status is not Status.QUARANTINED]),
)


@given(PROJECTS)
def test_round_trip(project: Project) -> None:
    """Whatever a page may say."""
    text = "".join(write_page(project, {"schema": 1, "etag": None}))
    assert text.isascii()
    assert read_cached_page("foo", text.encode()) == (project, {"schema": 1, "etag": None})


def test_reason_of_a_status() -> None:
    project = Project("foo", "foo", (), Status.ARCHIVED, "done")
    assert read_cached_page("foo", "".join(write_page(project, {})).encode())[0] == project


def test_it_is_readable() -> None:
    """It is a page of the Simple API, with a file on each line."""
    files = tuple(
        File(
            name,
            parse_filename(name, "foo").version,
            parse_filename(name, "foo").kind,
            1,
            {},
            None,
            None,
            url=name,
        )
        for name in NAMES
    )
    lines = "".join(write_page(Project("foo", "foo", files), {})).splitlines()
    assert len(lines) == 2 + len(files)
    assert json.loads(lines[1].rstrip(","))["filename"] == files[0].filename


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"files": 1}', b"\0" * 4096])
def test_what_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        read_cached_page("foo", body)


@pytest.mark.parametrize("meta", [b"null", b"[]", b'{"_pypid": 1}', b"{}"])
def test_notes_of_somebody_else(meta: bytes) -> None:
    """A page of another program has no notes."""
    assert read_cached_page("foo", b'{"files": [], "meta": %s}' % meta)[1] == {}
