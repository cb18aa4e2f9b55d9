"""The files and core metadata that are asked for again and again, and the measuring of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from benchmarks import servers
from benchmarks.load import Rate, Rates, wrk
from benchmarks.servers import Server
from benchmarks.trees import NAME
from pypid.testing.builds import core_metadata, wheel

__all__ = ["LOADS", "Contestant", "Load", "measured", "put_files"]


@frozen
class Load:
    """What is asked for, and by how many clients at a time."""

    row: str
    """The row of the table."""
    size: int
    """About so many bytes are in each answer."""
    clients: int
    """The number of connections, which are kept."""
    of_metadata: bool = False
    """Whether the core metadata are asked for, and not the file itself."""

    @property
    def version(self) -> str:
        """The version of the file that is asked for; there is one of each size."""
        return f"1.{self.size}"


LOADS = (
    Load("P4 100 MB, one client", 100_000_000, 1),
    Load("P4 100 MB, 8 clients", 100_000_000, 8),
    Load("P5 200 kB, 16 clients", 200_000, 16),
    Load("P5m 20 kB of core metadata, 16 clients", 20_000, 16, of_metadata=True),
)


@frozen
class Contestant:
    """A server, and where it has the files."""

    server: Server
    paths: Mapping[str, str]
    """The path of each file by its name; that of its core metadata has ``.metadata`` behind it."""
    headers: Mapping[str, str] = {}
    """The headers that are sent with each request."""


def put_files(directory: Path, project: str = NAME) -> Mapping[Load, str]:
    """Put a wheel for each load in a directory, its core metadata beside it, and give their names.

    An ``index`` is put there too, which nginx gives as the page of the directory.
    """
    directory.mkdir(parents=True)
    filenames = {}
    for load in LOADS:
        text = core_metadata(project, load.version)
        if load.of_metadata:
            text += b"\n" + b"It does what it says.\n" * (load.size // 22)
        filename, content = wheel(
            project, load.version, metadata=text, payload=b"" if load.of_metadata else bytes(load.size)
        )
        (directory / filename).write_bytes(content)
        (directory / f"{filename}.metadata").write_bytes(text)
        filenames[load] = filename
    (directory / "index").write_text("ready")
    return filenames


def measured(
    load: Load, filename: str, contestants: Mapping[str, Contestant], rounds: int, seconds: int
) -> Mapping[str, Rates]:
    """Put a load on contestants in turns, and give their rates.

    Each one's answer is looked at first: its length must be that of nginx's. Who does not serve core
    metadata is left out.
    """
    suffix = ".metadata" if load.of_metadata else ""
    lengths = {}
    for name, one in contestants.items():
        status, _, body = servers.fetch(one.server.port, one.paths[filename] + suffix, one.headers)
        if status == 404 and load.of_metadata:
            continue
        assert status == 200, (name, status)
        lengths[name] = len(body)
    assert len(set(lengths.values())) == 1, lengths
    found: dict[str, list[Rate]] = {name: [] for name in lengths}
    for number in range(rounds + 1):
        for name in found:
            one = contestants[name]
            path = one.paths[filename] + suffix
            rate = wrk(one.server, path, one.headers, seconds if number else 1, connections=load.clients)
            if number:  # the first round is for warming up
                found[name].append(rate)
    return {name: Rates(rates) for name, rates in found.items()}
