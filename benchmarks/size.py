"""P11 to P13: large trees, long pages, and what others notice of them."""

from __future__ import annotations

import hashlib
import http.client
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from benchmarks import servers
from benchmarks.load import Polls, Rates, wrk
from benchmarks.pages import MEDIA
from benchmarks.servers import MEGABYTE, Server
from benchmarks.trees import fill, grown, names

__all__ = ["JSON", "ask_all", "large_tree", "long_pages", "random_pages"]

JSON = {"Accept": MEDIA["JSON"]}
CLIENTS = 8
_LUA = """
request = function()
    return wrk.format("GET", "/simple/project-" .. math.random(0, %d) .. "/")
end
"""


def large_tree(cache: Path, directory: Path, scale: float, rounds: int, seconds: int) -> Iterator[list[str]]:
    """P12 and then P11: a tree without and with its catalog."""
    projects, files = int(10_000 * scale), 10
    root = grown(cache / f"tree-{projects}", projects, files)
    shutil.rmtree(root / ".pypid", ignore_errors=True)
    what = f"{projects * files:,} files in {projects:,} projects"

    plain = _hash_all(root / "simple")
    yield ["P12", f"reading and hashing {what} on all cores", f"{plain:.1f} s", ""]
    with servers.pypid(root) as daemon:
        started = time.monotonic()
        polls = Polls(daemon, "/simple/project-7/", 0.02)
        ask_all(daemon, names(projects), files)
        whole = time.monotonic() - started
        waits = polls.stop()
        yield [
            "P12",
            "no catalog: until every page was had, and was right",
            f"{whole:.1f} s",
            f"{whole / plain:.1f} times that",
        ]
        yield [
            "P12",
            "a page meanwhile, p99 and worst",
            _milliseconds(waits[int(len(waits) * 0.99)], waits[-1]),
            "",
        ]
        daemon.calm_down()

    daemon = servers.pypid(root)
    started = time.monotonic()
    with daemon:
        ask_all(daemon, ["project-7"], files)
        first = time.monotonic() - started
        yield ["P11", f"{what}: start to first page, with a catalog", f"{first:.2f} s", "at most 1 s"]
        daemon.calm_down()
        ask_all(daemon, names(projects), files)
        script = random_pages(directory, projects)
        rates = Rates([wrk(daemon, "/", JSON, seconds, script=script) for _ in range(rounds)])
        one = Rates([wrk(daemon, "/simple/project-7/", JSON, seconds) for _ in range(rounds)])
        ratio = rates.per_second / one.per_second
        yield [
            "P11",
            "pages at random",
            f"{rates.per_second:,.0f}/s",
            f"{ratio:.2f} of one page over and over; at least 0.9",
        ]
        yield ["P11", "resident memory after that", f"{daemon.memory() / MEGABYTE:.0f} MB", "at most 150 MB"]


def random_pages(directory: Path, projects: int) -> Path:
    """Write the script with which wrk asks for pages of so many projects at random."""
    script = directory / "pages.lua"
    script.write_text(_LUA % (projects - 1))
    return script


def long_pages(cache: Path, scale: float) -> Iterator[list[str]]:
    """P13: cold pages of 10,000 files and of 50,000 projects."""
    files, projects = int(10_000 * scale), int(50_000 * scale)
    root = cache / f"long-{files}"
    if not (root / "grown").exists():
        print(f"growing a project of {files:,} files in {root}", flush=True)
        fill(root / "simple" / "long", "long", files)
        for name in names(projects):
            (root / "simple" / name).mkdir(exist_ok=True)
        (root / "grown").touch()
    with servers.pypid(root) as daemon:
        ask_all(daemon, ["long"], None)
        _get(daemon, "/simple/", {})
        daemon.calm_down()
        polls = Polls(daemon)
        time.sleep(3)
        waits = polls.stop()
        yield ["P13", "a short page while nothing happens, worst", _milliseconds(waits[-1]), ""]
        for path, what in (
            ("/simple/long/", f"a project of {files:,} files"),
            ("/simple/", f"an index of {projects:,} projects"),
        ):
            for media, media_type in MEDIA.items():
                for encoding in ("identity", "gzip"):
                    headers = {"Accept": media_type.partition(";")[0], "Accept-Encoding": encoding}
                    fill(root / "simple" / "long", "long", 1, first=random.randrange(10**6, 10**9))
                    _get(daemon, "/simple/long/", {"Accept": "application/vnd.pypi.simple.v1+html"})
                    polls = Polls(daemon)
                    started = time.monotonic()
                    _get(daemon, path, headers)
                    cold = time.monotonic() - started
                    waits = polls.stop()
                    yield [
                        "P13",
                        f"{what}, {media}, {encoding}: cold page",
                        _milliseconds(cold),
                        f"others waited {_milliseconds(waits[-1])} at most; 50 ms are allowed",
                    ]


def _get(daemon: Server, path: str, headers: dict[str, str]) -> bytes:
    status, _, body = servers.fetch(daemon.port, path, headers)
    assert status == 200, (path, status)
    return body


def ask_all(daemon: Server, projects: Sequence[str], files: int | None) -> None:
    """Ask for the pages of all projects over a few connections, and see that they are right."""

    def ask(some: Sequence[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=600)
        for name in some:
            connection.request("GET", f"/simple/{name}/", headers=JSON)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (name, response.status)
            assert files is None or body.count(b'"core-metadata"') == files, name

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, [projects[number::CLIENTS] for number in range(CLIENTS)]))


def _hash_all(directory: Path) -> float:
    """Read and hash all files in as many processes as there are cores; give the seconds."""
    started = time.monotonic()
    with ProcessPoolExecutor() as pool:
        list(pool.map(_hash, list(directory.iterdir()), chunksize=100))
    return time.monotonic() - started


def _hash(directory: Path) -> None:
    for path in directory.iterdir():
        hashlib.sha256(path.read_bytes()).digest()


def _milliseconds(*seconds: float) -> str:
    return " and ".join(f"{one * 1000:.1f} ms" for one in seconds)
