"""Invariants of a daemon after every attack: it lives, keeps its files, and logs no secret."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import bcrypt
from harness.daemon import QUIET, Daemon
from harness.http import Answer, ask
from harness.processes import children, wait_until

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

CI = basic("ci", "secret")
FILENAME, CONTENT = wheel("acme-lib", "1.0", payload=bytes(range(256)) * 16)
FILE = f"/packages/acme-lib/{FILENAME}".encode()
GROWTH = 64 * 1024 * 1024
"""Largest growth of a daemon's memory under an attack, in bytes."""


def status_file(pid: int, key: str) -> int:
    """Return a value of a process's ``/proc/PID/status``, in bytes."""
    found = re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def descriptors(pid: int) -> int:
    """Count the open files of a process, but not those with which it speaks to its worker processes."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir())) - len(children(pid))


def store(daemon: Daemon) -> dict[str, str]:
    """Return the digest of each file under the root except the catalog, which is derived."""
    digests = {}
    for path in daemon.root.rglob("*"):
        with suppress(FileNotFoundError):  # what is staged may go away just now
            if path.is_file() and not path.name.startswith("catalog.sqlite"):
                digests[str(path)] = sha256(path.read_bytes()).hexdigest()
    return digests


def upload(
    daemon: Daemon,
    filename: str,
    content: bytes,
    name: str,
    version: str,
    path: str = "legacy/",
    **fields: str,
) -> Answer:
    """Upload a file and return the answer."""
    headers, body = upload_form(filename, content, name, version, **fields)
    return ask(f"{daemon.url}{path}", "POST", headers=headers | CI, body=body)


def publish(daemon: Daemon, filename: str, content: bytes, name: str) -> int:
    """Upload a file of version 1.0 and return the status."""
    return upload(daemon, filename, content, name, "1.0").status


def healthy(daemon: Daemon) -> None:
    """Check that the daemon answers within a second, or ten if the machine is busy."""
    begun = time.monotonic()
    assert ask(f"{daemon.url}+health").status == 200
    assert time.monotonic() - begun < 10


@contextmanager
def running_daemon(directory: Path, *files: tuple[str, bytes, str]) -> Iterator[Daemon]:
    """Run a daemon with a user and some files, each given as name, bytes and project."""
    users = directory / "users"
    users.write_text(f"ci:{bcrypt.hashpw(b'secret', bcrypt.gensalt(5)).decode()}\n")
    daemon = Daemon(directory / "root", ("--auth", f"htpasswd:{users}", "--upstream", "none"))
    daemon.start()
    try:
        for filename, content, name in ((FILENAME, CONTENT, "acme-lib"), *files):
            assert publish(daemon, filename, content, name) == 200
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@contextmanager
def unharmed(daemon: Daemon, memory: int) -> Iterator[None]:
    """Check afterwards that the daemon took no harm (I1 to I6).

    :param memory: the daemon's memory before the first attack, in bytes.
    """
    before, open_files, said = store(daemon), descriptors(daemon.pid), len(daemon.log_text())
    yield
    healthy(daemon)
    wait_until(lambda: descriptors(daemon.pid) <= open_files + 1, "open files are closed", 5)
    wait_until(lambda: store(daemon) == before, "the root is as it was", 5)
    # The process is still the same one, since nothing restarts it.
    assert status_file(daemon.pid, "VmHWM") - memory < GROWTH
    log = daemon.log_text()[said:]
    assert not any(sign in log for sign in (*QUIET, "__smuggled", "secret", CI["Authorization"][6:]))
    # Lines that were logged together stand one below the other, after a tab.
    assert log.replace("\n\t", "").replace("\n", "").isprintable()
    assert publish(daemon, FILENAME, CONTENT, "acme-lib") == 200
    assert ask(daemon.url.rstrip("/") + FILE.decode()).body == CONTENT
    assert ask(daemon.simple).status == 200


def assert_refused(answer: Answer, status: int, said: str) -> None:
    """Check that a refusal is short plain text with the reason, and has only printable characters."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/plain; charset=utf-8"), answer
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert said in answer.text
    assert len(answer.body) <= 500
    assert answer.text.rstrip("\n").isprintable()
    assert answer.text.isascii()
