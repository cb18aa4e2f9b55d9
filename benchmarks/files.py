"""P4, P5 and P5m: files and core metadata that were asked for before."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.load import Rates
from benchmarks.loads import LOADS, Contestant, Load, measured
from benchmarks.servers import Server
from benchmarks.shelves import shelves
from benchmarks.trees import NAME

__all__ = ["hot_files"]


def hot_files(cache: Path, directory: Path, rounds: int, seconds: int) -> Iterator[list[str]]:
    """Measure pypid beside nginx, ``twisted.web.static.File`` and the peers; give the rows of the table."""
    with ExitStack() as stack:
        all_shelves = shelves(stack, cache, directory / "shelves")
        contestants = {name: shelf.files for name, shelf in all_shelves.of.items()}
        static = stack.enter_context(_static_file(all_shelves.static))
        contestants["static.File"] = Contestant(static, contestants["nginx"].paths)
        for load in LOADS:
            rates = measured(load, all_shelves.filenames[load], contestants, rounds, seconds)
            yield from _rows(load, rates)


def _static_file(root: Path) -> Server:
    """Serve a tree with ``twisted.web.static.File``, with its access log in a file."""
    command: Sequence[str | Path] = [
        *(Path(sys.executable).with_name("twistd"), "-n", "--pidfile=", "--logfile", root / "static.log"),
        *("web", "--listen", "tcp:{port}:interface=127.0.0.1", "--path", root),
    ]
    return Server("static.File", command, ready=f"/simple/{NAME}/index")


def _rows(load: Load, found: Mapping[str, Rates]) -> Iterator[list[str]]:
    """Set rates beside those of nginx, round by round."""
    for name, rates in found.items():
        ratio = median(
            one.per_second / other.per_second
            for one, other in zip(rates.rounds, found["nginx"].rounds, strict=True)
        )
        amount = f"{rates.per_second:,.1f}" if rates.per_second < 1000 else f"{rates.per_second:,.0f}"
        yield [
            *(load.row, name, amount, f"± {rates.spread / 2:.0%}"),
            *(f"{rates.processor:,.0f}", f"{ratio:.3g}"),
        ]
