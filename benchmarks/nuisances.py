"""Clients that are a burden, in processes of their own: slow readers, and one that guesses passwords."""

from __future__ import annotations

import http.client
import itertools
import socket
import subprocess
import sys
import threading
import time

from benchmarks.servers import Server
from pypid.testing.web import basic

__all__ = ["Nuisance"]

SLOW = 16 * 1024
"""Bytes that a slow reader reads each second."""


class Nuisance:
    """Goes on while it is the context.

    :param kind: ``read``, so many slow readers of a file; or ``guess``, so many wrong passwords
        of one user a second; or ``guess-users``, each of another user.
    """

    def __init__(self, kind: str, server: Server, path: str, count: int) -> None:
        self._command = [
            sys.executable,
            "-m",
            "benchmarks.nuisances",
            kind,
            str(server.port),
            path,
            str(count),
        ]

    def __enter__(self) -> Nuisance:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self.answered = self._process.communicate("\n")[0].strip()


def _read(port: int, path: str, count: int, done: threading.Event) -> int:
    """Read slowly; give how many got any of it."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    readers = []
    for _ in range(count):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW)
        reader.settimeout(0)
        readers.append(reader)
        reader.connect_ex(("127.0.0.1", port))
    asked: set[socket.socket] = set()
    answered: set[socket.socket] = set()
    print("ready", flush=True)
    while not done.wait(1):
        for reader in readers:
            try:
                if reader not in asked:
                    reader.send(request)
                    asked.add(reader)
                if reader.recv(SLOW):
                    answered.add(reader)
            except OSError:
                pass  # nothing yet
    return len(answered)


def _guess(port: int, path: str, count: int, done: threading.Event, *, many: bool) -> int:
    """Guess the password of one user, or of another one each time; give how many guesses were answered."""
    answered, numbers = 0, itertools.count()

    def guess() -> None:
        nonlocal answered
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not done.is_set():
            due = time.monotonic() + threads / count
            try:
                sent = {
                    **basic(f"user-{next(numbers)}" if many else "ci", f"wrong {time.monotonic()}"),
                    "Content-Length": "0",
                }
                connection.request("POST", path, headers=sent)
                connection.getresponse().read()
                answered += 1
            except (OSError, http.client.HTTPException):
                connection.close()
            done.wait(due - time.monotonic())

    threads = 300  # so that enough are left when some wait to be signed in
    guessing = [threading.Thread(target=guess) for _ in range(threads)]
    for thread in guessing:
        thread.start()
    print("ready", flush=True)
    for thread in guessing:
        thread.join()
    return answered


def _main(kind: str, port: str, path: str, count: str) -> None:
    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), done.set()), daemon=True).start()
    if kind == "read":
        print(_read(int(port), path, int(count), done))
    else:
        print(_guess(int(port), path, int(count), done, many=kind == "guess-users"))


if __name__ == "__main__":
    _main(*sys.argv[1:])
