"""The releases that lock files pin."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.markers import Marker

from pypid.cli.environments import Choice, Platform
from pypid.cli.lock_files import Pin
from pypid.cli.releases import Release, read_lock_files, releases
from pypid.errors import CannotStart

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def test_each_once() -> None:
    """Where several files pin one release, what any of them allows is allowed."""
    pins = [Pin("foo", "1.0", frozenset({A})), Pin("foo", "1.0", frozenset({B})), Pin("bar", "2.0")]
    assert releases(pins, Choice()) == [Release("bar", "2.0"), Release("foo", "1.0", frozenset({A, B}))]
    assert releases([*pins, Pin("foo", "1.0"), pins[0]], Choice())[1] == Release("foo", "1.0")


def test_those_that_are_needed() -> None:
    pins = [Pin("foo", "1.0", marker=Marker("sys_platform == 'win32'")), Pin("bar", "1.0")]
    assert len(releases(pins, Choice())) == 2
    assert releases(pins, Choice([Platform.parse("macosx_14_0_arm64")])) == [Release("bar", "1.0")]


def test_allows() -> None:
    """A lock file decides by the digests that it and the page both have."""
    release = Release("foo", "1.0", frozenset({A}))
    assert release.allows({"sha256": "a" * 64})
    assert not release.allows({"sha256": "b" * 64})
    assert release.allows({"md5": "c" * 32})
    assert release.allows({})
    assert Release("foo", "1.0").allows({"sha256": "b" * 64})


def test_read_lock_files(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("foo==1.0\nbar>=2\n-r other.txt\n")
    with pytest.raises(CannotStart, match=r"cannot read .*other.txt: No such file"):
        read_lock_files([path])
    (tmp_path / "other.txt").write_text("baz==3\n")
    pins, useless = read_lock_files([path])
    assert [pin.project for pin in pins] == ["foo", "baz"]
    assert len(useless) == 1
    assert "bar is not pinned" in useless[0]
