"""One large upload: how long, how much memory, and what others notice of it.

Run by hand, on a quiet machine: ``python benchmarks/large_upload.py [--megabytes 1024]``.
The time stands beside that of one plain process that hashes and syncs the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import bcrypt

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

MEGABYTE = 1024 * 1024
USER = ("ci", "secret")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    size = parser.parse_args().megabytes * MEGABYTE
    print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores, {size // MEGABYTE} MB")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        headers, body = form(root, size)
        plain = plainly(root, body)
        print(f"a plain process, three digests and fsync: {plain:6.2f} s")
        with Daemon(root / "pypi") as daemon:
            idle = daemon.peak()
            polls = Polls(daemon.port)
            started = time.monotonic()
            status = post(daemon.port, headers, body)
            taken = time.monotonic() - started
            waits = sorted(polls.stop())
            print(
                f"pypid, answered {status}: {taken:6.2f} s, {plain / taken:.2f} of the plain process's speed"
            )
            print(f"peak resident memory: {daemon.peak() / MEGABYTE:.0f} MB, idle {idle / MEGABYTE:.0f} MB")
            print(
                f"/+health meanwhile, {len(waits)} answers: median {median(waits) * 1000:.1f} ms,"
                f" p99 {waits[int(len(waits) * 0.99)] * 1000:.1f} ms, worst {waits[-1] * 1000:.1f} ms"
            )


def form(root: Path, size: int) -> tuple[dict[str, str], Path]:
    """Write an upload's body to a file, so that the client's memory is not the matter."""
    filename, content = wheel("large", "1.0", payload=bytes(size))
    headers, body = upload_form(filename, content, "large", "1.0")
    path = root / "body"
    path.write_bytes(body)
    return headers | basic(*USER), path


def blocks(path: Path) -> Iterator[bytes]:
    """Read a file in blocks."""
    with path.open("rb") as file:
        while block := file.read(MEGABYTE):
            yield block


def plainly(root: Path, body: Path) -> float:
    """Hash, write and sync the same bytes with nothing around it; give the seconds."""
    digests = [hashlib.sha256(), hashlib.md5(usedforsecurity=False), hashlib.blake2b(digest_size=32)]
    started = time.monotonic()
    with (root / "plain").open("wb") as file:
        for block in blocks(body):
            for digest in digests:
                digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return time.monotonic() - started


def post(port: int, headers: dict[str, str], body: Path) -> int:
    """Upload; give the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    length = {"Content-Length": str(body.stat().st_size)}
    connection.request("POST", "/legacy/", body=blocks(body), headers=headers | length)
    return connection.getresponse().status


class Daemon:
    """The daemon on a free port."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        hashed = bcrypt.hashpw(USER[1].encode(), bcrypt.gensalt(10)).decode()
        (root / "htpasswd").write_text(f"{USER[0]}:{hashed}\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        listen = f"tcp:{self.port}:interface=127.0.0.1"
        twistd = Path(sys.executable).with_name("twistd")
        self._process = subprocess.Popen(
            [twistd, "-n", "--pidfile=", "pypid", "--root", root, "--listen", listen, "--max-upload", "4GiB"],
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> Daemon:
        while True:
            try:
                health(self.port)
            except OSError:
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)

    def peak(self) -> int:
        """Give the most bytes it ever had resident."""
        match = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self._process.pid}/status").read_text())
        assert match is not None
        return int(match[1]) * 1024


def health(port: int) -> float:
    """Ask for the health page on a new connection; give the seconds that it took."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/+health")
    connection.getresponse().read()
    connection.close()
    return time.monotonic() - started


class Polls:
    """Asks for the health page fifty times a second."""

    def __init__(self, port: int) -> None:
        self._waits: list[float] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[port])
        self._thread.start()

    def _run(self, port: int) -> None:
        while not self._done.wait(0.02):
            self._waits.append(health(port))

    def stop(self) -> list[float]:
        """End, and give the seconds that each answer took."""
        self._done.set()
        self._thread.join()
        return self._waits


if __name__ == "__main__":
    main()
