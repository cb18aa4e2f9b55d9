"""The values of the model."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pypid.model import (
    Action,
    Credentials,
    File,
    FileRecord,
    Limits,
    Principal,
    Project,
    ProjectRecord,
    Role,
    Status,
    StoredFile,
    StoredProject,
)
from pypid.names import ArchiveKind
from pypid.principals import is_user_name

RECORD = FileRecord(datetime(2026, 1, 1, tzinfo=UTC), "ann", 10, 20, "ab" * 32)


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


def stored(filename: str, founder: str | None) -> StoredFile:
    return StoredFile(filename, 10, 20, 1, evolve(RECORD, founder=founder))


def test_founders_own_a_project() -> None:
    """Each once, by name, whether their files are there or removed, until somebody is named."""
    files = [stored("foo-1.tar.gz", "bob"), stored("foo-2.tar.gz", None), stored("foo-3.tar.gz", "ann")]
    gone = {"foo-4.tar.gz": evolve(RECORD, founder="cy"), "foo-5.tar.gz": evolve(RECORD, founder="ann")}
    copied = StoredFile("foo-6.tar.gz", 10, 20, 1)
    assert StoredProject([*files, copied], tombstones=gone).owners == ("ann", "bob", "cy")
    assert StoredProject([copied]).owners == ()
    named = StoredProject(files, ProjectRecord(owners=("eve",), maintainers=("bob",)))
    assert (named.people(Role.OWNER), named.people(Role.MAINTAINER)) == (("eve",), ("bob",))


def test_what_is_founded() -> None:
    """An empty directory is not, and anything else is."""
    assert not StoredProject([]).is_founded
    assert StoredProject([stored("foo-1.tar.gz", None)]).is_founded
    assert StoredProject([], tombstones={"foo-1.tar.gz": RECORD}).is_founded
    assert StoredProject([], ProjectRecord(Status.ARCHIVED)).is_founded
    assert StoredProject([], ProjectRecord(owners=("ann",))).is_founded


def test_roles() -> None:
    shared = evolve(project("1"), owners=("ann", "bob"), maintainers=("bob",))
    assert shared.roles(Principal("ann")) == {Role.OWNER}
    assert shared.roles(Principal("bob")) == set(Role)
    assert shared.roles(Principal("Ann")) == shared.roles(None) == set()


def test_who_may_upload_may_create() -> None:
    """A token needs no other scope for it."""
    limits = Limits(frozenset({Action.UPLOAD}), ("acme-*",))
    assert limits.permits(Action.CREATE, "acme-x")
    assert limits.permits(Action.CREATE, None)
    assert not limits.permits(Action.CREATE, "other")
    assert not Limits(frozenset({Action.READ})).permits(Action.CREATE, "acme-x")


def test_user_names() -> None:
    assert all(map(is_user_name, ("a", "Ann.B_c-d@example.org", "x" * 64)))
    assert not any(map(is_user_name, ("", "a b", "a:b", "zo\u00eb", "x" * 65, "a\n", ":owners", "__token__")))
