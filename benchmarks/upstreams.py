"""P8 to P10, and P14 with a cold download: what it costs that pypid stands before an upstream."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from urllib.parse import urljoin, urlsplit

from benchmarks import servers
from benchmarks.load import Polls
from benchmarks.pages import MEDIA
from benchmarks.servers import MEGABYTE, Server
from benchmarks.static_index import REQUIREMENTS, configured_index, publish, real_wheels, static_index

__all__ = ["install", "upstreams"]

LARGE = "acme-large"
HUGE = "acme-huge"
PATIENCE = 180
"""How many seconds an installation may take."""
FRESH = 5
"""How many files P10 fetches."""


def upstreams(cache: Path, directory: Path, rounds: int) -> Iterator[list[str]]:
    """Measure them all; give the rows of the table."""
    index = configured_index()
    if index is None:
        yield ["P8, P9", "uv pip install", "not measured", "pip is not configured for any index here"]
    else:
        yield from _installs(cache, directory, index, rounds)
    yield from _large_files(directory)


def _installs(cache: Path, directory: Path, index: str, rounds: int) -> Iterator[list[str]]:
    """P8 and P9: uv with nothing in its cache, straight from nginx, and through pypid."""
    wheels = real_wheels(cache, index)
    static = directory / "static"
    publish(static, wheels)
    found: dict[str, list[float]] = {"straight": [], "hot": [], "cold": []}
    with static_index(static, "django") as nginx:
        upstream = f"proxy:{nginx.url('/simple/')}"
        with servers.pypid(_root(directory / "hot-proxy"), upstream=upstream) as hot:
            install(hot, directory)
            install(nginx, directory)
            for number in range(rounds):
                found["straight"].append(install(nginx, directory))
                found["hot"].append(install(hot, directory))
                with servers.pypid(_root(directory / f"cold-proxy-{number}"), upstream=upstream) as cold:
                    found["cold"].append(install(cold, directory))
    what = f"uv installs {len(wheels)} wheels of {sum(one.stat().st_size for one in wheels) // 10**6} MB"
    yield ["P8, P9", f"{what} straight from nginx", *_seconds(found, "straight")]
    yield ["P8", "the same through pypid, which has all", *_seconds(found, "hot", "at most 1.1")]
    yield ["P9", "the same through pypid, which has nothing", *_seconds(found, "cold", "at most 1.15")]


def _seconds(found: Mapping[str, list[float]], which: str, allowed: str = "") -> tuple[str, str]:
    """Give the median of some times and their spread, and how much longer it took than straight."""
    middle = median(found[which])
    spread = (max(found[which]) - min(found[which])) / middle / 2
    beside = f"{middle / median(found['straight']):.2f} times that; {allowed}" if allowed else ""
    return f"{middle:.2f} s ± {spread:.0%}", beside


def install(server: Server, directory: Path) -> float:
    """Install the wheels into a new directory with uv, which has nothing yet; give the seconds."""
    target, cache = directory / "installed", directory / "uv-cache"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    environment = {**clean, "UV_CACHE_DIR": str(cache), "UV_NO_CONFIG": "1", "NO_PROXY": "127.0.0.1"}
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--python", sys.executable]
    where = ["--target", target, "--default-index", server.url(server.index)]
    started = time.monotonic()
    try:
        subprocess.run([*uv, *where, *REQUIREMENTS], check=True, env=environment, timeout=PATIENCE)
        return time.monotonic() - started
    finally:
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(cache, ignore_errors=True)


def _large_files(directory: Path) -> Iterator[list[str]]:
    """P10, and P14 while a client fetches a file that pypid does not have."""
    static = directory / "static-large"
    publish(static, [_file(static, LARGE, number, 100 * MEGABYTE) for number in range(FRESH + 1)])
    publish(static, [_file(static, HUGE, 0, 1024 * MEGABYTE)])
    with static_index(static, LARGE) as nginx:
        upstream = f"proxy:{nginx.url('/simple/')}"
        with servers.pypid(_root(directory / "large-proxy"), upstream=upstream) as pypid:
            straight, through = _paths(nginx, LARGE), _paths(pypid, LARGE)
            _download(pypid, through.pop())
            waits = [
                (_download(nginx, one), _download(pypid, other))
                for one, other in zip(straight, through, strict=False)
            ]
            own, ours = (median(times) for times in zip(*waits, strict=True))
            more = median(other - one for one, other in waits)
            yield ["P10", "a file of 100 MB, first byte from nginx", _milliseconds(own), ""]
            found = f"{_milliseconds(more)} more; at most 20 ms"
            yield ["P10", "the same through pypid, which does not have it", _milliseconds(ours), found]

            [path] = _paths(pypid, HUGE)
            polls = Polls(pypid, f"/simple/{LARGE}/")
            time.sleep(3)
            quiet = _p99(polls.stop())
            polls = Polls(pypid, f"/simple/{LARGE}/")
            started = time.monotonic()
            _download(pypid, path)
            took = time.monotonic() - started
            waits_meanwhile = polls.stop()
            what = f"a page, p99, while a file of 1 GB is fetched in {took:.1f} s"
            beside = f"at most 100 ms; worst {_milliseconds(waits_meanwhile[-1])}"
            yield ["P14", "a page, p99, while nothing happens", _milliseconds(quiet), ""]
            yield ["P14", what, _milliseconds(_p99(waits_meanwhile)), beside]


def _root(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _file(static: Path, name: str, number: int, size: int) -> Path:
    """Make a file of that size in its place in a static index; nobody will look into it."""
    path = static / "simple" / name / f"{name.replace('-', '_')}-1.{number}-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())
    os.truncate(path, size)
    return path


def _paths(server: Server, project: str) -> list[str]:
    """Give the paths of a project's files, as its page tells them."""
    page = server.path(project)
    listed = json.loads(servers.fetch(server.port, page, {"Accept": MEDIA["JSON"]})[2])["files"]
    return [urlsplit(urljoin(page, file["url"])).path for file in listed]


def _download(server: Server, path: str) -> float:
    """Get a file to its end; give the seconds until its first byte was there."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    started = time.monotonic()
    connection.request("GET", path)
    response = connection.getresponse()
    length = int(response.getheader("Content-Length", "0"))
    received = len(response.read(1))
    first = time.monotonic() - started
    buffer = bytearray(MEGABYTE)
    while taken := response.readinto(buffer):
        received += taken
    assert (response.status, received) == (200, length), (server.name, path)
    connection.close()
    return first


def _p99(waits: list[float]) -> float:
    return waits[int(len(waits) * 0.99)]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
