"""Clients that build and upload a small project, each in a home of its own, as ``docs/clients.md`` tells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from attrs import define, field, frozen
from harness.archives import make_sdist, make_wheel
from harness.clients import client_environment
from harness.guide import USER, blocks, write_files
from harness.processes import PATIENCE, require_tool
from harness.tools import Toolbox, find_python

PROJECT = """\
[project]
name = "sample"
version = "1.0"
description = "ein Muster für ✓"
readme = "README.md"
requires-python = ">=3.8"
authors = [{ name = "Jürgen", email = "ci@example.org" }]
dependencies = ["hammer>=1; python_version < '3.9'"]
classifiers = ["Private :: Do Not Upload"]

[project.urls]
Homepage = "https://example.org/"

"""
SETUP = """\
import os
from setuptools import setup
from setuptools.command.sdist import sdist

class OnlyOnce(sdist):
    # The same build is uploaded twice, since the bytes of an sdist change from second to second.
    def run(self):
        if os.path.exists("dist/sample-1.0.tar.gz"):
            self.distribution.dist_files.append(("sdist", "", "dist/sample-1.0.tar.gz"))
        else:
            sdist.run(self)

setup(name="sample", version="1.0", packages=["sample"], description="a sample", author="J",
      author_email="ci@example.org", url="https://example.org/", long_description="one\\ntwo\\n",
      platforms=["any"], classifiers=["Private :: Do Not Upload"], cmdclass={"sdist": OnlyOnce})
