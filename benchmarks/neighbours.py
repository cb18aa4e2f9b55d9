"""P17 and P18: what readers notice of projects that are made, and of archives that are checked."""

from __future__ import annotations

import gzip
import http.client
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median
from tarfile import TarInfo
from tarfile import open as open_tar
from threading import Event, Thread

from benchmarks import servers
from benchmarks.forms import Form, Sending, form
from benchmarks.load import Rates, wrk
from benchmarks.pages import FILES
from benchmarks.servers import Server
from benchmarks.trees import NAME, USER, add_user, fill, names
from benchmarks.uploads import small_forms
from pypid.testing.builds import core_metadata
from pypid.testing.web import basic

__all__ = ["neighbours"]

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
OTHERS = 1000
"""How many projects there are besides."""
LONG = 400
MEMBERS = 30_000
"""How many files are in an sdist whose check takes its time."""
SDISTS = 8
TURNS = 6
"""How often each of them is sent: the same bytes are checked again."""
SAMPLES = 20


def neighbours(directory: Path, rounds: int, seconds: int, scale: float) -> Iterator[list[str]]:
    """Measure them; give the rows of the table."""
    root = directory / "neighbours"
    add_user(root)
    for name in names(int(OTHERS * scale)):
        fill(root / "simple" / name, name, 1)
    fill(root / "simple" / NAME, NAME, FILES)
    fill(root / "simple" / "long", "long", LONG)
    with servers.pypid(root) as daemon:
        daemon.calm_down()
        yield from _while_projects_are_made(daemon, directory, rounds, seconds)
        yield from _while_archives_are_checked(daemon, directory, root, scale)


def _while_projects_are_made(
    daemon: Server, directory: Path, rounds: int, seconds: int
) -> Iterator[list[str]]:
    path = daemon.path(NAME)
    forms = [*small_forms(directory / "new", rounds * (seconds + 2), 1000, "1", "new-{}")]
    wrk(daemon, path, JSON, 1)
    quiet, busy = [], []
    for _ in range(rounds):
        quiet.append(wrk(daemon, path, JSON, seconds))
        with _publishing(daemon, forms):
            busy.append(wrk(daemon, path, JSON, seconds))
        time.sleep(3)  # until the last one has settled
    alone, meanwhile = Rates(quiet), Rates(busy)
    ratios = sorted(one.per_second / other.per_second for one, other in zip(busy, quiet, strict=True))
    yield ["P17", "a page of 30 files, while nothing else happens", f"{alone.per_second:,.0f}/s", ""]
    yield [
        "P17",
        "the same while one new project a second is published",
        f"{meanwhile.per_second:,.0f}/s",
        f"{median(ratios):.2f} of that, {ratios[0]:.2f} to {ratios[-1]:.2f}; at least 0.9",
    ]


@contextmanager
def _publishing(daemon: Server, forms: list[Form]) -> Iterator[None]:
    """Publish a new project every second while this is the context."""
    done = Event()

    def publish() -> None:
        while not done.wait(1) and forms:
            _publish(daemon, forms.pop())

    thread = Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _publish(daemon: Server, one: Form) -> None:
    """Upload a small file, in this process."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    body = one.before + one.file.read_bytes() + one.after
    connection.request("POST", "/legacy/", body, {**one.headers, **basic(*USER)})
    response = connection.getresponse()
    assert response.read() and response.status == 200, response.status
    connection.close()


def _while_archives_are_checked(
    daemon: Server, directory: Path, root: Path, scale: float
) -> Iterator[list[str]]:
    forms = [
        form(_sdist(directory, f"1.{number}", scale), "checked", f"1.{number}") for number in range(SDISTS)
    ]
    alone = [_cold_page(daemon, root) for _ in range(SAMPLES)]
    sending = Sending(daemon, "/legacy/", forms * TURNS, SDISTS)
    sending.begin()
    time.sleep(2)
    meanwhile = [_cold_page(daemon, root) for _ in range(SAMPLES)]
    seconds, statuses = sending.finish()
    assert set(statuses) == {200}, statuses
    yield ["P18", f"a cold page of {LONG} files, while nothing else happens", _milliseconds(alone), ""]
    yield [
        "P18",
        f"the same while {SDISTS} large sdists at a time are checked, {len(statuses)} in {seconds:.0f} s",
        _milliseconds(meanwhile),
        f"{median(meanwhile) / median(alone):.1f} times that; at most 3",
    ]


def _cold_page(daemon: Server, root: Path) -> float:
    """Put a file into a project and give the seconds until its page is there."""
    fill(root / "simple" / "long", "long", 1, first=random.randrange(10**6, 10**9))
    started = time.monotonic()
    status, _, body = servers.fetch(daemon.port, daemon.path("long"), JSON)
    assert status == 200, (status, body)
    return time.monotonic() - started


def _sdist(directory: Path, version: str, scale: float) -> Path:
    """Make an sdist of many small files."""
    path = directory / f"checked-{version}.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as packed, open_tar(fileobj=packed, mode="w") as archive:
        content = {"PKG-INFO": core_metadata("checked", version)}
        content |= {f"src/{number}.txt": random.randbytes(200) for number in range(int(MEMBERS * scale))}
        for name, data in content.items():
            member = TarInfo(f"checked-{version}/{name}")
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    return path


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:.0f} ms, worst {max(seconds) * 1000:.0f} ms"
