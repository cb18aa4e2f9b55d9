"""Processes, ports, and waiting for conditions."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

PATIENCE = 60.0
"""Time in seconds after which a condition that does not hold is a failure."""

_PORTS = range(12000, 32000)
"""Ports of tests: below those that Linux gives to the clients' ends of connections, which begin at 32768."""

_OPENER = build_opener(ProxyHandler({}))


def script(name: str) -> str:
    """Return the path of a command that was installed beside this interpreter."""
    return str(Path(sys.executable).with_name(name))


def require_tool(name: str, remedy: str) -> str:
    """Return the path of a system command, or skip the test with a message on how to install it."""
    # Debian installs daemons in directories that only root's PATH has.
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"needs {name}: {remedy}")
    return path


def free_port() -> int:
    """Return a TCP port that nobody listens on, and that no other test of this machine is given meanwhile.

    The kernel's own choice would be given twice: what it has chosen is free again before a daemon
    listens, and every connection of a client takes a port of the same range. So the ports of tests
    lie below that range, and the processes of all test runs take them in turn, from one counter.
    """
    while not _can_listen(port := _next_port()):
        pass
    return port


def _next_port() -> int:
    """Count one further in the file of the counter, which is locked meanwhile."""
    path = Path(tempfile.gettempdir(), f"pypid-test-port-{os.getuid()}")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as counter:
        flock(counter, LOCK_EX)
        before = int(counter.read() or 0)
        port = before + 1 if before + 1 in _PORTS else _PORTS.start
        counter.seek(0)
        counter.write(b"%5d" % port)
    return port


def _can_listen(port: int) -> bool:
    """True if nobody listens on this port of any interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def wait_until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Wait until ``condition`` holds; fail after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {patience:g} s in vain: {what}")
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Return whether ``url`` answers with status 200 now."""
    try:
        with _OPENER.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    status: int | None = 0,
) -> str:
    """Run a command to its end and return its standard output and standard error together.

    :param status: the expected exit status; ``None`` for any except 0.
    """
    done = subprocess.run(
        [str(word) for word in command],
        env=None if environment is None else dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=2 * PATIENCE,
        check=False,
    )
    if done.returncode != status and (status is not None or done.returncode == 0):
        pytest.fail(f"status {done.returncode} of {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


@contextmanager
def running(command: Sequence[str | Path], url: str, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the foreground, wait until ``url`` answers, and end the command afterwards.

    :param output: the file to which its output is appended.
    """
    with output.open("ab") as log:
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def up() -> bool:
        if process.poll() is not None:
            pytest.fail(f"status {process.returncode} of {' '.join(words)}\n{output.read_text()}")
        return answers(url)

    try:
        wait_until(up, url)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> int:
    """Terminate a process of a test, wait for its end, and return its exit status."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail(f"process {process.pid} did not end when it was asked to")


def children(pid: int) -> set[int]:
    """Return the ids of the children of a process, whichever of its threads started them."""
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found.update(map(int, path.read_text().split()))
    return found


def ended(pid: int) -> bool:
    """Return whether a process that is not our child has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def reactor_time(pid: int) -> float:
    """Return for how long the first thread of a process has worked, in seconds; a daemon's is the reactor's.

    Time in which the thread waits for a processor does not count, so this holds on a busy machine, too.
    """
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def credentials(pid: int) -> tuple[int, int]:
    """Return the effective user and group of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    uid, gid = (re.search(rf"^{kind}:\s+\d+\s+(\d+)", status, re.MULTILINE) for kind in ("Uid", "Gid"))
    assert uid is not None
    assert gid is not None
    return int(uid[1]), int(gid[1])
