"""The promises of a file system: kept by this one, and broken one after the other."""

from __future__ import annotations

import os
import sqlite3
from errno import EINVAL, ENOLCK, EPERM
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pypid.cli.main import main
from pypid.maintenance import promises


def outcomes(path: Path) -> dict[str, str | None]:
    return {outcome.promise: outcome.fault for outcome in promises.try_promises(path)}


def test_a_good_file_system_keeps_them_and_nothing_is_left(tmp_path: Path) -> None:
    found = outcomes(tmp_path)
    assert len(found) == 9
    assert {promise: fault for promise, fault in found.items() if fault is not None} == {}
    assert [*tmp_path.iterdir()] == []


def fail(code: int) -> Any:
    def call(*_args: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize(
    ("module", "function", "stand_in", "promise", "fault"),
    [
        (os, "link", fail(EPERM), "a link makes", "Operation not permitted"),
        (os, "link", os.rename, "a link makes", "No such file"),
        (os, "fsync", fail(EINVAL), "files and directories", "Invalid argument"),
        (promises, "flock", fail(ENOLCK), "the lock of one", "No locks available"),
        (promises, "flock", lambda *_: None, "the lock of one", "another process got the same lock"),
        (os, "utime", lambda *_args, **_options: None, "times are kept", "ns off"),
        (promises, "LEAST_SPACE", 2**80, "there is room", "MiB are free"),
        (promises.Path, "unlink", lambda path: path.rename(path.with_name(".nfs1")), "an open file", ".nfs1"),
        (sqlite3, "connect", fail(EINVAL), "SQLite", "Invalid argument"),
    ],
)
def test_a_broken_promise_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    module: Any,
    function: str,
    stand_in: Any,
    promise: str,
    fault: str,
) -> None:
    """And only that one; whoever is told has status 1."""
    monkeypatch.setattr(module, function, stand_in)
    broken = {one: said for one, said in outcomes(tmp_path).items() if said is not None}
    [(told, said)] = broken.items()
    assert told.startswith(promise)
    assert said is not None
    assert fault in said
    result = CliRunner().invoke(main, ["check-storage", str(tmp_path)])
    assert result.exit_code == 1
    assert f"NO    {told}: " in result.output
    assert result.output.splitlines()[-1].endswith("is no place for an index")


def test_the_command_on_a_good_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check-storage", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert result.output.count("yes   ") == 9
    assert "keeps everything that an index needs" in result.output


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check-storage", str(tmp_path / "no")])
    assert result.exit_code == 2
    assert "does not exist" in result.output
