"""The same files on the shelves of pypid, nginx and the peers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import frozen
from packaging.utils import parse_wheel_filename

from benchmarks import peers, servers
from benchmarks.loads import Contestant, Load, put_files
from benchmarks.servers import Server
from benchmarks.static_index import configured_index, publish, real_wheels, static_index
from benchmarks.trees import NAME, add_user, fill, make_devpi_index, upload_to_devpi
from pypid.testing.web import basic

__all__ = ["BEFORE", "FILES", "YARDSTICK", "Shelf", "Shelves", "shelves"]

FILES = 30
"""How many files are on the page that is asked for."""
STORE = "acme-store"
"""The project of the files that are downloaded."""
YARDSTICK = "nginx"
BEFORE = "pypid before"


@frozen
class Shelf:
    """A server with the files."""

    server: Server
    page: str
    """The path of the page of :data:`FILES` files."""
    files: Contestant
    """Where the files of the loads are."""
    uploads: tuple[str, Mapping[str, str] | None] | None
    """Where uploads are taken, and the headers that go with them; ``None`` if they are not taken."""


@frozen
class Shelves:
    """All of them."""

    of: Mapping[str, Shelf]
    """Each by its name in the tables, the yardstick first."""
    filenames: Mapping[Load, str]
    """The file of each load."""
    wheels: int
    """How many wheels there are for an installation; 0 if they cannot be had."""
    static: Path
    """The directory that the yardstick serves."""


def shelves(stack: ExitStack, cache: Path, directory: Path, baseline: Path | None = None) -> Shelves:
    """Start the servers.

    pypid and proxpi get the wheels for an installation from nginx; the other peers have them themselves.

    :param baseline: a checkout of an older pypid that takes part.
    """
    index = configured_index()
    wheels = real_wheels(cache, index) if index is not None else []
    fill(directory / "files", NAME, FILES)
    filenames = put_files(directory / "store", STORE)
    files = [*sorted((directory / "files").iterdir()), *sorted((directory / "store").glob("*.whl"))]
    static = directory / "nginx"
    publish(static, [*files, *wheels])
    nginx = stack.enter_context(static_index(static, NAME))
    upstream = nginx.url("/simple/")

    def flat(name: str) -> Path:
        (directory / name).mkdir()
        for file in [*files, *wheels]:
            shutil.copyfile(file, directory / name / file.name)
        return directory / name

    found = {YARDSTICK: _shelf(nginx, None)}
    pypid = servers.pypid(_root(directory / "pypid", files), upstream=f"proxy:{upstream}")
    found["pypid"] = _shelf(stack.enter_context(pypid), ("/legacy/", None))
    if baseline is not None:
        root = _root(directory / "before", files)
        older = peers.older_pypid(cache, baseline, root, upstream=f"proxy:{upstream}")
        found[BEFORE] = _shelf(stack.enter_context(older), ("/legacy/", None))
    (directory / "proxpi").mkdir()
    found["proxpi"] = _shelf(stack.enter_context(peers.proxpi(cache, directory / "proxpi", upstream)), None)
    anybody = ("--authenticate", ".", "--passwords", ".")
    pypiserver = stack.enter_context(peers.pypiserver(cache, flat("pypiserver"), *anybody))
    found["pypiserver"] = _shelf(pypiserver, ("/", {}))
    devpi = stack.enter_context(peers.devpi(cache, directory / "devpi"))
    make_devpi_index(devpi)
    upload_to_devpi(devpi, [*files, *wheels])
    found["devpi"] = _shelf(devpi, ("/root/dev/", basic("root", "")))
    return Shelves(found, filenames, len(wheels), static)


def _root(directory: Path, files: Sequence[Path]) -> Path:
    """Make a root with one user and our own files."""
    for file in files:
        project = directory / "simple" / parse_wheel_filename(file.name)[0]
        project.mkdir(parents=True, exist_ok=True)
        os.link(file, project / file.name)
    add_user(directory)
    return directory


def _shelf(server: Server, uploads: tuple[str, Mapping[str, str] | None] | None) -> Shelf:
    """Find the files on a server, and have each sent once, so that a cache has it."""
    page = server.path(NAME)
    paths = servers.links(server.port, server.path(STORE))
    for path in (page, *paths.values()):
        status = servers.fetch(server.port, path, {"Accept": "*/*, text/html"})[0]
        if status != 200:
            raise RuntimeError(f"{server.name}: {path}: {status}")
    return Shelf(server, page, Contestant(server, paths), uploads)
