"""The command ``pypid``, as a process of its own beside the real daemon."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness.archives import make_wheel
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script

JSON = "application/vnd.pypi.simple.v1+json"


def pypid(root: Path, *arguments: str, status: int | None = 0) -> str:
    """Run the command to its end."""
    return run([script("pypid"), "--root", root, *arguments], environment=daemon_environment(), status=status)


def yanked(daemon: Daemon) -> dict[str, object]:
    """Read a project's page."""
    page = json.loads(ask(f"{daemon.simple}sample/", headers={"Accept": JSON}).body)
    return {file["filename"]: file["yanked"] for file in page["files"]}


def test_changes_show_on_the_next_page(daemon: Callable[..., Daemon]) -> None:
    """Yank, status and removal, each at the very next request; uploads go on beside it."""
    started = daemon("--upstream", "none")
    directory = started.root / "simple" / "sample"
    directory.mkdir(parents=True)
    one, two = (make_wheel(directory, "sample", version).name for version in ("1.0", "2.0"))
    assert yanked(started) == {one: False, two: False}
    for reason in ("broken", "broken in another way", "broken"):
        assert pypid(started.root, "yank", "Sample", "1.0", "--reason", reason) == f"yanked {one}\n"
        assert yanked(started) == {one: reason, two: False}
    pypid(started.root, "unyank", "sample", "1.0")
    assert yanked(started) == {one: False, two: False}
    pypid(started.root, "status", "sample", "quarantined")
    assert yanked(started) == {}
    assert ask(f"{started.url}packages/sample/{one}").status == 404
    pypid(started.root, "status", "sample", "active")
    assert ask(f"{started.url}packages/sample/{one}").status == 200
    assert pypid(started.root, "remove", "sample", "1.0", "--yes") == f"removed {one}\n"
    assert yanked(started) == {two: False}
    assert ask(f"{started.url}packages/sample/{one}").status == 404


def test_without_a_daemon(daemon: Callable[..., Daemon]) -> None:
    """What was changed while no daemon ran is there when one runs again."""
    started = daemon("--upstream", "none")
    directory = started.root / "simple" / "sample"
    directory.mkdir(parents=True)
    name = make_wheel(directory, "sample", "1.0").name
    assert yanked(started) == {name: False}
    started.stop()
    pypid(started.root, "yank", "sample", "1.0", "--reason", "asleep")
    started.start()
    assert yanked(started) == {name: "asleep"}


def test_refusals(tmp_path: Path) -> None:
    """One line, on standard error, and no traceback."""
    said = pypid(tmp_path, "status", "sample", status=1)
    assert said.startswith("pypid: ")
    assert said.count("\n") == 1
    assert "--root" in run([script("pypid"), "status", "sample"], environment=daemon_environment(), status=2)


def test_remove_asks_on_a_terminal(tmp_path: Path) -> None:
    directory = tmp_path / "simple" / "sample"
    directory.mkdir(parents=True)
    wheel = make_wheel(directory, "sample", "1.0")
    command = [script("pypid"), "--root", str(tmp_path), "remove", "sample", "1.0"]
    for answer, status in ((b"n\n", 1), (b"y\n", 0)):
        terminal, side = pty.openpty()
        try:
            os.write(terminal, answer)
            done = subprocess.run(command, stdin=side, capture_output=True, timeout=60, check=False)
        finally:
            os.close(terminal)
            os.close(side)
        assert (done.returncode, b"for good?" in done.stdout) == (status, True), done
        assert wheel.exists() == bool(status)
