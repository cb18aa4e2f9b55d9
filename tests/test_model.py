"""The values that parts hand to each other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pypid.model import Credentials, File, Project, Record, StoredFile
from pypid.names import ArchiveKind

RECORD = Record(datetime(2026, 1, 1, tzinfo=UTC), "ann", 10, 20, "ab" * 32)


def file(version: str) -> File:
    return File(f"foo-{version}.tar.gz", version, ArchiveKind.SDIST, 1, {}, None, None)


def project(*versions: str) -> Project:
    return Project("foo", "Foo", tuple(file(version) for version in versions))


def test_versions_are_sorted_as_versions() -> None:
    """Ten follows two, a final release its candidates, and what is no version leads."""
    assert project("10.0", "2.0", "2.0rc1", "2.0", "1!0", "zebra", "abc").versions == (
        "abc",
        "zebra",
        "2.0rc1",
        "2.0",
        "10.0",
        "1!0",
    )


@pytest.mark.parametrize("versions", [("1.0", "1.0.0"), ("1.0.0", "1.0")])
def test_order_of_equal_versions_is_that_of_the_files(versions: tuple[str, ...]) -> None:
    """Every process gives the versions in the same order, whatever its hash seed."""
    assert project(*versions).versions == versions


def test_b192_epoch_of_twelve_digits() -> None:
    """An absurd version sorts as any other."""
    assert project("999999999999!1", "2").versions == ("2", "999999999999!1")


@given(
    st.lists(st.text(max_size=10) | st.from_regex(r"[0-9]{1,3}(\.[0-9]){0,2}", fullmatch=True), max_size=8)
)
def test_versions_are_each_there_once(versions: list[str]) -> None:
    """Sorting never fails, loses none and adds none."""
    assert sorted(project(*versions).versions) == sorted(set(versions))


def test_file_by_name() -> None:
    """A project finds its files by their whole names."""
    found = project("1.0", "2.0")
    assert found.file("foo-2.0.tar.gz") is found.files[1]
    assert found.file("foo-2.0.tar") is None


def test_untouched() -> None:
    """A record holds while size and time are those it was written for."""
    stored = StoredFile("foo-1.0.tar.gz", 10, 20, 1, RECORD)
    assert stored.untouched
    assert not evolve(stored, size=11).untouched
    assert not evolve(stored, modified_ns=21).untouched
    assert not evolve(stored, record=None).untouched


def test_credentials_do_not_show_their_password() -> None:
    """A traceback or a log line never holds it."""
    assert "hunter2" not in repr(Credentials("ann", "hunter2"))
