"""Readers that stall, and addresses behind HAProxy's protocol, over real sockets."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from harness.daemon import Daemon
from harness.http import ask
from harness.processes import PATIENCE, free_port, wait_until

Start = Callable[..., Daemon]
LARGE = 64 << 20
"""More bytes than the kernel keeps for a client that does not read."""
GET = b"GET /packages/acme/acme-1.0.tar.gz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def large_file(root: Path) -> None:
    """Put a large archive into a tree."""
    file = root / "simple" / "acme" / "acme-1.0.tar.gz"
    file.parent.mkdir(parents=True)
    with file.open("wb") as content:
        content.truncate(LARGE)


def test_t26_stalled_readers_are_cut_off(daemon: Start, tmp_path: Path) -> None:
    """Who takes nothing for so long; who goes on taking a little gets everything in the end."""
    root = tmp_path / "pypi"
    large_file(root)
    started = daemon("--upstream", "none", "--send-timeout", "2", root=root)
    # Its digest is computed first, and the file is closed again.
    assert "sha256" in ask(f"{started.simple}acme/").text
    wait_until(lambda: readers(started) == 0, "the digest is known")
    with ExitStack() as stack:
        stalled, slow = (
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", started.port), PATIENCE)))
            for _ in range(2)
        )
        for connection in (stalled, slow):
            connection.sendall(GET)
            assert connection.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        begun, received = time.monotonic(), 0

        def is_cut_off() -> bool:
            nonlocal received
            received += len(slow.recv(1 << 16))
            return readers(started) == 1

        assert readers(started) == 2
        wait_until(is_cut_off, "the stalled one is cut off")
        assert time.monotonic() - begun > 1.5
        while received < LARGE:
            received += len(slow.recv(1 << 20))
    wait_until(lambda: readers(started) == 0, "the file is closed")


def readers(daemon: Daemon) -> int:
    """Give how often the daemon has the large file open."""
    links = Path(f"/proc/{daemon.pid}/fd").iterdir()
    return sum(os.path.realpath(link).endswith("acme-1.0.tar.gz") for link in links)


def test_one_connection_too_many(daemon: Start) -> None:
    """It is told so, and the others are served; when one ends there is room again."""
    started = daemon("--upstream", "none", "--max-connections", "3", "--max-connections-per-address", "2")

    def connect(source: str) -> socket.socket:
        connection = socket.create_connection(
            ("127.0.0.1", started.port), PATIENCE, source_address=(source, 0)
        )
        connection.sendall(b"GET /+health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection

    with ExitStack() as stack:
        for source, status in (("127.9.0.1", 200), ("127.9.0.1", 200), ("127.9.0.1", 429)):
            connection = stack.enter_context(closing(connect(source)))
            assert connection.recv(12) == b"HTTP/1.1 %d" % status
        with closing(connection):
            while connection.recv(4096):
                pass
        third = stack.enter_context(closing(connect("127.9.0.2")))
        assert third.recv(12) == b"HTTP/1.1 200"
        with closing(connect("127.9.0.3")) as fourth:
            assert fourth.recv(12) == b"HTTP/1.1 503"
    wait_until(lambda: ask(f"{started.url}+health").status == 200, "there is room again")


def test_addresses_behind_haproxys_protocol(daemon: Start) -> None:
    """They are the peers: counted each for itself, and their headers are believed if they are trusted."""
    port = free_port()
    endpoint = f"haproxy:tcp:{port}:interface=127.0.0.1"
    options = ("--max-connections-per-address", "1", "--trust-proxy", "198.51.100.1")
    started = daemon("--upstream", "none", "--listen", endpoint, *options)

    def connect(source: str, *headers: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
        lines = ["GET /simple/ HTTP/1.1", "Host: localhost", *headers, "", ""]
        proxied = f"PROXY TCP4 {source} 127.0.0.1 50000 80\r\n"
        connection.sendall((proxied + "\r\n".join(lines)).encode())
        return connection

    with ExitStack() as stack:
        for source in ("192.0.2.1", "192.0.2.2"):
            connection = stack.enter_context(closing(connect(source, "X-Forwarded-For: 127.0.0.1")))
            assert connection.recv(12) == b"HTTP/1.1 200"
        with closing(connect("192.0.2.1")) as second:
            assert second.recv(12) == b"HTTP/1.1 429"
        for _ in range(2):
            trusted = stack.enter_context(closing(connect("198.51.100.1", "X-Forwarded-For: 203.0.113.9")))
            assert trusted.recv(12) == b"HTTP/1.1 200"
    for client in ("192.0.2.1", "192.0.2.2", "203.0.113.9"):
        wait_until(lambda client=client: f'"{client}" - -' in started.log_text(), client)
    assert '"127.0.0.1" - - ' not in "".join(
        line for line in started.log_text().splitlines() if "/simple/" in line
    )
