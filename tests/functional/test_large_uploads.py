"""An upload that is far larger than the memory that the daemon may use for it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path

from harness.daemon import Daemon
from harness.http import ask

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

MEGABYTE = 1024 * 1024
SIZE = 400 * MEGABYTE
PEAK = 150 * MEGABYTE


def peak_memory(pid: int) -> int:
    """Return the most bytes of memory that a process ever had resident."""
    match = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def test_memory_does_not_grow_with_the_file_and_others_are_answered(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """P8, C131: the body streams to the disk, and the reactor is free meanwhile."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    filename, content = wheel("acme", "1.0", payload=bytes(SIZE))
    headers, body = upload_form(filename, content, "acme", "1.0")
    digest = sha256(content).hexdigest()
    del content
    answered, done = [], threading.Event()

    def poll() -> None:
        while not done.is_set():
            answered.append(ask(f"{index.url}+health").status)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        answer = ask(f"{index.url}legacy/", "POST", headers=headers | basic(*user), body=body)
    finally:
        done.set()
        poller.join()
    assert answer.status == 200, answer.text
    assert len(answered) > 20
    assert set(answered) == {200}
    assert peak_memory(index.pid) < PEAK
    assert digest in ask(f"{index.simple}acme/").text


def test_b126_a_stranger_is_refused_before_the_body_is_read(
    daemon: Callable[..., Daemon], users_file: Path
) -> None:
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        while sent < 1024 * MEGABYTE:
            sent += MEGABYTE
            yield bytes(MEGABYTE)

    connection = HTTPConnection("127.0.0.1", index.port, timeout=30)
    headers = {"Content-Length": str(1024 * MEGABYTE), "Content-Type": "multipart/form-data; boundary=x"}
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", "/legacy/", body=chunks(), headers=headers)
    response = connection.getresponse()
    assert (response.status, response.getheader("Connection")) == (401, "close")
    connection.close()
    # What fits the buffers of two sockets, and not a thing that anybody read.
    assert sent < 64 * MEGABYTE
    assert not [path for path in (index.root / ".pypid" / "staging").rglob("*") if path.is_file()]
