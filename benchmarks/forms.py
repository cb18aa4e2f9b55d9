"""Upload forms with large and small wheels, and a process that sends them and does nothing else."""

from __future__ import annotations

import http.client
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, md5, sha256
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

from attrs import frozen

from benchmarks.servers import MEGABYTE, Server
from benchmarks.trees import USER
from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

__all__ = ["Form", "Sending", "digests", "form", "large_wheel"]

_MARK = b"--the file--"


@frozen
class Form:
    """An upload: what goes before the file, the file, and what goes after it."""

    headers: Mapping[str, str]
    before: bytes
    file: Path
    after: bytes


def digests() -> dict[str, Any]:
    """Begin the three digests of the upload API, by the names of their fields."""
    return {
        "sha256_digest": sha256(),
        "md5_digest": md5(usedforsecurity=False),
        "blake2_256_digest": blake2b(digest_size=32),
    }


def large_wheel(directory: Path, megabytes: int, name: str = "large") -> Path:
    """Make a wheel of version 1.0, incompressible, of little more than so many megabytes."""
    directory.mkdir(parents=True, exist_ok=True)
    filename, content = wheel(name, "1.0", payload=sha256(b"wheel").digest() * (megabytes * MEGABYTE // 32))
    (directory / filename).write_bytes(content)
    return directory / filename


def form(file: Path, name: str, version: str, filename: str | None = None) -> Form:
    """Give the form that a client sends with a file, digests and credentials included.

    :param filename: the name to send it under, such as one with a build number, so that
        one large wheel does for many uploads.
    """
    found = digests()
    with file.open("rb") as content:
        while block := content.read(MEGABYTE):
            for digest in found.values():
                digest.update(block)
    said = {field: digest.hexdigest() for field, digest in found.items()}
    headers, body = upload_form(filename or file.name, _MARK, name, version, **said)
    before, _, after = body.partition(_MARK)
    return Form(headers, before, file, after)


class Sending:
    """Sends forms over some connections from a process of its own.

    :param path: where to.
    :param credentials: the headers that go with each; those of the usual user by default.
    :param patience: how many seconds to wait for any one answer.
    """

    def __init__(
        self,
        server: Server,
        path: str,
        forms: Sequence[Form],
        connections: int,
        credentials: Mapping[str, str] | None = None,
        patience: int = 900,
    ) -> None:
        command = [sys.executable, "-m", "benchmarks.forms"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None and self._process.stdout is not None
        sent = basic(*USER) if credentials is None else credentials
        pickle.dump((server.port, path, forms, connections, sent, patience), self._process.stdin)
        self._process.stdin.flush()
        self._process.stdout.readline()

    def begin(self) -> None:
        """Let it send."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def finish(self) -> tuple[float, list[int]]:
        """Give the seconds that all took together, and the status of each; 0 where there was no answer."""
        output, _ = self._process.communicate()
        seconds, *statuses = output.split()
        return float(seconds), [int(status) for status in statuses]

    def run(self) -> tuple[float, list[int]]:
        """Send them all."""
        self.begin()
        return self.finish()


def _send_all(
    port: int, path: str, forms: Sequence[Form], connections: int, more: Mapping[str, str], patience: int
) -> None:
    """Be that process."""
    ready = [_ready(one, more) for one in forms]
    statuses: list[int] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
        while ready:
            try:
                statuses.append(ready.pop()(connection, path))
            except (OSError, http.client.HTTPException):
                statuses.append(0)
                connection.close()

    print("ready", flush=True)
    sys.stdin.buffer.readline()
    started = monotonic()
    threads = [Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(monotonic() - started, *statuses)


def _ready(one: Form, more: Mapping[str, str]) -> Callable[[http.client.HTTPConnection, str], int]:
    """Give what sends a form; small files are read beforehand."""
    size = one.file.stat().st_size
    small = one.before + one.file.read_bytes() + one.after if size < MEGABYTE else b""
    length = str(len(one.before) + size + len(one.after))
    headers = {**one.headers, **more, "Content-Length": length}

    def send(connection: http.client.HTTPConnection, path: str) -> int:
        connection.request("POST", path, small or one.before, headers)
        if not small:
            with one.file.open("rb") as file:
                connection.sock.sendfile(file)
            connection.sock.sendall(one.after)
        response = connection.getresponse()
        response.read()
        return response.status

    return send


if __name__ == "__main__":
    _send_all(*pickle.load(sys.stdin.buffer))
