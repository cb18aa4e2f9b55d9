"""Trees to serve: as many small files in as many projects as are asked for."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from pathlib import Path

import bcrypt

from benchmarks.servers import Server
from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

__all__ = ["NAME", "USER", "add_user", "fill", "grown", "make_devpi_index", "names", "upload_to_devpi"]

NAME = "acme-lib"
USER = ("ci", "secret")
"""The one user of each root."""


def add_user(root: Path) -> None:
    """Make a root in which one user may sign in, with bcrypt at its usual cost."""
    root.mkdir(parents=True, exist_ok=True)
    hashed = bcrypt.hashpw(USER[1].encode(), bcrypt.gensalt(10)).decode("ascii")
    (root / "htpasswd").write_text(f"{USER[0]}:{hashed}\n")


def names(projects: int) -> list[str]:
    """Name so many projects."""
    return [f"project-{number}" for number in range(projects)]


def fill(directory: Path, name: str, files: int, first: int = 0) -> None:
    """Put so many releases of a project in a directory, as small wheels."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + files):
        filename, content = wheel(name, f"1.{number}", requires_python=">=3.8")
        (directory / filename).write_bytes(content)


def grown(root: Path, projects: int, files: int) -> Path:
    """Give a root with so many projects of so many files, grown once and kept for the next run."""
    if not (root / "grown").exists():
        print(f"growing a tree of {projects:,} projects of {files:,} files in {root}", flush=True)
        for name in names(projects):
            fill(root / "simple" / name, name, files)
        (root / "grown").touch()
    return root


def make_devpi_index(server: Server) -> None:
    """Make the index ``root/dev``."""
    _ask(server, "PUT", "/root/dev", {"Content-Type": "application/json"}, b'{"bases": []}')


def upload_to_devpi(server: Server, files: Iterable[Path]) -> None:
    """Upload wheels to the index ``root/dev``."""
    for path in files:
        name, version, *_ = path.name.split("-")
        headers, body = upload_form(path.name, path.read_bytes(), name, version)
        _ask(server, "POST", "/root/dev/", headers, body)


def _ask(server: Server, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {**headers, **basic("root", "")})
    response = connection.getresponse()
    if response.read() and response.status != 200:
        raise RuntimeError(f"{server.name}: {method} {path}: {response.status}")
    connection.close()
