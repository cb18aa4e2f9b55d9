"""The verb ``catalog``."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pypid.testing.builds import wheel


def rebuild(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pypid.cli", "--root", str(root), *options, "catalog", "rebuild"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(3):
        directory = tmp_path / "simple" / f"project-{number}"
        directory.mkdir(parents=True)
        for version in range(30):
            filename, content = wheel(f"project-{number}", f"1.{version}")
            (directory / filename).write_bytes(content)
    return tmp_path


def test_p12_everything_is_read_again(root: Path) -> None:
    catalog = root / ".pypid" / "catalog.sqlite"
    catalog.parent.mkdir()
    catalog.write_bytes(b"what was there before")
    done = rebuild(root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("read 90 files of 3 projects in "), done.stdout
    assert done.stderr == ""
    connection = sqlite3.connect(catalog)
    try:
        query = "SELECT count(*), count(DISTINCT sha256) FROM files WHERE sha256 IS NOT NULL"
        assert connection.execute(query).fetchall() == [(90, 90)]
        assert connection.execute("SELECT count(*) FROM journal").fetchall() != [(0,)]
    finally:
        connection.close()


def test_a_project_that_cannot_be_read_is_named(root: Path) -> None:
    (root / "simple" / "project-1" / ".pypid.json").write_text("no record")
    done = rebuild(root)
    assert done.returncode == 1
    assert "pypid: project-1 cannot be read: " in done.stderr
    assert "pypid: 1 project cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("read 60 files of "), done.stdout


def test_where_no_index_is_nothing_is_made(tmp_path: Path) -> None:
    done = rebuild(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is no index" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_command_sees_a_memory(root: Path) -> None:
    done = rebuild(root, "--storage", "memory:")
    assert done.returncode == 1
    assert "no command can see" in done.stderr
