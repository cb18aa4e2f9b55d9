"""Under ``twist`` and ``twistd``: in front, daemonized, as another user, on other kinds of sockets."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from pathlib import Path

import pytest
from harness.daemon import QUIET
from harness.privileges import keeping_the_right_to_read, open_directory, require_root, service_user
from harness.processes import answers, credentials, ended, free_port, run, running, script, wait_until


def test_twist_runs_it_too(tmp_path: Path) -> None:
    port = free_port()
    command: list[str | Path] = [script("twist"), "pypid", "--root", tmp_path / "pypi", "--upstream", "none"]
    log = tmp_path / "log"
    listen = ("--listen", f"tcp:{port}:interface=127.0.0.1")
    with running([*command, *listen], f"http://127.0.0.1:{port}/+health", log) as process:
        pass
    assert process.returncode == 0
    assert "Main loop terminated" in log.read_text()
    assert not any(sign in log.read_text() for sign in QUIET)


def test_twistd_daemonizes(tmp_path: Path) -> None:
    """With a pidfile and a log file, and without them when it has ended."""
    port, pidfile, log = free_port(), tmp_path / "pid", tmp_path / "log"
    files = (f"--pidfile={pidfile}", f"--logfile={log}", f"--rundir={tmp_path}")
    options = ("--root", str(tmp_path / "pypi"), "--upstream", "none")
    listen = ("--listen", f"tcp:{port}:interface=127.0.0.1")
    run([script("twistd"), *files, "pypid", *options, *listen])
    pid = int(pidfile.read_text())
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/+health"), "the daemon")
        assert "serves" in log.read_text()
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: ended(pid), "the end of the daemon")
    assert not pidfile.exists()
    assert not any(sign in log.read_text() for sign in QUIET)


def test_port_below_1024_as_another_user() -> None:
    """Bound as root, served as ``--uid`` and ``--gid``: the tree is theirs."""
    require_root()
    user = service_user()
    with open_directory() as directory:
        os.chown(directory, user.uid, user.gid)
        port = low_port()
        flags = ("-n", "--pidfile=", f"--uid={user.uid}", f"--gid={user.gid}")
        command = [*keeping_the_right_to_read(), script("twistd"), *flags]
        options = ("pypid", "--root", str(directory / "pypi"), "--listen", f"tcp:{port}:interface=127.0.0.1")
        log = directory / "log"
        with running([*command, *options], f"http://127.0.0.1:{port}/+health", log) as process:
            assert credentials(process.pid) == (user.uid, user.gid)
            assert (directory / "pypi" / "simple").stat().st_uid == user.uid
        assert not any(sign in log.read_text() for sign in QUIET)


@pytest.mark.parametrize(("suffix", "mode"), [("", 0o660), (":mode=600", 0o600)])
def test_unix_socket(tmp_path: Path, suffix: str, mode: int) -> None:
    """Unless told otherwise, only its user and group may connect, such as the proxy's."""
    port, path, log = free_port(), tmp_path / "socket", tmp_path / "log"
    listen = ("--listen", f"unix:{path}{suffix}", "--listen", f"tcp:{port}:interface=127.0.0.1")
    command: list[str | Path] = [
        script("twistd"),
        "-n",
        "--pidfile=",
        "pypid",
        "--root",
        tmp_path / "pypi",
        *listen,
    ]
    with running(command, f"http://127.0.0.1:{port}/+health", log):
        assert path.stat().st_mode & 0o777 == mode
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", "/+health")
        assert connection.getresponse().status == 200
        connection.close()
    assert not path.exists()
    assert not any(sign in log.read_text() for sign in QUIET)


def low_port() -> int:
    """Return a free port that only root may have: 80, or one near it."""
    for port in range(80, 1024):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.fail("all ports below 1024 are in use")
