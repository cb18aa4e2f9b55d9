"""``pypid serve``: the daemon in the foreground, as a container runs it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.daemon import QUIET, daemon_environment
from harness.privileges import require_root
from harness.processes import answers, children, free_port, require_tool, run, running, script, wait_until
from harness.tools import NOT_IN_DEBIAN

READ_ONLY_INDEX = ("--upstream", "none")


@contextmanager
def first_process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as process 1 of a PID namespace, as the first process of a container is."""
    require_root()
    unshare = require_tool("unshare", "apt-get install util-linux")
    if subprocess.run([unshare, "--pid", "--fork", "--mount-proc", "true"], check=False).returncode:
        pytest.skip(f"needs the right to make PID namespaces, as few containers have it; {NOT_IN_DEBIAN}")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [unshare, "--pid", "--fork", "--mount-proc", "--kill-child", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=daemon_environment(),
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def child_of(pid: int) -> int:
    """Return the one child of a process."""
    [child] = children(pid)
    return child


def test_fault_f3_as_the_first_process(tmp_path: Path) -> None:
    """After it was killed it starts again in the same directory, though its number is 1 again."""
    port, log, root = free_port(), tmp_path / "log", tmp_path / "pypi"
    url = f"http://127.0.0.1:{port}/+health"
    command = ["env", "-C", str(tmp_path), script("pypid"), "serve", str(root), "--port", str(port)]
    for number in range(3):
        with first_process([*command, *READ_ONLY_INDEX], log) as process:
            wait_until(lambda: answers(url) or process.poll() is not None, "the daemon")
            assert answers(url), log.read_text()
            daemon = child_of(process.pid)
            assert b"pypid" in Path(f"/proc/{daemon}/cmdline").read_bytes()
            if number < 2:
                os.kill(daemon, signal.SIGKILL)
            else:
                os.kill(daemon, signal.SIGTERM)
            process.wait(60)
        wait_until(lambda: not answers(url), "the end of the daemon")
    assert "Another twistd server" not in log.read_text()
    assert log.read_text().endswith("Server Shut Down.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "pypi"]
    assert not any(sign in log.read_text() for sign in QUIET)


def test_fault_f3_a_start_that_fails(tmp_path: Path) -> None:
    """The last line says why, and the status is 1."""
    words = [tmp_path / "pypi", "--port", str(free_port()), "--auth", "htpasswd:/nonexistent/users"]
    said = run([script("pypid"), "serve", *words], environment=daemon_environment(), status=1)
    assert "no password file" in said.strip().splitlines()[-1]
    assert not any(sign in said for sign in QUIET)


def test_fault_f3_interrupted_at_a_terminal(tmp_path: Path) -> None:
    """Control-C ends it well."""
    port, log = free_port(), tmp_path / "log"
    command = [script("pypid"), "serve", str(tmp_path / "pypi"), "--port", str(port), *READ_ONLY_INDEX]
    with running(command, f"http://127.0.0.1:{port}/+health", log) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert log.read_text().endswith("Server Shut Down.\n")
