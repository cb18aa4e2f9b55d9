"""Load and measurement: what wrk counts, and how long others have to wait meanwhile."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from attrs import frozen

from benchmarks.servers import Server

__all__ = ["Polls", "Rate", "Rates", "interleaved", "wrk"]

CONNECTIONS = 16
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


@frozen
class Rate:
    """What one round of load found."""

    per_second: float
    """Answers each second."""
    processor: float
    """Microseconds of processor time that the server took for each."""
    bytes_per_second: float
    """The bytes of all answers each second, begun ones included."""


@frozen
class Rates:
    """What all rounds found."""

    rounds: Sequence[Rate]

    @property
    def per_second(self) -> float:
        """The median of the rates."""
        return median(one.per_second for one in self.rounds)

    @property
    def processor(self) -> float:
        """The median of the processor times."""
        return median(one.processor for one in self.rounds)

    @property
    def spread(self) -> float:
        """How far the slowest and the fastest round are apart, as a part of the median."""
        rates = [one.per_second for one in self.rounds]
        return (max(rates) - min(rates)) / self.per_second


def wrk(
    server: Server,
    path: str,
    headers: Mapping[str, str],
    seconds: int,
    *,
    script: Path | None = None,
    connections: int = CONNECTIONS,
) -> Rate:
    """Ask for a path over connections that are kept, 16 by default, with one thread."""
    if shutil.which("wrk") is None:
        raise FileNotFoundError("wrk is missing: apt-get install wrk")
    options = [f"-d{seconds}s", "-t1", f"-c{connections}"]
    for name, value in headers.items():
        options += ["-H", f"{name}: {value}"]
    if script is not None:
        options += ["-s", str(script)]
    before = server.processor_time()
    done = subprocess.run(
        ["wrk", *options, server.url(path)], check=True, capture_output=True, text=True
    ).stdout
    busy = server.processor_time() - before
    if "Non-2xx" in done:
        raise RuntimeError(f"{server.name}: {path}: {done}")
    requests = re.search(r"(\d+) requests in", done)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    transfer = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", done)
    assert requests is not None and rate is not None and transfer is not None, done
    sent = float(transfer[1]) * _UNITS[transfer[2]]
    return Rate(float(rate[1]), busy / max(int(requests[1]), 1) * 1e6, sent)


def interleaved(
    contestants: Mapping[str, tuple[Server, str, Mapping[str, str]]], rounds: int, seconds: int
) -> Mapping[str, Rates]:
    """Measure contestants in turns, so that whatever disturbs the machine disturbs all of them.

    :param contestants: a server, a path and headers, by what the table calls it.
    """
    found: dict[str, list[Rate]] = {name: [] for name in contestants}
    for server, path, headers in contestants.values():
        wrk(server, path, headers, 1)
    for _ in range(rounds):
        for name, (server, path, headers) in contestants.items():
            found[name].append(wrk(server, path, headers, seconds))
    return {name: Rates(rates) for name, rates in found.items()}


class Polls:
    """Asks a page again and again from a process of its own, and takes the time of each answer.

    :param interval: seconds between one answer and the next question.
    """

    def __init__(self, server: Server, path: str = "/+health", interval: float = 0.005) -> None:
        command = [sys.executable, "-m", "benchmarks.load", str(server.port), path, str(interval)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> list[float]:
        """End, and give the seconds that each answer took, shortest first."""
        output, _ = self._process.communicate("\n")
        return sorted(map(float, output.split()))


def _poll(port: int, path: str, interval: float) -> None:
    """Poll until a line comes in, and print the seconds of each answer."""
    import threading

    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), done.set()), daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    waits: list[float] = []
    print("ready", flush=True)
    while not waits or not done.wait(interval):
        started = time.monotonic()
        connection.request("GET", path)
        connection.getresponse().read()
        waits.append(time.monotonic() - started)
    print(*waits)


if __name__ == "__main__":
    _poll(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
