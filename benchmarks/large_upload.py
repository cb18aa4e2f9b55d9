"""One large upload: how long, how much memory, and what others notice of it.

Run by hand, on a quiet machine: ``python -m benchmarks.large_upload [--megabytes 1024]``.
The time stands beside that of one plain process that hashes and syncs the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks import servers
from benchmarks.load import Polls
from benchmarks.servers import MEGABYTE
from benchmarks.trees import USER, add_user
from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form


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
        add_user(root / "pypi")
        with servers.pypid(root / "pypi", "--max-upload", "4GiB") as daemon:
            idle = daemon.memory("VmHWM")
            polls = Polls(daemon, interval=0.02)
            started = time.monotonic()
            status = post(daemon.port, headers, body)
            taken = time.monotonic() - started
            waits = polls.stop()
            print(
                f"pypid, answered {status}: {taken:6.2f} s, {plain / taken:.2f} of the plain process's speed"
            )
            print(
                f"peak resident memory: {daemon.memory('VmHWM') / MEGABYTE:.0f} MB,"
                f" idle {idle / MEGABYTE:.0f} MB"
            )
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


if __name__ == "__main__":
    main()
