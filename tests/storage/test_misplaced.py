"""Tests for :mod:`pypid.storage.misplaced`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from pypid.storage import misplaced as module
from pypid.storage.misplaced import misplaced


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"bytes")


def remedies(lines: Sequence[str]) -> Sequence[str]:
    """Return what is to be typed, by the lines."""
    return [line.split("`")[1] for line in lines]


def test_fault_b4_nothing_to_say(tmp_path: Path) -> None:
    """Where all is as it should be, and where there is nothing at all."""
    assert misplaced(tmp_path / "nowhere") == []
    put(
        tmp_path,
        "htpasswd",
        "README.txt",
        ".pypid/cache/pypi/foo/foo-1.0.tar.gz",
        "simple/index.html",
        "simple/foo/foo-1.0.tar.gz",
        "simple/foo/.foo-1.0.tar.gz.json",
        "simple/foo/foo-1.0-py3-none-any.whl",
        "simple/foo/foo-1.0-py3-none-any.whl.metadata",
        "simple/Foo_Bar/foo.bar-1.0.zip",
        "simple/zope.interface/zope_interface-5.0.tar.gz",
        "simple/foo/README.zip.txt",
        "simple/foo/docs/index.html",
    )
    (tmp_path / "link").symlink_to(tmp_path / "simple" / "foo")
    (tmp_path / "foo-1.0.tar.gz").symlink_to(tmp_path / "simple" / "foo" / "foo-1.0.tar.gz")
    os.mkfifo(tmp_path / "foo-2.0.tar.gz")
    assert misplaced(tmp_path) == []


def test_fault_b4_each_place(tmp_path: Path) -> None:
    """Flat and deep roots, loose archives, those of others and those that lie too deep are counted apart."""
    root = tmp_path / "a root"
    put(root, "foo-1.0.tar.gz", "bar/1.0/bar-1.0-py3-none-any.whl", "bar/1.1/bar-1.1-py3-none-any.whl")
    put(root, "simple/Loose_One-1.0.zip")
    put(root, "simple/foo/bar-2.0.zip", "simple/foo/bar-3.0.zip", "simple/foo/foo-2.0.zip")
    put(root, "simple/foo/old/1.x/foo-1.5.tar.gz", "simple/not a name/foo-1.6.tar.gz")
    lines = misplaced(root)
    assert [line.split(" and nobody")[0] for line in lines] == [
        "3 archives lie outside of simple/,",
        "1 archive lies in simple/ itself,",
        "3 archives lie in the directory of another project than their names say,",
        "1 archive lies deeper than simple/<project>/,",
    ]
    assert f"mv '{root}/simple/Loose_One-1.0.zip' '{root}/simple/loose-one/'" in lines[1]


def test_fault_b4_the_remedy_helps(tmp_path: Path) -> None:
    """What is told to do may be done as it stands, until there is nothing left to say."""
    put(
        tmp_path,
        "it's/foo-1.0.tar.gz",
        "simple/foo/old/foo-0.9.zip",
        "simple/foo-2.0.zip",
        "simple/bar/foo-3.zip",
    )
    for remedy in remedies(misplaced(tmp_path)):
        subprocess.run(["sh", "-c", remedy], check=True)
    assert misplaced(tmp_path) == []
    assert len(list((tmp_path / "simple" / "foo").glob("foo-*"))) == 4


def test_fault_b4_it_looks_at_so_much_only(tmp_path: Path) -> None:
    """Of a large tree, or one on a slow disk, a part is told."""
    put(tmp_path, *(f"foo-{number}.zip" for number in range(50)))
    assert misplaced(tmp_path)[0].startswith("50 archives lie")
    allowance = module._Allowance(lambda: 0.0, 1.0, 20)
    assert len(list(module._archives(tmp_path, allowance))) == 20
    assert allowance.is_spent
    slow = count(0.0, 3.0)
    assert misplaced(tmp_path, lambda: next(slow))[0].startswith("at least 3 archives lie")
    put(tmp_path, "/".join(["deep"] * 20) + "/foo-1.0.zip")
    assert misplaced(tmp_path)[0].startswith("50 archives lie")
