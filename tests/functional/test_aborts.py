"""Clients that go away at any moment, by the hundred: nothing of them stays in the daemon.

``ABORTS`` in the environment says how many there are of each kind.
"""

from __future__ import annotations

import os
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import bcrypt
import pytest
from harness.daemon import Daemon
from harness.http import download
from harness.invariants import CI, publish, status_file
from harness.processes import wait_until
from harness.scripted import Gate, ScriptedIndex, scripted_index
from harness.uploads import staged

from pypid.testing.builds import wheel
from pypid.testing.web import upload_form

ABORTS = int(os.environ.get("ABORTS", "50"))
AT_ONCE = 25
"""How many clients there are at the same time."""
SLACK = 2
"""How many descriptors there may be more, of what is opened once and for all, as when it is first needed."""
THREADS = 64
"""More than all pools have together."""
PAYLOAD = random.Random(1).randbytes(400_000)
FILENAME, CONTENT = wheel("acme-lib", "1.0", payload=PAYLOAD)
CACHED = "foo-1.0.tar.gz"


@pytest.fixture(scope="module")
def index() -> Iterator[ScriptedIndex]:
    """Yield another index."""
    with scripted_index() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, index: ScriptedIndex) -> Iterator[Daemon]:
    """Yield a daemon that has a file, and a file of another index."""
    directory = tmp_path_factory.mktemp("aborted")
    users = directory / "users"
    users.write_text(f"ci:{bcrypt.hashpw(b'secret', bcrypt.gensalt(5)).decode()}\n")
    daemon = Daemon(
        directory / "root", ("--auth", f"htpasswd:{users}", "--upstream", f"proxy:{index.simple}")
    )
    daemon.start()
    try:
        index.offer("foo", CACHED, CONTENT)
        assert publish(daemon, FILENAME, CONTENT, "acme-lib") == 200
        assert download(f"{daemon.url}packages/foo/{CACHED}").body == CONTENT
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.fixture(autouse=True)
def nothing_stays(started: Daemon) -> Iterator[None]:
    """Check that after a test the daemon has no more open than before, and stages nothing."""
    wait_until(lambda: not in_flight(started), "what was in flight is gone")
    before = opened(started)
    yield
    wait_until(lambda: not in_flight(started), "what was in flight is gone")
    with suppress(pytest.fail.Exception):
        wait_until(lambda: opened(started).total() <= before.total(), "all that was opened is closed", 30)
    more = opened(started) - before
    assert more.total() <= SLACK, more
    assert len(list(Path(f"/proc/{started.pid}/task").iterdir())) <= THREADS
    assert status_file(started.pid, "VmRSS") < 500_000_000
    log = started.log_text()
    assert "[error]" not in log.replace("#error", "[error]")
    for path in (f"acme-lib/{FILENAME}", f"foo/{CACHED}"):
        assert download(f"{started.url}packages/{path}").body == CONTENT


def opened(daemon: Daemon) -> Counter[str]:
    """Count what the daemon has open, by what it is."""
    found: Counter[str] = Counter()
    for descriptor in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed just now
            found[re.sub(r"\[\d+\]", "", str(descriptor.readlink()))] += 1
    return found


def in_flight(daemon: Daemon) -> list[Path]:
    """Name the files that are on their way, from clients and from the other index."""
    return [*staged(daemon.root), *(daemon.root / ".pypid" / "cache").glob("*/partial/*")]


def aborted(started: Daemon, requests: Callable[[int], bytes], sent: Callable[[int], float]) -> None:
    """Make requests, and go away; every other client resets its connection, and some read a little before.

    :param requests: gives the request of each, by number.
    :param sent: how much of it is sent, by number.
    """
    for first in range(0, ABORTS, AT_ONCE):
        clients = []
        for number in range(first, min(first + AT_ONCE, ABORTS)):
            client = socket.create_connection(("127.0.0.1", started.port), timeout=60)
            request = requests(number)
            client.sendall(request[: max(int(len(request) * sent(number)), request.index(b"\r\n\r\n") + 4)])
            clients.append(client)
        for number, client in enumerate(clients):
            with suppress(OSError):
                if number % 5 == 0 and sent(number) == 1:
                    client.recv(1000)
                if number % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()


def get(path: str) -> bytes:
    """Write a request for a file."""
    return f"GET /packages/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def test_fault_a1_downloads_of_local_files(started: Daemon) -> None:
    """Downloads of files that are here."""
    aborted(started, lambda _: get(f"acme-lib/{FILENAME}"), lambda _: 1)


def test_fault_a1_downloads_of_cached_files(started: Daemon) -> None:
    """Downloads of another index's files that are kept."""
    aborted(started, lambda _: get(f"foo/{CACHED}"), lambda _: 1)


def test_fault_a1_downloads_of_files_in_flight(started: Daemon, index: ScriptedIndex) -> None:
    """Downloads of another index's files while they are fetched."""
    gate = Gate()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\nConnection: close\r\n\r\n".encode()
    for number in range(ABORTS):
        path = index.offer("bar", f"bar-{number}.tar.gz", CONTENT)
        index.script(path, head, CONTENT[:200_000], gate, CONTENT[200_000:])
    aborted(started, lambda number: get(f"bar/bar-{number}.tar.gz"), lambda _: 1)
    gate.opened.set()


def test_fault_a1_uploads(started: Daemon) -> None:
    """Uploads that end before, shortly after their begin, half-way, and shortly before their end."""
    headers, body = upload_form("acme_lib-2.0.tar.gz", PAYLOAD, "acme-lib", "2.0")
    told = {**headers, **CI, "Host": "127.0.0.1", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    request = f"POST /legacy/ HTTP/1.1\r\n{head}\r\n".encode() + body
    parts = (0, 0.01, 0.5, 0.99)
    aborted(started, lambda _: request, lambda number: parts[number % 4])
