"""Tests of Linux' notifications of changed directories."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pypid.storage import watches
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.projects import Projects
from pypid.storage.warn_once import WarnOnce
from pypid.storage.watches import Watches

NAMES = ["bar", "foo", "zebra"]
EVENTS = Path("/proc/sys/fs/inotify/max_queued_events")


@pytest.fixture
def simple(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory of projects, of whatever file system."""
    monkeypatch.setattr(watches, "_is_local", lambda _: True)
    for name in ("bar", "Foo", "zebra"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def projects(simple: Path) -> Projects:
    """Return the projects in it."""
    projects = Projects(simple, ChangeDetector(), WarnOnce())
    assert projects.names() == NAMES
    return projects


@pytest.fixture
def watching(simple: Path, projects: Projects) -> Watches:
    """Return what watches them, which was asked once."""
    watching = Watches(simple, projects.known_spellings)
    assert watching.moved(NAMES) == NAMES
    if watching._descriptor == -1:
        pytest.skip("nothing can be watched here")
    return watching


CHANGES: list[Callable[[Path], object]] = [
    lambda simple: (simple / "Foo" / "file").write_bytes(b"new"),
    lambda simple: (simple / "Foo" / "file").write_bytes(b"in place"),
    lambda simple: (simple / "Foo" / "file").rename(simple / "Foo" / "other"),
    lambda simple: (simple / "Foo" / "other").chmod(0o600),
    lambda simple: (simple / "Foo" / "other").unlink(),
    lambda simple: (simple / "Foo").chmod(0o700),
    lambda simple: (simple / "Foo").rename(simple / "elsewhere"),
    lambda simple: (simple / "elsewhere").rename(simple / "foo"),
    lambda simple: (simple / "foo" / "file").write_bytes(b"new"),
    lambda simple: (simple / "FOO").mkdir(),
    lambda simple: (simple / "FOO" / "file").write_bytes(b"new"),
    lambda simple: shutil.rmtree(simple / "FOO"),
    lambda simple: shutil.rmtree(simple / "foo"),
    lambda simple: (simple / "foo").mkdir(),
    lambda simple: (simple / "foo" / "file").write_bytes(b"new"),
]


def test_fault_a11_only_what_changed(watching: Watches, projects: Projects, simple: Path) -> None:
    """All that happens to a project is told, once it is known how that is spelled, and nothing else."""
    for number, change in enumerate(CHANGES):
        for _ in range(3):  # what went is looked for once more
            if watching.moved(NAMES) == []:
                break
            projects.names()
        assert watching.moved(NAMES) in ([], ["foo"]), number
        change(simple)
        assert watching.moved(["bar", "zebra"]) == [], number
        assert watching.moved(NAMES) == ["foo"], number
        projects.names()


def test_fault_a11_another_spelling_is_told_of_until_it_is_known(
    watching: Watches, projects: Projects, simple: Path
) -> None:
    """A listing that is made later finds it."""
    (simple / "BAR").mkdir()
    for _ in range(3):
        assert watching.moved(NAMES) == ["bar"]
    projects.names()
    assert watching.moved(NAMES) == ["bar"]
    assert watching.moved(NAMES) == []
    (simple / "BAR" / "file").touch()
    assert watching.moved(NAMES) == ["bar"]


def test_fault_a11_too_much_at_once(watching: Watches, simple: Path) -> None:
    """When events were lost, all may have changed."""
    limit = int(EVENTS.read_text())
    if limit > 50_000:
        pytest.skip("that takes too long here")
    for _ in range(limit // 3 + 10):
        (simple / "bar" / "file").touch()
        (simple / "bar" / "file").unlink()
    assert watching.moved(["foo", "zebra"]) == ["foo", "zebra"]
    assert watching.moved(NAMES) == ["bar"]
    assert watching.moved(NAMES) == []
    (simple / "zebra" / "file").touch()
    assert watching.moved(NAMES) == ["zebra"]


def test_fault_a11_more_than_may_be_watched(
    simple: Path, projects: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not watched may always have changed."""
    (tmp_path / ".limit").write_text("4\n")
    monkeypatch.setattr(watches, "_LIMIT", tmp_path / ".limit")
    watching = Watches(simple, projects.known_spellings)
    assert watching.moved(NAMES) == NAMES
    assert watching.moved(NAMES) == ["zebra"]
    watching.close()


def test_fault_a11_the_top_is_replaced(watching: Watches, simple: Path) -> None:
    """What is watched is not what is served any more."""
    (simple / "bar" / "file").touch()
    simple.rename(simple.with_name("old"))
    simple.mkdir()
    for _ in range(2):
        assert watching.moved(NAMES) == NAMES


def test_fault_a11_where_others_may_change_it(
    simple: Path, projects: Projects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a network's file system nothing is watched."""
    monkeypatch.setattr(watches, "_is_local", lambda _: False)
    watching = Watches(simple, projects.known_spellings)
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(2):
        assert watching.moved(NAMES) == NAMES
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_closed(simple: Path, projects: Projects) -> None:
    """Nothing is left open, also if nothing was asked."""
    before = len([*Path("/proc/self/fd").iterdir()])
    for times in range(2):
        watching = Watches(simple, projects.known_spellings)
        for _ in range(times):
            watching.moved(NAMES)
        watching.close()
        watching.close()
        assert watching.moved(NAMES) == NAMES
        assert len([*Path("/proc/self/fd").iterdir()]) == before