"""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Make = Callable[[Path, str], None]
Tool = Callable[[Toolbox], Path]


def archives(project: Path, text: str) -> None:
    """Write a wheel and an sdist, for clients that build nothing."""
    (project / "dist").mkdir(exist_ok=True)
    make_wheel(project / "dist", "sample", "1.0", payload=text.encode())
    make_sdist(project / "dist", "sample", "1.0", payload=text.encode())


def sources(build_curl: str) -> Make:
    """Return a function that writes the sources of a project with that build system."""

    def write(project: Path, text: str) -> None:
        _module(project, text)
        (project / "README.md").write_text("# Sample\n")
        if not (project / "pyproject.toml").exists():
            (project / "pyproject.toml").write_text(PROJECT + build_curl)

    return write


def build_curl(backend: str, *requires: str) -> str:
    """Write the table of that name."""
    return f'[build-system]\nrequires = {list(requires)}\nbuild-backend = "{backend}"\n'


def setup_py(project: Path, text: str) -> None:
    """Write the sources of a project with a ``setup.py``, and remove earlier builds."""
    _module(project, text)
    (project / "setup.py").write_text(SETUP)
    (project / "dist" / "sample-1.0.tar.gz").unlink(missing_ok=True)


def _module(project: Path, text: str) -> None:
    (project / "sample").mkdir(exist_ok=True)
    (project / "sample" / "__init__.py").write_text(f'"""A sample: {text}."""\n\nVERSION = "1.0"\n')


@frozen
class UploadClient:
    """A client and its peculiarities."""

    section: str
    """Its section of the guide."""
    tool: Tool
    """Returns the directory of its commands."""
    make: Make = archives
    """Writes the project, or its archives."""
    build: str = ""
    """The command that builds them, if uploading does not."""
    block: str = "upload"
    """Which block of the section uploads."""
    files_of: str = ""
    """Another section that tells of its configuration."""
    refused: tuple[int, str] = (1, "already exists")
    """The status with which it ends if other bytes are refused, and what it says."""
    wrong: tuple[int, str] = (1, "the user name or password is wrong")
    """The status with which it ends if the password is wrong, and what it says."""
    skips: bool = False
    """Whether it has ``--skip-existing``."""
    files: dict[str, str] = field(factory=dict, hash=False)
    """What else it finds, at home or in the project."""


@define
class Workplace:
    """One client's project and home, before an index."""

    client: UploadClient
    url: str
    """The index, with a slash at the end."""
    directory: Path
    toolbox: Toolbox
    environment: dict[str, str] = field(init=False)

    @environment.default
    def _environment(self) -> dict[str, str]:
        self.home.mkdir()
        clean = client_environment(self.home)
        path = f"{self.client.tool(self.toolbox)}:{os.environ['PATH']}"
        return {**clean, "PATH": path, "PDM_CHECK_UPDATE": "0"}

    @property
    def home(self) -> Path:
        """The client's home directory."""
        return self.directory / "home"

    @property
    def project(self) -> Path:
        """The directory of the project."""
        return self.directory / "project"

    def build(self, text: str) -> None:
        """Build the project; another ``text`` makes other bytes."""
        is_new = not self.project.exists()
        self.project.mkdir(exist_ok=True)
        self.client.make(self.project, text)
        if is_new:
            write_files(self.client.files, self.home, self.project)
            self.configure(USER[1])
        if self.client.build:
            status, said = self.run(self.client.build)
            assert status == 0, said

    def configure(self, password: str) -> None:
        """Write the configuration files of the guide."""
        for section in (self.client.files_of, self.client.section):
            if section:
                found = blocks(section, self.url)
                files = {name: text.replace(USER[1], password) for name, text in found.items()}
                write_files(files, self.home, self.project)

    def upload(self, *options: str, password: str = USER[1]) -> tuple[int, str]:
        """Upload the build as in the guide; return the status and the output, unwrapped."""
        self.configure(password)
        command = blocks(self.client.section, self.url)[self.client.block].replace(USER[1], password)
        return self.run(" ".join([command.rstrip(), *options]))

    def run(self, command: str) -> tuple[int, str]:
        """Run shell commands in the project; return the status and the output, unwrapped."""
        done = subprocess.run(
            ["bash", "-euc", command],
            env=self.environment,
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        return done.returncode, " ".join(_ESCAPES.sub("", done.stdout).split())


def _here(_: Toolbox) -> Path:
    return Path(sys.executable).parent


def _curl(_: Toolbox) -> Path:
    return Path(require_tool("curl", "apt-get install curl")).parent


def _python(version: str) -> Tool:
    return lambda toolbox: find_python(version).parent


CLIENTS = {
    "twine": UploadClient("twine", _here),
    "twine-variables": UploadClient("twine", _here, block="upload-by-variables"),
    "twine-3": UploadClient("twine", lambda box: box.environment("twine==3.8.0", "packaging"), skips=True),
    "uv": UploadClient(
        "uv",
        _here,
        sources(build_curl("uv_build", "uv_build") + '[tool.uv.build-backend]\nmodule-root = ""\n'),
        build="uv build --offline --quiet",
        block="upload-all",
        refused=(2, "already exists"),
        wrong=(2, "the user name or password is wrong"),
    ),
    "poetry": UploadClient(
        "Poetry",
        lambda box: box.environment("poetry==2.5.1"),
        sources(build_curl("poetry.core.masonry.api", "poetry-core")),
        build="poetry build --quiet",
        skips=True,
    ),
    "pdm": UploadClient(
        "PDM",
        lambda box: box.environment("pdm[locked]==2.29.3", "pdm-backend==2.4.5"),
        sources(build_curl("pdm.backend", "pdm-backend")),
        build="PDM_PYTHON=$(command -v python) pdm build --quiet --no-isolation",
        refused=(1, "409 Conflict"),
        wrong=(1, "401 Unauthorized"),
        skips=True,
    ),
    "hatch": UploadClient(
        "Hatch",
        lambda box: box.environment("hatch==1.18.2"),
        sources(build_curl("hatchling.build", "hatchling")),
        build="hatchling build",
        refused=(0, "already exists"),
    ),
    "flit": UploadClient(
        "Flit",
        lambda box: box.environment("flit==4.2.0"),
        sources(build_curl("flit_core.buildapi", "flit_core >=3.11,<5")),
        files_of="twine",
        # Otherwise it asks PyPI for the list of classifiers.
        files={"~/.cache/flit/classifiers.lst": ""},
    ),
    "setuptools-2.7": UploadClient("setuptools", _python("2.7"), setup_py, files_of="twine"),
    "setuptools-3.6": UploadClient("setuptools", _python("3.6"), setup_py, files_of="twine"),
    "maturin": UploadClient("maturin", lambda box: box.environment("maturin==1.16.0"), skips=True),
    "curl": UploadClient("curl", _curl, refused=(22, "already exists"), wrong=(22, "password is wrong")),
}
"""The clients that upload, by the name of their tests."""
