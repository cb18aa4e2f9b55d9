"""The wheel that is built has everything: whoever installs it needs no checkout."""

from __future__ import annotations

import signal
from pathlib import Path
from zipfile import ZipFile

import pytest
from harness.daemon import QUIET, daemon_environment
from harness.http import ask
from harness.processes import free_port, run, running, script

from pypid.cli.site_files.targets import TARGETS, shipped

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel of this checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    run([script("uv"), "build", "--quiet", "--wheel", "--out-dir", directory, ROOT])
    [path] = directory.glob("*.whl")
    return path


def test_it_has_all_templates(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    for target in TARGETS.values():
        assert f"pypid/cli/site_files/templates/{target.template}" in names
    assert "twisted/plugins/pypid_plugin.py" in names
    assert "pypid/web/routes/templates/home.html" in names


def test_one_command_serves_a_directory(wheel: Path, tmp_path: Path) -> None:
    """``uvx --from WHEEL pypid serve DIR``, in an environment of its own, far from the checkout."""
    port, log = free_port(), tmp_path / "log"
    uvx = [
        "env",
        "-C",
        str(tmp_path),
        script("uvx"),
        "--python",
        script("python"),
        "--from",
        str(wheel),
        "pypid",
    ]
    environment = daemon_environment()
    assert "\npypid " in "\n" + run([*uvx, "--version"], environment=environment)
    command = [*uvx, "serve", str(tmp_path / "packages"), "--port", str(port), "--upstream", "none"]
    with running(command, f"http://127.0.0.1:{port}/+health", log) as process:
        assert "pip install" in ask(f"http://127.0.0.1:{port}/").text
        assert ask(f"http://127.0.0.1:{port}/simple/").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert log.read_text().endswith("Server Shut Down.\n")
    assert not any(sign in log.read_text() for sign in QUIET)
    written = run([*uvx, "--root", tmp_path / "packages", "gen-config", "systemd"], environment=environment)
    assert f"ReadWritePaths={tmp_path}/packages\n" in written
    assert run([*uvx, "gen-config", "--help"], environment=environment).count("\n  ") >= len(TARGETS)
    assert "systemd/pypid.service" in shipped()
