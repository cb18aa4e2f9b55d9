"""Growth: P1, P11 and P13 over trees of ever more files, as a table and as pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import servers
from benchmarks.curves import curves
from benchmarks.load import Polls, Rates, wrk
from benchmarks.servers import MEGABYTE
from benchmarks.size import JSON, ask_all, random_pages
from benchmarks.trees import fill, grown, names

__all__ = ["growth"]

FILES = 10
"""How many files each project has."""
LONG = 10
"""The long page is that of a project with a part of so many of the tree's files."""

Point = tuple[float, float]


def growth(
    cache: Path, directory: Path, pictures: Path, largest: int, rounds: int, seconds: int
) -> Iterator[list[str]]:
    """Measure trees of 100 files and of ten times as many, again and again; write the pictures at the end.

    :param largest: how many files the largest tree has.
    """
    one: list[Point] = []
    random: list[Point] = []
    memory: list[Point] = []
    start: list[Point] = []
    cold: list[Point] = []
    waits: list[Point] = []
    files = 100
    while files <= largest:
        projects = files // FILES
        root = grown(cache / f"tree-{projects}", projects, FILES)
        with servers.pypid(root) as daemon:  # so that there is a catalog
            ask_all(daemon, names(projects), FILES)
            daemon.calm_down()
        daemon = servers.pypid(root)
        began = time.monotonic()
        with daemon:
            ask_all(daemon, ["project-7"], FILES)
            start.append((files, time.monotonic() - began))
            daemon.calm_down()
            ask_all(daemon, names(projects), FILES)
            script = random_pages(directory, projects)
            rates = [wrk(daemon, "/", JSON, seconds, script=script) for _ in range(rounds)]
            same = [wrk(daemon, "/simple/project-7/", JSON, seconds) for _ in range(rounds)]
            random.append((files, Rates(rates).per_second))
            one.append((files, Rates(same).per_second))
            memory.append((files, daemon.memory() / MEGABYTE))
        took, waited = _long_page(directory / f"long-{files}", files // LONG)
        cold.append((files, took * 1000))
        waits.append((files, waited * 1000))
        yield [
            f"{files:,}",
            f"{start[-1][1]:.2f} s",
            f"{one[-1][1]:,.0f}/s",
            f"{random[-1][1]:,.0f}/s",
            f"{memory[-1][1]:.0f} MB",
            f"{cold[-1][1]:.0f} ms",
            f"{waits[-1][1]:.1f} ms",
        ]
        files *= 10
    pictures.mkdir(parents=True, exist_ok=True)
    drawn = {
        "rate": curves("Pages a second", "/s", {"one page (P1)": one, "pages at random (P11)": random}),
        "memory": curves("Memory after every page was asked for (P11)", "MB", {"resident": memory}),
        "start": curves("From the start to the first page (P11)", "s", {"with a catalog": start}),
        "wait": curves(
            "A new file in a project with a tenth of the files (P13)",
            "ms",
            {"its page, cold": cold, "others wait at most": waits},
        ),
    }
    for name, picture in drawn.items():
        (pictures / f"{name}.svg").write_text(picture)


def _long_page(root: Path, files: int) -> tuple[float, float]:
    """Add a file to a long project; give the seconds for its page, and the longest wait of others."""
    fill(root / "simple" / "long", "long", files)
    with servers.pypid(root) as daemon:
        ask_all(daemon, ["long"], None)
        daemon.calm_down()
        fill(root / "simple" / "long", "long", 1, first=10**6)
        polls = Polls(daemon)
        began = time.monotonic()
        ask_all(daemon, ["long"], None)
        took = time.monotonic() - began
        return took, polls.stop()[-1]
