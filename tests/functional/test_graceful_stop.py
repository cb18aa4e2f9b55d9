"""Answers that are not yet with their clients when the daemon is told to stop."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.daemon import Daemon
from harness.processes import ended, wait_until

from pypid.testing.builds import wheel

FILES = 2000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a tree with a project whose page is longer than what the kernel takes at once."""
    project = tmp_path / "pypi" / "simple" / "demo"
    project.mkdir(parents=True)
    for number in range(FILES):
        name, content = wheel("demo", f"1.{number}+{'x' * 150}")
        (project / name).write_bytes(content)
    return tmp_path / "pypi"


def connect(port: int) -> socket.socket:
    """Connect as a client that takes little at a time."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    return client


def receive_head(client: socket.socket) -> tuple[int, bytes]:
    """Return the announced length of a body, and what came of it with the head."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(1024)
    head, _, body = data.partition(b"\r\n\r\n")
    [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(length.partition(b":")[2]), body


def receive_all(client: socket.socket) -> bytes:
    """Return all that comes until the connection ends."""
    body = bytearray()
    while data := client.recv(65536):
        body += data
    return bytes(body)


@pytest.mark.parametrize("times", [1, 2], ids=["routes", "fast-path"])
def test_a_slow_client_gets_all_of_an_answer_that_was_begun(
    daemon: Callable[..., Daemon], root: Path, times: int
) -> None:
    started = daemon("--upstream", "none", root=root)
    request = b"GET /simple/demo/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(times - 1):
        with connect(started.port) as client:
            client.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            receive_all(client)
    with connect(started.port) as client, connect(started.port) as idle:
        client.sendall(request)
        length, body = receive_head(client)
        os.kill(started.pid, signal.SIGTERM)
        wait_until(lambda: "shutting down" in started.log_text(), "the begin of the end")
        assert len(body) + len(receive_all(client)) == length
        assert idle.recv(1) == b""
    wait_until(lambda: ended(started.pid), "the end")
