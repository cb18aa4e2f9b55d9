"""The daemon as systemd sees it: what it tells, and how signals end it."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from harness.daemon import QUIET, daemon_environment
from harness.processes import PATIENCE, answers, free_port, script, wait_until

LARGE = 64 << 20
"""More bytes than the kernel keeps for a client that does not read."""


@contextmanager
def service(tmp_path: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """Run the daemon as a service manager does; give its process, port and log."""
    port, log = free_port(), tmp_path / "log"
    options = ("--root", str(tmp_path / "pypi"), "--upstream", "none")
    command = [script("twistd"), "-n", "--pidfile=", "pypid", *options, "--listen", f"127.0.0.1:{port}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**daemon_environment(), **variables},
        )
    try:
        yield process, port, log
    finally:
        process.kill()
        process.wait()


def test_it_tells_when_it_serves_and_when_it_stops(tmp_path: Path) -> None:
    """READY comes no earlier than an answer can; signs of life come until the end; the status is 0."""
    path = tmp_path / "notify"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(path))
        manager.settimeout(PATIENCE)
        with service(tmp_path, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="200000") as (process, port, log):
            said = manager.recv(4096).decode()
            assert said == f"READY=1\nSTATUS=serving http://127.0.0.1:{port}/"
            assert answers(f"http://127.0.0.1:{port}/+health")
            assert {manager.recv(4096) for _ in range(3)} == {b"WATCHDOG=1"}
            process.send_signal(signal.SIGHUP)
            reloading, ready = (_next_but_signs_of_life(manager) for _ in range(2))
            assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
            assert ready == said
            process.send_signal(signal.SIGTERM)
            assert _next_but_signs_of_life(manager) == "STOPPING=1\nSTATUS=waiting for requests to end"
            assert process.wait(PATIENCE) == 0
    assert log.read_text().endswith("Server Shut Down.\n")
    assert not any(sign in log.read_text() for sign in QUIET)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_cuts_requests_off(tmp_path: Path, second: signal.Signals) -> None:
    """The first lets a download go on whose client reads slowly; nobody new is let in."""
    file = tmp_path / "pypi" / "simple" / "acme" / "acme-1.0.tar.gz"
    file.parent.mkdir(parents=True)
    with file.open("wb") as content:
        content.truncate(LARGE)
    with service(tmp_path) as (process, port, log):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/+health"), "the daemon")
        with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as client:
            client.sendall(b"GET /packages/acme/acme-1.0.tar.gz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = len(client.recv(4096))
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: not answers(f"http://127.0.0.1:{port}/+health"), "the port is closed")
            for _ in range(10):
                received += len(client.recv(1 << 20))
            assert process.poll() is None
            process.send_signal(second)
            assert process.wait(20) == 0, "it does not wait for 30 seconds"
            while more := _received(client):
                received += more
            assert received < LARGE
    text = log.read_text()
    assert "Received SIGTERM, shutting down." in text
    assert f"Received {second.name} again" in text
    assert text.endswith("Server Shut Down.\n")
    assert not any(sign in text for sign in QUIET)
    assert not answers(f"http://127.0.0.1:{port}/+health")


def _next_but_signs_of_life(manager: socket.socket) -> str:
    """Give the next message that is no sign of life."""
    while (said := manager.recv(4096).decode()) == "WATCHDOG=1":
        pass
    return said


def _received(client: socket.socket) -> int:
    """Give how many bytes come next; 0 at the end, however it comes."""
    try:
        return len(client.recv(1 << 20))
    except ConnectionResetError:
        return 0
