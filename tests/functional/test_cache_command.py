"""``pypid cache`` beside the real daemon, with an index that goes away, and real clients."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from harness.archives import make_sdist, make_wheel
from harness.clients import Clients
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script, wait_until
from harness.upstream import FakeIndex, fake_index


def cache(root: Path, *arguments: str | Path, status: int | None = 0) -> str:
    """Run ``pypid cache`` to its end."""
    command = [script("pypid"), "--root", root, "cache", *arguments]
    return run(command, environment=daemon_environment(), status=status)


def described(index: FakeIndex, options: str = "") -> str:
    """Describe an index as an upstream."""
    return f"proxy:{index.simple}:name=main{options}"


def lock_file(directory: Path, *lines: str) -> Path:
    """Write a requirements file."""
    path = directory / "requirements.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_installs_after_the_upstream_is_gone(
    daemon: Callable[..., Daemon], clients: Clients, tmp_path: Path, client: str
) -> None:
    """What was fetched beside a running daemon installs through it; a bad project in the middle stops nothing."""
    directory = tmp_path / "upstream"
    directory.mkdir()
    with fake_index(directory) as index:
        index.add("base", make_wheel, "1.0")
        index.add("base", make_sdist, "1.0")
        index.add("base", make_wheel, "2.0")
        broken = index.add("broken", make_wheel, "1.0")
        broken.unlink()
        wheel = index.add("top", lambda *of: make_wheel(*of, requires=["base"]), "1.0")
        started = daemon("--upstream", described(index))
        # The daemon knows of a project that was not there, and of one that had less.
        assert ask(f"{started.simple}top/").status == 200
        digest = sha256(wheel.read_bytes()).hexdigest()
        locked = lock_file(tmp_path, "base==1.0", "broken==1.0", f"top==1.0 --hash=sha256:{digest}", "gone==3")
        said = cache(started.root, "prefetch", "-r", locked, "--upstream", described(index), status=1)
        lines = [line for line in said.splitlines() if line.startswith("pypid: ")]
        assert [line.split(":")[1].strip() for line in lines] == ["gone 3", "broken 1.0"], said
        assert "fetched 3 files, " in said
        assert "/simple/base/base-2.0-py3-none-any.whl" not in index.requests
        asked = len(index.requests)
        good = lock_file(tmp_path, "base==1.0", "top==1.0")
        assert "fetched 0 files, 0 bytes; 3 were there" in cache(
            started.root, "prefetch", "-r", good, "--upstream", described(index)
        )
        assert not any("1.0" in path for path in index.requests[asked:])
    install = clients.pip_install if client == "pip" else clients.uv_install
    assert install(started.simple, "top==1.0", "base==1.0").version("top") == "1.0"
    offline = described(index, ":offline")
    assert "3 were there" in cache(started.root, "prefetch", "-r", good, "--upstream", offline)
    assert "2.0" in cache(
        started.root, "prefetch", "-r", lock_file(tmp_path, "base==2.0"), "--upstream", offline, status=1
    )
