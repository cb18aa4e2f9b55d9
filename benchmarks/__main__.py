"""Run the benchmarks and print Markdown tables.

The contestants are installed once, in environments of their own under ``--cache``, where the
large trees are kept too. Needed from Debian: nginx-light and wrk. A whole run takes a quarter
of an hour on a quiet machine; the larger trees take as long to grow the first time.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import peers
from benchmarks.bystanders import bystanders, memory
from benchmarks.files import hot_files
from benchmarks.growth import growth
from benchmarks.logins import logins
from benchmarks.neighbours import neighbours
from benchmarks.offloaded import offloaded_files
from benchmarks.pages import FILES, hot_pages
from benchmarks.report import contestants, report
from benchmarks.size import large_tree, long_pages
from benchmarks.soak import soak
from benchmarks.uploads import uploads
from benchmarks.upstreams import upstreams

HOT = (
    "row",
    "contestant",
    "a second",
    "spread",
    "µs of processor",
    "of nginx",
    "of the bare Resource",
    "of pypid",
)
HOT_FILES = ("row", "contestant", "a second", "spread", "µs of processor", "of nginx")
OFFLOAD = ("row", "contestant", "a second", "spread", "of nginx")
SIZE = ("row", "what", "found", "beside")
UPLOADS = ("row", "contestant", "found", "of the plain process", "spread")
BYSTANDERS = ("row", "contestant", "meanwhile", "p99", "worst", "answers")
GROWTH = ("files", "start", "one page", "at random", "memory", "a long page, cold", "others wait at most")
SOAK = ("minutes", "requests", "memory", "descriptors", "threads")
MEMORY = ("row", "contestant", "meanwhile", "peak", "idle", "answers")

LEGEND = """\
In brackets: what part it is of nginx's, the median over all rounds. ¹ As nginx takes no uploads, a process
stands in its place there that writes, syncs and links the same files one after the other, and does nothing
else. Neither pypiserver nor devpi syncs a file before it answers."""

ROWS = {
    "pages": "P1-P3",
    "files": "P4, P5, P5m",
    "offload": "P5x",
    "uploads": "P6, P7, P14, P15",
    "tree": "P11, P12",
    "long": "P13",
    "logins": "T46, T47",
    "neighbours": "P17, P18",
    "upstream": "P8-P10, P14 in part",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        help="all by default: "
        + ", ".join(f"{name} ({rows})" for name, rows in ROWS.items())
        + "; or report, the one table for a stranger, or growth, or soak, which are none of them",
    )
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "pypid-benchmarks")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant has its turn")
    parser.add_argument("--seconds", type=int, default=3, help="how long a turn takes")
    parser.add_argument("--scale", type=float, default=1, help="how large the trees are, of their full size")
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="a checkout of an older pypid, which takes part in the report",
    )
    parser.add_argument("--largest", type=int, default=100_000, help="how many files trees grow to")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        default=Path(__file__).with_name("pictures"),
        help="where the pictures of growth are written",
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long the soak takes")
    options = parser.parse_args()
    wanted = options.rows or list(ROWS)
    options.cache = options.cache.resolve()
    options.cache.mkdir(parents=True, exist_ok=True)
    _circumstances()
    # Not in /tmp, which may be memory: that what is synced has to reach a disk is the point.
    with tempfile.TemporaryDirectory(dir=options.cache) as temporary:
        directory = Path(temporary)
        if "report" in wanted:
            print(f"{peers.versions(options.cache)}.\n")
            _table(
                ["", *(f"{name} ¹" if name == "nginx" else name for name in contestants(options.baseline))],
                report(options.cache, directory, options.baseline, options.rounds, options.seconds),
            )
            print(f"\n{LEGEND}")
        if "pages" in wanted:
            print(f"\n## A page of {FILES} files, asked for again and again\n")
            _table(HOT, hot_pages(directory, options.cache, options.rounds, options.seconds))
        if "files" in wanted:
            print("\n## Files that were asked for before\n")
            _table(HOT_FILES, hot_files(options.cache, directory, options.rounds, options.seconds))
        if "offload" in wanted:
            print("\n## Files through nginx\n")
            _table(OFFLOAD, offloaded_files(directory / "offloaded", options.rounds, options.seconds))
        if "uploads" in wanted:
            print("\n## Uploads\n")
            _table(UPLOADS, uploads(directory, options.cache, options.rounds, options.scale))
            print()
            _table(BYSTANDERS, bystanders(directory, options.cache, options.scale))
            print()
            _table(MEMORY, memory(directory, options.cache, options.scale))
        if "tree" in wanted:
            print("\n## A large tree\n")
            _table(SIZE, large_tree(options.cache, directory, options.scale, options.rounds, options.seconds))
        if "long" in wanted:
            print("\n## Long pages\n")
            _table(SIZE, long_pages(options.cache, options.scale))
        if "logins" in wanted:
            print("\n## Wrong passwords\n")
            _table(SIZE, logins(directory))
        if "neighbours" in wanted:
            print("\n## Neighbours\n")
            _table(SIZE, neighbours(directory, options.rounds, options.seconds, options.scale))
        if "upstream" in wanted:
            print("\n## Behind an upstream\n")
            _table(SIZE, upstreams(options.cache, directory, options.rounds))
        if "growth" in wanted:
            print("\n## Growth\n")
            parts = (options.cache, directory, options.pictures, options.largest)
            _table(GROWTH, growth(*parts, options.rounds, options.seconds))
        if "soak" in wanted:
            print(f"\n## {options.minutes:g} minutes of all kinds of requests\n")
            _table(SOAK, soak(directory, options.minutes))
    print(f"\nLoad average at the end: {os.getloadavg()[0]:.2f}.")


def _circumstances() -> None:
    """Say what was measured on what."""
    with Path("/proc/cpuinfo").open() as file:
        processor = next(
            (line.partition(":")[2].strip() for line in file if line.startswith("model name")), "?"
        )
    print(f"{os.cpu_count()} cores of {processor}, {platform.system()} {platform.release()};")
    print(
        f"Python {platform.python_version()}, Twisted {version('Twisted')}, pypid {version('pypid-server')};"
    )
    print(f"{_said('nginx', '-v')}, {_said('wrk', '-v')}.")
    print(f"Load average at the beginning: {os.getloadavg()[0]:.2f}.")


def _said(program: str, option: str) -> str:
    """Give the first line that a program says of itself."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or program
    done = subprocess.run([path, option], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0].partition("[")[0].strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, row by row as it comes to be."""
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


main()
