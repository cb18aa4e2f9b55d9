"""One table for a stranger: pypid beside nginx and the peers, and beside an older pypid."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.forms import Sending
from benchmarks.load import Rates, wrk
from benchmarks.loads import LOADS, Load, measured
from benchmarks.servers import MEGABYTE
from benchmarks.shelves import BEFORE, FILES, YARDSTICK, Shelf, shelves
from benchmarks.uploads import link_and_sync, small_forms
from benchmarks.upstreams import install

__all__ = ["contestants", "report"]

PIP = {
    "Accept": "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
    "Accept-Encoding": "gzip, deflate",
}
"""What pip sends when it asks for a page."""
SMALL = 1000
SLOWER = {"pypiserver": 5, "devpi": 10}
"""These get one upload in so many: they take minutes for all."""
LONG = 3
"""How many rounds there are at most of what takes long."""


def contestants(baseline: Path | None) -> Sequence[str]:
    """Give the names of the columns, the yardstick first."""
    before = [BEFORE] if baseline is not None else []
    return [YARDSTICK, "pypid", *before, "proxpi", "pypiserver", "devpi"]


def report(
    cache: Path, directory: Path, baseline: Path | None, rounds: int, seconds: int
) -> Iterator[list[str]]:
    """Measure; give the rows of the table. Contestants take turns in every row."""
    columns = contestants(baseline)
    with ExitStack() as stack:
        all_shelves = shelves(stack, cache, directory / "shelves", baseline)
        known, wheels = all_shelves.of, all_shelves.wheels
        what = f"project page of {FILES} files, as pip asks for it, a second"
        yield _row(columns, what, _pages(known, rounds, seconds))
        for load in LOADS:
            rates = measured(
                load,
                all_shelves.filenames[load],
                {name: shelf.files for name, shelf in known.items()},
                rounds,
                seconds,
            )
            yield _row(columns, *_files(load, rates))
        yield _row(
            columns,
            "uploads of 20 kB over 8 connections, a second ¹",
            _uploads(directory, known, min(rounds, LONG)),
        )
        if wheels:
            what = f"`uv pip install` of {wheels} wheels, seconds (less is better)"
            found = _installations(directory, known, min(rounds, LONG))
            yield _row(columns, what, found, digits=1)
        memory = {name: [shelf.server.memory("VmHWM") / MEGABYTE] for name, shelf in known.items()}
        yield _row(columns, "most memory meanwhile, MB (less is better)", memory, is_compared=False)


def _pages(known: Mapping[str, Shelf], rounds: int, seconds: int) -> Mapping[str, Sequence[float]]:
    def ask(name: str, turn: int) -> float:
        # The first turn only warms up.
        return wrk(known[name].server, known[name].page, PIP, seconds if turn else 1).per_second

    return _in_turns([*known], rounds, ask)


def _files(load: Load, rates: Mapping[str, Rates]) -> tuple[str, Mapping[str, Sequence[float]]]:
    """Say what was measured, and give the numbers: the answers a second, or of large files the megabytes."""
    if load.size < 10 * MEGABYTE:
        found = {name: [rate.per_second for rate in some.rounds] for name, some in rates.items()}
        return f"{load.row.partition(' ')[2]}, a second", found
    sent = {name: [rate.bytes_per_second / 10**6 for rate in some.rounds] for name, some in rates.items()}
    return f"{load.row.partition(' ')[2]}, MB a second", sent


def _uploads(directory: Path, known: Mapping[str, Shelf], rounds: int) -> Mapping[str, Sequence[float]]:
    """Have small wheels uploaded to 50 projects; the yardstick is a process that writes and syncs them."""
    forms = [
        small_forms(directory / f"wheels-{turn}", SMALL, 50, f"{turn + 1}") for turn in range(rounds + 1)
    ]

    def upload(name: str, turn: int) -> float:
        uploads = known[name].uploads
        if uploads is None:
            return SMALL / link_and_sync(forms[turn], directory / f"links-{turn}")
        some = forms[turn][:: SLOWER.get(name, 1)]
        taken, statuses = Sending(known[name].server, uploads[0], some, 8, uploads[1]).run()
        if set(statuses) != {200}:
            _say(name, f"{len(some) - statuses.count(200)} of {len(some)} uploads failed")
        return statuses.count(200) / taken

    return _in_turns(
        [name for name, shelf in known.items() if shelf.uploads or name == YARDSTICK], rounds, upload
    )


def _installations(directory: Path, known: Mapping[str, Shelf], rounds: int) -> Mapping[str, Sequence[float]]:
    return _in_turns(list(known), rounds, lambda name, _: install(known[name].server, directory))


def _in_turns(
    names: Sequence[str], rounds: int, measure: Callable[[str, int], float]
) -> Mapping[str, Sequence[float]]:
    """Measure contestants in turns, after one turn to warm up. A peer that fails is left out."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in [*found]:
            try:
                number = measure(name, turn)
            except (RuntimeError, subprocess.SubprocessError) as error:
                if name in (YARDSTICK, "pypid"):
                    raise
                _say(name, str(error))
                del found[name]
            else:
                found[name] += [number] if turn else []
    return found


def _say(name: str, what: str) -> None:
    print(f"{name}: {what}", file=sys.stderr, flush=True)


def _row(
    columns: Sequence[str],
    what: str,
    found: Mapping[str, Sequence[float]],
    *,
    digits: int = 0,
    is_compared: bool = True,
) -> list[str]:
    """Give a row of the table: each median, and what part it is of the yardstick's of the same round."""
    cells = []
    for name in columns:
        if name not in found:
            cells.append("")
            continue
        cell = f"{median(found[name]):,.{digits}f}"
        if is_compared and name != YARDSTICK:
            ratios = [one / other for one, other in zip(found[name], found[YARDSTICK], strict=True)]
            cell += f" ({median(ratios):.2g})"
        cells.append(f"**{cell}**" if name == "pypid" else cell)
    return [what, *cells]
