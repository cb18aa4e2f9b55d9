"""The same files on the shelves of pypid, nginx and the peers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from attrs import frozen
from packaging.utils import parse_wheel_filename

from benchmarks import peers, servers
from benchmarks.servers import MEGABYTE, Server
from benchmarks.static_index import configured_index, publish, real_wheels, static_index
from benchmarks.trees import NAME, add_user, fill, make_devpi_index, upload_to_devpi
from pypid.testing.builds import core_metadata, wheel
from pypid.testing.web import basic

__all__ = ["BEFORE", "FILES", "Shelf", "shelves"]

FILES = 30
"""How many files are on the page that is asked for."""
STORE = "acme-store"
"""The project of the files that are downloaded."""
LARGE, MEDIUM, METADATA = 100 * MEGABYTE, 200_000, 20_000
BEFORE = "pypid before"


@frozen
class Shelf:
    """A server with the files, and where they are on it."""

    server: Server
    page: str
    """The path of the page of :data:`FILES` files."""
    large: str
    """The path of a file of 100 MB."""
    medium: str
    """The path of a file of 200 kB."""
    metadata: str | None
    """The path of 20 kB of core metadata (PEP 658); ``None`` if it is not served."""
    uploads: tuple[str, Mapping[str, str] | None] | None
    """Where uploads are taken, and the headers that go with them; ``None`` if they are not taken."""


def shelves(
    stack: ExitStack, cache: Path, directory: Path, baseline: Path | None
) -> tuple[Mapping[str, Shelf], int]:
    """Start the servers, the yardstick first; give them, and the number of wheels for an installation.

    pypid and proxpi have the wheels of an application from nginx, the other peers have them themselves.

    :param baseline: a checkout of an older pypid that takes part.
    """
    index = configured_index()
    wheels = real_wheels(cache, index) if index is not None else []
    files = [*_own_files(directory / "files")]
    static = directory / "nginx"
    publish(static, [*files, *wheels])
    nginx = stack.enter_context(static_index(static, NAME))
    upstream = nginx.url("/simple/")

    def root(name: str) -> Path:
        for file in files:
            project = directory / name / "simple" / _name(file)
            project.mkdir(parents=True, exist_ok=True)
            os.link(file, project / file.name)
        add_user(directory / name)
        return directory / name

    def flat(name: str) -> Path:
        (directory / name).mkdir()
        for file in [*files, *wheels]:
            shutil.copyfile(file, directory / name / file.name)
        return directory / name

    known = {"nginx": _shelf(nginx, None)}
    own = servers.pypid(root("pypid"), upstream=f"proxy:{upstream}")
    known["pypid"] = _shelf(stack.enter_context(own), ("/legacy/", None))
    if baseline is not None:
        older = peers.older_pypid(cache, baseline, root("before"), upstream=f"proxy:{upstream}")
        known[BEFORE] = _shelf(stack.enter_context(older), ("/legacy/", None))
    (directory / "proxpi").mkdir()
    known["proxpi"] = _shelf(stack.enter_context(peers.proxpi(cache, directory / "proxpi", upstream)), None)
    anybody = ("--authenticate", ".", "--passwords", ".")
    pypiserver = stack.enter_context(peers.pypiserver(cache, flat("pypiserver"), *anybody))
    known["pypiserver"] = _shelf(pypiserver, ("/", {}))
    devpi = stack.enter_context(peers.devpi(cache, directory / "devpi"))
    make_devpi_index(devpi)
    upload_to_devpi(devpi, [*files, *wheels])
    known["devpi"] = _shelf(devpi, ("/root/dev/", basic("root", "")))
    return known, len(wheels)


def _own_files(directory: Path) -> Iterator[Path]:
    """Make the files of our own projects."""
    fill(directory, NAME, FILES)
    yield from sorted(directory.iterdir())
    metadata = core_metadata(STORE, "2.0")
    metadata += b"\n" + b"A line of a description.\n" * ((METADATA - len(metadata)) // 25)
    for version, size in (("1.0", LARGE), ("2.0", MEDIUM)):
        said = metadata if version == "2.0" else None
        filename, content = wheel(STORE, version, payload=os.urandom(size), metadata=said)
        (directory / filename).write_bytes(content)
        yield directory / filename


def _name(file: Path) -> str:
    return parse_wheel_filename(file.name)[0]


def _shelf(server: Server, uploads: tuple[str, Mapping[str, str] | None] | None) -> Shelf:
    """Find the files on a server, and have each sent once, so that a cache has it."""
    found = servers.links(server.port, server.path(STORE))
    [large] = (path for name, path in found.items() if "-1.0-" in name)
    [medium] = (path for name, path in found.items() if "-2.0-" in name)
    has_metadata = servers.fetch(server.port, f"{medium}.metadata")[0] == 200
    shelf = Shelf(
        server, server.path(NAME), large, medium, f"{medium}.metadata" if has_metadata else None, uploads
    )
    for path in (shelf.page, large, medium):
        status, _, body = servers.fetch(server.port, path, {"Accept": "*/*, text/html"})
        if status != 200 or (path == large and len(body) < LARGE):
            raise RuntimeError(f"{server.name}: {path}: {status}, {len(body)} bytes")
    return shelf
