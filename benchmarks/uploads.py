"""P6 and P7: how fast uploads are, beside the least that must be done with the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import monotonic

from benchmarks import peers, servers
from benchmarks.forms import Form, Sending, digests, form, large_wheel
from benchmarks.servers import MEGABYTE, Server
from benchmarks.trees import add_user, make_devpi_index
from pypid.testing.builds import wheel
from pypid.testing.web import basic

__all__ = ["Contestant", "contestants", "link_and_sync", "small_forms", "uploads"]

LARGE = 200
SMALL = 1000
SMALL_SIZE = 20_000
CONNECTIONS = 8
SLOWER = 20
"""devpi gets one in so many: it takes minutes for all."""

Contestant = tuple[Server, str, Mapping[str, str] | None]
"""A server, where it takes uploads, and the credentials for that."""


def contestants(stack: ExitStack, directory: Path, cache: Path) -> dict[str, Contestant]:
    """Start the three that take uploads, each with nothing in it."""
    add_user(directory / "pypid")
    (directory / "pypiserver").mkdir()
    pypid = stack.enter_context(servers.pypid(directory / "pypid"))
    pypiserver = stack.enter_context(
        peers.pypiserver(cache, directory / "pypiserver", "--authenticate", ".", "--passwords", ".")
    )
    devpi = stack.enter_context(peers.devpi(cache, directory / "devpi"))
    make_devpi_index(devpi)
    return {
        "pypid": (pypid, "/legacy/", None),
        "pypiserver": (pypiserver, "/", {}),
        "devpi": (devpi, "/root/dev/", basic("root", "")),
    }


def uploads(directory: Path, cache: Path, rounds: int, scale: float) -> Iterator[list[str]]:
    """Measure them; give the rows of the table."""
    with ExitStack() as stack:
        taking = contestants(stack, directory / "large", cache)
        yield from _rows(*_large(directory, taking, rounds, scale))
    for projects in (SMALL, 50):
        with ExitStack() as stack:
            taking = contestants(stack, directory / f"small-{projects}", cache)
            yield from _rows(*_small(directory, taking, rounds, scale, projects))


def _large(
    directory: Path, taking: Mapping[str, Contestant], rounds: int, scale: float
) -> tuple[str, Mapping[str, list[float]], float]:
    """P6: one client, one file."""
    megabytes = int(LARGE * scale)
    file = large_wheel(directory, megabytes)
    found: dict[str, list[float]] = {"plain": []} | {name: [] for name in taking}
    for build in range(rounds + 1):
        one = form(file, "large", "1.0", f"large-1.0-{build}-py3-none-any.whl")
        found["plain"].append(_hash_and_sync(one, directory / "copy"))
        for name, contestant in taking.items():
            found[name].append(_send([one], contestant, 1))
    return f"P6 {megabytes} MB, one client", found, 1.0


def _small(
    directory: Path, taking: Mapping[str, Contestant], rounds: int, scale: float, projects: int
) -> tuple[str, Mapping[str, list[float]], float]:
    """P7: a thousand small files from several clients at once."""
    found: dict[str, list[float]] = {"plain": []} | {name: [] for name in taking}
    count = int(SMALL * scale)
    for number in range(rounds + 1):
        named = f"small-{number}-{{}}" if projects == SMALL else "small-{}"
        wheels = directory / f"wheels-{projects}-{number}"
        forms = small_forms(wheels, count, projects, f"{number + 1}", named)
        found["plain"].append(link_and_sync(forms, directory / f"links-{projects}-{number}"))
        for name, contestant in taking.items():
            some = forms[:: SLOWER if name == "devpi" else 1]
            found[name].append(_send(some, contestant, CONNECTIONS) * count / len(some))
    spread = "each of a new project" if projects == SMALL else f"of {projects} projects"
    return f"P7 {count} wheels of {SMALL_SIZE // 1000} kB, {spread}", found, count


def small_forms(
    directory: Path, count: int, projects: int, major: str, named: str = "small-{}"
) -> Sequence[Form]:
    """Make so many wheels, spread over projects; give the form of each."""
    directory.mkdir()
    forms = []
    for number in range(count):
        name, version = named.format(number % projects), f"{major}.{number}"
        filename, content = wheel(name, version, payload=number.to_bytes(4, "big") * (SMALL_SIZE // 4))
        (directory / filename).write_bytes(content)
        forms.append(form(directory / filename, name, version))
    return forms


def _send(forms: Sequence[Form], contestant: Contestant, connections: int) -> float:
    """Have forms sent and give the seconds that it took."""
    server, path, credentials = contestant
    seconds, statuses = Sending(server, path, forms, connections, credentials).run()
    if set(statuses) != {200}:
        raise RuntimeError(f"{server.name}: {sorted(set(statuses))}")
    return seconds


def _hash_and_sync(one: Form, copy: Path) -> float:
    """Hash, write and sync the bytes of a file with nothing around it; give the seconds."""
    found = digests().values()
    started = monotonic()
    with one.file.open("rb") as source, copy.open("wb") as target:
        while block := source.read(MEGABYTE):
            for digest in found:
                digest.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    taken = monotonic() - started
    copy.unlink()
    return taken


def link_and_sync(forms: Sequence[Form], directory: Path) -> float:
    """Write, sync and link files with nothing around it, one after the other; give the seconds."""
    directory.mkdir()
    contents = [(one.file.name, one.file.read_bytes()) for one in forms]
    opened = os.open(directory, os.O_RDONLY)
    started = monotonic()
    for name, content in contents:
        with (directory / "staged").open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        (directory / name).hardlink_to(directory / "staged")
        (directory / "staged").unlink()
        os.fsync(opened)
    taken = monotonic() - started
    os.close(opened)
    return taken


def _rows(what: str, found: Mapping[str, Sequence[float]], count: float) -> Iterator[list[str]]:
    """Set what was found beside the plain process; the first round only warms up."""
    ratios = {
        name: [one / other for one, other in zip(found["plain"], times, strict=True)][1:]
        for name, times in found.items()
    }
    for name, times in found.items():
        taken = median(times[1:])
        rate = f"{taken:.2f} s" if count == 1 else f"{count / taken:,.0f}/s"
        yield [
            what,
            name,
            rate,
            f"{median(ratios[name]):.2g}",
            f"{min(ratios[name]):.2g} to {max(ratios[name]):.2g}",
        ]
