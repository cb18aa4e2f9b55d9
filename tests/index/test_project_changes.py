"""Changes of a project whose files somebody changes by hand while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest
from attrs import define, field, frozen

from pypid.errors import Forbidden, NotFound, StorageUnavailable
from pypid.index.acceptance import ProjectState
from pypid.index.project_changes import ATTEMPTS, Digests, Unread, apply
from pypid.model import Principal, Role


@frozen
class Copied:
    """A file without a record."""

    filename: str


@define
class Storage:
    """A storage of one project, that says when it is locked and what is read meanwhile."""

    steps: list[str] = field(factory=list)

    @contextmanager
    def changing(self, name: str) -> Iterator[Any]:
        self.steps.append("lock")
        yield SimpleNamespace(project=None)
        self.steps.append("unlock")

    def read(self, name: str, filename: str, function: Callable[[BinaryIO], str]) -> str:
        self.steps.append(f"read {filename}")
        if filename == "gone":
            raise NotFound("there is no such file")
        return function(BytesIO(b""))


def permit(_state: ProjectState) -> None:
    """Permit everything."""


def test_files_that_change_again_and_again_are_given_up() -> None:
    """Each time others have to be read; the last time nobody else changes the project meanwhile."""
    storage, numbers = Storage(), iter(range(100))

    def change(_name: str, _locked: Any, _digests: Digests) -> None:
        raise Unread([Copied(str(next(numbers)))])

    with pytest.raises(StorageUnavailable, match="files of foo are being changed by hand"):
        apply("foo", permit, change, storage)
    assert storage.steps.count("lock") == ATTEMPTS
    last = len(storage.steps) - storage.steps[::-1].index("lock")
    assert storage.steps[last].startswith("read")


def test_a_file_that_is_read_under_the_lock_at_last_is_changed() -> None:
    storage, tries = Storage(), iter(range(100))

    def change(_name: str, _locked: Any, _digests: Digests) -> str:
        if next(tries) < ATTEMPTS:
            raise Unread([Copied("file")])
        return "changed"

    assert apply("foo", permit, change, storage) == "changed"


def test_a_file_that_is_gone_is_not_waited_for() -> None:
    """What is not there any more has no digest; the change looks for itself what is left."""
    storage, tries = Storage(), iter(range(100))

    def change(_name: str, _locked: Any, _digests: Digests) -> str:
        if next(tries) == 0:
            raise Unread([Copied("gone")])
        return "changed"

    assert apply("foo", permit, change, storage) == "changed"
    assert storage.steps == ["lock", "unlock", "read gone", "lock", "unlock"]


def test_a_refused_change_is_not_begun() -> None:
    def refuse(_state: ProjectState) -> None:
        raise Forbidden("not you")

    def change(_name: str, _locked: Any, _digests: Digests) -> None:
        raise AssertionError("it was begun")

    with pytest.raises(Forbidden):
        apply("foo", refuse, change, Storage())


def test_roles_in_a_project() -> None:
    state = ProjectState(owners=("ann",), maintainers=("ann", "bob"))
    assert state.roles(Principal("ann")) == {Role.OWNER, Role.MAINTAINER}
    assert state.roles(Principal("bob")) == {Role.MAINTAINER}
    assert state.roles(Principal("eve")) == state.roles(None) == frozenset()
