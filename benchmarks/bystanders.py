"""P14 and P15: what others notice of heavy work, and how much memory it takes."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from tarfile import TarInfo
from typing import Any
from urllib.parse import urljoin, urlsplit

from benchmarks import servers
from benchmarks.forms import Form, Sending, form, large_wheel
from benchmarks.load import Polls
from benchmarks.nuisances import Nuisance
from benchmarks.pages import FILES
from benchmarks.servers import MEGABYTE, Server
from benchmarks.trees import NAME
from benchmarks.uploads import Contestant, contestants, small_forms
from pypid.testing.builds import core_metadata

__all__ = ["bystanders", "memory"]

SECONDS = 10
GUESSES = 200
READERS = 200
BOMB = 2000
"""Megabytes."""


def bystanders(directory: Path, cache: Path, scale: float) -> Iterator[list[str]]:
    """P14: how long a page takes while others upload, guess passwords, or send a bomb."""
    megabytes = int(200 * scale)
    large = _builds(large_wheel(directory, megabytes), 8)
    page = small_forms(directory / "page", FILES, 1, "1", NAME)
    bomb = form(_bomb(directory), "bomb", "1.0")
    with ExitStack() as stack:
        for name, contestant in contestants(stack, directory / "bystanders", cache).items():
            server, path, _ = contestant
            answered(contestant, page, 1)
            works: dict[str, Callable[[], str]] = {
                "nothing": lambda: _pass_time(nullcontext()),
                f"8 uploads of {megabytes} MB": lambda one=contestant: answered(one, large, 8),
                f"an upload that inflates to {BOMB} MB": lambda one=contestant: answered(one, [bomb], 1),
            }
            if name != "pypiserver":  # its uploads are open to all here
                guesses = Nuisance("guess", server, path, GUESSES)
                works[f"{GUESSES} wrong logins a second"] = lambda guesses=guesses: _pass_time(guesses)
            for what, work in works.items():
                polls = Polls(server, server.path(NAME))
                said = work()
                waits = polls.stop()
                p99, worst = (f"{one * 1000:.1f} ms" for one in (waits[int(len(waits) * 0.99)], waits[-1]))
                yield ["P14", name, what, p99, worst, said]


def memory(directory: Path, cache: Path, scale: float) -> Iterator[list[str]]:
    """P15: the most memory that is resident with four large uploads and 200 slow readers."""
    megabytes = int(1000 * scale)
    forms = _builds(large_wheel(directory / "upload", megabytes), 4)
    read = _builds(large_wheel(directory / "read", 100, NAME), 1)
    with ExitStack() as stack:
        for name, contestant in contestants(stack, directory / "memory", cache).items():
            server, _, _ = contestant
            answered(contestant, read, 1)
            idle = server.memory()
            with Nuisance("read", server, _link(server), READERS) as readers:
                said = answered(contestant, forms, 4, patience=120)
            peak = server.memory("VmHWM")
            yield [
                "P15",
                name,
                f"4 uploads of {megabytes} MB, {READERS} slow readers",
                f"{peak / MEGABYTE:.0f} MB",
                f"{idle / MEGABYTE:.0f} MB",
                f"{said}; {readers.answered} readers served",
            ]


def answered(contestant: Contestant, forms: Sequence[Form], connections: int, patience: int = 900) -> str:
    """Have forms sent, and say what the answers were."""
    server, path, credentials = contestant
    seconds, statuses = Sending(server, path, forms, connections, credentials, patience).run()
    said = ", ".join(str(status) if status else "no answer" for status in sorted(set(statuses)))
    return f"{said} after {seconds:.1f} s"


def _pass_time(company: AbstractContextManager[Any]) -> str:
    with company as nuisance:
        time.sleep(SECONDS)
    return f"{int(nuisance.answered) / SECONDS:.0f}/s answered" if nuisance is not None else ""


def _builds(file: Path, count: int) -> Sequence[Form]:
    """Give forms for one wheel under many names."""
    name = file.name.split("-")[0]
    return [
        form(file, name.replace("_", "-"), "1.0", f"{name}-1.0-{build}-py3-none-any.whl")
        for build in range(count)
    ]


def _bomb(directory: Path) -> Path:
    """Make an sdist that begins with nearly as many zeros as pypid inflates before it gives up."""
    path = directory / "bomb-1.0.tar.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        member = TarInfo("bomb-1.0/zeros")
        member.size = BOMB * MEGABYTE
        file.write(member.tobuf())
        for _ in range(BOMB):
            file.write(bytes(MEGABYTE))
        content = core_metadata("bomb", "1.0")
        member = TarInfo("bomb-1.0/PKG-INFO")
        member.size = len(content)
        file.write(member.tobuf() + content + bytes(-len(content) % 512 + 1024))
    return path


def _link(server: Server) -> str:
    """Give the path of the one file on a project's page."""
    page = server.path(NAME)
    links = re.findall(rb'href="([^"#]+)#', servers.fetch(server.port, page, {"Accept": "text/html"})[2])
    return urlsplit(urljoin(server.url(page), links[0].decode())).path
