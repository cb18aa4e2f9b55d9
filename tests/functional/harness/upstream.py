"""Other indexes: a small one that remembers its requests, and the real one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from harness.clients import TRUST
from harness.processes import run

SAMPLE = "six"
"""A project that PyPI and all its mirrors have: one small wheel without dependencies."""


@define
class FakeIndex:
    """An index of static files on a loopback port, like that of a web server."""

    directory: Path
    """What it serves; ``simple/<project>/`` holds a project's archives."""
    port: int
    """The TCP port it listens on."""
    requests: list[str] = field(factory=list)
    """The requested paths, in the order of the requests."""

    @property
    def simple(self) -> str:
        """The URL of its index for installers."""
        return f"http://127.0.0.1:{self.port}/simple/"

    def add(self, project: str, make: Callable[..., Path], version: str) -> Path:
        """Build an archive of ``project`` and offer it."""
        directory = self.directory / "simple" / project
        directory.mkdir(parents=True, exist_ok=True)
        archive = make(directory, project, version)
        links = (f'<a href="{path.name}">{path.name}</a>' for path in directory.glob("*-*"))
        (directory / "index.html").write_text("<!DOCTYPE html>\n" + "\n".join(links))
        return archive


class _Handler(SimpleHTTPRequestHandler):
    """Serves files and records the paths."""

    def __init__(self, requests: list[str], *args: Any, **kwargs: Any) -> None:
        self._requests = requests
        super().__init__(*args, **kwargs)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Record the path instead of printing it."""
        self._requests.append(self.path)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def fake_index(directory: Path) -> Iterator[FakeIndex]:
    """Serve ``directory`` as an index."""
    requests: list[str] = []
    handler = partial(_Handler, requests, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield FakeIndex(directory, server.server_address[1], requests)
        finally:
            server.shutdown()
            thread.join()


@define
class RealIndex:
    """The index for which this machine's pip is configured."""

    url: str
    """Its URL for installers."""
    environment: Mapping[str, str]
    """The variables that a client needs beside it, such as the certificates to trust."""


def find_real_index(pip_python: Path, directory: Path) -> RealIndex:
    """Return the index that pip is configured for here, or its default; skip if it does not answer."""
    from pypid.daemon.config import DEFAULT_UPSTREAM_URL

    pip: list[str | Path] = [pip_python, "-m", "pip"]

    def configured(option: str) -> str:
        variable = os.environ.get(f"PIP_{option.upper().replace('-', '_')}", "")
        if variable:
            return variable
        listed = run([*pip, "config", "list"]).splitlines()
        settings = dict(line.split("=", 1) for line in listed if "=" in line)
        return settings.get(f"global.{option}", "").strip("'\"")

    url = configured("index-url")
    certificates = configured("cert")
    options = ["--index-url", url] if url else []
    options += ["--cert", certificates] if certificates else []
    try:
        run(
            [*pip, "--isolated", "download", "--no-deps", "--no-cache-dir", *options, SAMPLE],
            directory=directory,
        )
    except pytest.fail.Exception as failure:
        pytest.skip(f"no index can be reached from here; configure pip's index-url: {failure}")
    trust = {name: os.environ[name] for name in TRUST if name in os.environ}
    return RealIndex(
        url or DEFAULT_UPSTREAM_URL, {**trust, "PIP_CERT": certificates} if certificates else trust
    )
