"""The documented command line works wherever pypid is installed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pypid import __version__
from pypid.runtime.command import command_line


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide this installation; return a directory for another one."""
    monkeypatch.setattr(sys, "argv", ["twistd"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python" / "bin" / "python3"))
    monkeypatch.setattr("pypid.runtime.command.sysconfig.get_path", lambda _: str(tmp_path / "scripts"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


def test_fault_f1_the_line_works() -> None:
    """As it stands, in a shell that knows nothing of this environment."""
    line = command_line("--version")
    done = subprocess.run(
        ["/bin/sh", "-c", line], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"pypid {__version__}\n"), done.stderr


def test_fault_f1_beside_what_runs(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = made(nowhere / "my venv" / "bin" / "pypid")
    monkeypatch.setattr(sys, "argv", [str(command.with_name("twistd"))])
    line = command_line("--root", Path("/var/my pypi"), "user", "add", "NAME")
    assert shlex.split(line) == [str(command), "--root", "/var/my pypi", "user", "add", "NAME"]


def test_fault_f1_beside_its_python(nowhere: Path) -> None:
    command = made(nowhere / "python" / "bin" / "pypid")
    assert command_line("user") == f"{command} user"


def test_fault_f1_where_scripts_go(nowhere: Path) -> None:
    command = made(nowhere / "scripts" / "pypid")
    assert command_line("user") == f"{command} user"


def test_fault_f1_the_name_alone_where_the_path_finds_it(nowhere: Path) -> None:
    """Such as a link that an administrator or pipx made, and not another command of that name."""
    command = made(nowhere / "python" / "bin" / "pypid")
    (nowhere / "path").mkdir()
    (nowhere / "path" / "pypid").symlink_to(command)
    assert command_line("user") == "pypid user"
    (nowhere / "path" / "pypid").unlink()
    (nowhere / "path" / "pypid").write_text("#!/bin/sh\n")
    (nowhere / "path" / "pypid").chmod(0o755)
    assert command_line("user") == f"{command} user"


def test_fault_f1_an_activated_environment_is_not_everybodys(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = made(nowhere / "python" / "bin" / "pypid")
    monkeypatch.setattr(sys, "prefix", str(nowhere / "python"))
    monkeypatch.setenv("PATH", str(command.parent))
    assert command_line("user") == f"{command} user"


def test_fault_f1_without_a_script(nowhere: Path) -> None:
    assert command_line("user") == f"{sys.executable} -m pypid.cli user"


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pypid.cli", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"pypid {__version__}\n"), done.stderr
