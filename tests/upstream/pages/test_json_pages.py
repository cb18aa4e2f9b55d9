"""PyPI's legacy JSON completes pages that lack details."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import UpstreamFailed
from pypid.model import File, Project
from pypid.names import ArchiveKind
from pypid.upstream.pages import enrich, is_incomplete

SHA256 = "0123456789abcdef" * 4
OTHER = "f" * 64
FILE = File(
    "foo-1.0-py3-none-any.whl",
    "1.0",
    ArchiveKind.WHEEL,
    None,
    {"sha256": SHA256},
    None,
    None,
    url="https://h/x",
)
FOO = Project("foo", "foo", (FILE,))
ENTRY: dict[str, Any] = {
    "filename": FILE.filename,
    "digests": {"sha256": SHA256, "md5": "a" * 32, "blake2b_256": "b" * 64},
    "size": 1234,
    "upload_time": "2026-01-31T12:00:00",
    "upload_time_iso_8601": "2026-01-31T12:00:00.000000Z",
    "requires_python": ">=3.8",
    "core-metadata": {"sha256": OTHER},
    "yanked": True,
    "yanked_reason": "it was broken",
    "url": "https://elsewhere.example.org/evil.whl",
}


def enriched(entry: Any = ENTRY, project: Project = FOO, **document: Any) -> Project:
    """Enrich a project with one entry."""
    document = {"info": {"name": "Foo"}, "releases": {"1.0": [entry]}} | document
    return enrich(project, json.dumps(document).encode())


def test_what_the_page_left_out_is_filled_in() -> None:
    """All but the URL and the digests, which stay the page's."""
    assert enriched() == Project(
        "foo",
        "Foo",
        (
            evolve(
                FILE,
                size=1234,
                upload_time=datetime(2026, 1, 31, 12, tzinfo=UTC),
                requires_python=">=3.8",
                core_metadata=OTHER,
                yanked="it was broken",
            ),
        ),
    )


def test_what_the_page_says_stays() -> None:
    """Even if the old JSON knows other things."""
    file = evolve(
        FILE,
        hashes={"sha256": SHA256, "sha1": "c" * 40},
        size=5,
        upload_time=datetime(2020, 1, 1, tzinfo=UTC),
        requires_python=">=2",
        core_metadata=SHA256,
        yanked="",
    )
    found = enriched(ENTRY | {"digests": {"sha256": SHA256, "md5": "a" * 32}}, Project("foo", "foo", (file,)))
    assert found.files == (file,)


@pytest.mark.parametrize(
    "digests", [{}, None, {"sha256": OTHER}, {"md5": "a" * 32}, {"sha256": "x"}, {"sha256": SHA256, "md5": 1}]
)
def test_only_with_an_equal_digest(digests: Any) -> None:
    """A file of that name with other bytes, or who knows which, is another file."""
    assert enriched(ENTRY | {"digests": digests}, info=None) is FOO


def test_every_common_digest_is_compared() -> None:
    project = evolve(FOO, files=(evolve(FILE, hashes={"sha256": SHA256, "md5": "c" * 32}),))
    assert enriched(project=project, info=None) is project


def test_files_without_a_digest_stay_as_they_are() -> None:
    project = evolve(FOO, files=(evolve(FILE, hashes={}),))
    assert enriched(project=project, info=None) is project


@pytest.mark.parametrize("yanked", [{"yanked": False}, {"yanked": None}, {"yanked": "yes"}, {"yanked": 1}])
def test_not_yanked(yanked: Any) -> None:
    """A reason alone is none."""
    assert enriched(ENTRY | yanked).files[0].yanked is None


def test_yanked_without_a_reason() -> None:
    assert enriched(ENTRY | {"yanked_reason": None}).files[0].yanked == ""


def test_entries_may_be_in_urls_only() -> None:
    assert enriched(releases={}, urls=[ENTRY]).files[0].size == 1234


@pytest.mark.parametrize("name", ["Bar", "foo\n", "-foo-", "_foo", "f" * 200, "", None, 5, "../foo"])
def test_display_name_of_another_project(name: Any) -> None:
    assert enriched(info={"name": name}).display_name == "foo"


def test_display_name_that_only_looks_like_it() -> None:
    """The sign for Kelvin is no letter of a name, and becomes one in lower case."""
    kit = Project("kit", "kit", ())
    assert enriched(project=kit, info={"name": "\u212ait"}) is kit


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff", b"[" * 100_000])
def test_t59_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        enrich(FOO, body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(ENTRY, VALUES)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(["info", "releases", "urls"], VALUES)),
)
def test_t59_any_values(entry: dict[str, Any], document: dict[str, Any]) -> None:
    """Values of any type come to no harm, and never change where a file is, or its digest."""
    (file,) = enriched(ENTRY | entry, **document).files
    assert (file.filename, file.url, file.hashes["sha256"]) == (FILE.filename, FILE.url, SHA256)


def test_what_lacks_something() -> None:
    """A size or a time; core metadata is not there of every file."""
    whole = evolve(FILE, size=1, upload_time=datetime(2026, 1, 1, tzinfo=UTC))
    assert not is_incomplete(Project("foo", "foo", (whole,)))
    assert not is_incomplete(Project("foo", "foo", ()))
    assert is_incomplete(Project("foo", "foo", (whole, evolve(whole, size=None))))
    assert is_incomplete(Project("foo", "foo", (whole, evolve(whole, upload_time=None))))
