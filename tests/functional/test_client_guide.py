"""The installation instructions in the guide for users work as they are written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.clients import client_environment, make_environment
from harness.conformance import LiveIndex, live_index
from harness.guide import GUIDE, USER, blocks, write_files
from harness.processes import run
from harness.tools import Toolbox, find_python
from harness.universal import universal_sdist, universal_wheel
from harness.uploaders import CLIENTS

WORKSHOP = """\
[project]
name = "workshop"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["sample"]
"""
TELL = "import sample; print(sample.VERSION)"

Follow = Callable[..., str]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with the sample that the guide installs, of a version that is nowhere else."""
    with live_index(tmp_path_factory.mktemp("guide"), users=[USER]) as index:
        index.publish(*universal_wheel("sample", "99.1"))
        index.publish(*universal_sdist("sample", "99.1"))
        yield index


@pytest.fixture
def follow(index: LiveIndex, tmp_path: Path) -> Follow:
    """Return a function that installs as a section tells, and then asks an interpreter for the version."""

    def follow(section: str, path: Path, python: Path, pyproject: str = "", **variables: str) -> str:
        home, project = tmp_path / "home", tmp_path / "project"
        home.mkdir()
        project.mkdir()
        if pyproject:
            (project / "pyproject.toml").write_text(pyproject)
        found = blocks(section, index.daemon.url)
        write_files(found, home, project)
        environment = client_environment(home) | variables | {"PATH": f"{path}:{os.environ['PATH']}"}
        for name in ("PIP_CONFIG_FILE", "UV_NO_CONFIG"):
            del environment[name]
        run(["bash", "-euc", found["install"]], environment=environment, directory=project)
        return run([python, "-c", TELL], directory=home).strip()

    return follow


def test_pip(follow: Follow, tmp_path: Path, pip_python: Path) -> None:
    """With the address in the user's file."""
    python = make_environment(tmp_path / "fresh", "--without-pip")
    assert follow("pip", pip_python.parent, python, PIP_PYTHON=str(python)) == "99.1"


@pytest.mark.parametrize("way", ["url", "netrc"])
def test_pip_signs_in(tmp_path: Path, pip_python: Path, way: str) -> None:
    """With the password in the address, or in ``~/.netrc``."""
    home = tmp_path / "home"
    home.mkdir()
    with live_index(tmp_path, "--access", "private", users=[USER]) as index:
        index.publish(*universal_wheel("sample", "99.1"))
        url = index.daemon.simple
        if way == "url":
            url = url.replace("://", f"://{':'.join(USER)}@")
        else:
            (home / "netrc").write_text(f"machine 127.0.0.1 login {USER[0]} password {USER[1]}\n")
        command = [pip_python, "-m", "pip", "download", "--index-url", url, "--dest", home / "got", "sample"]
        run(command, environment=client_environment(home))
    assert [path.name for path in (home / "got").iterdir()] == [universal_wheel("sample", "99.1")[0]]


def test_uv(follow: Follow, tmp_path: Path) -> None:
    """With the address in the project."""
    python = tmp_path / "project" / ".venv" / "bin" / "python"
    path = Path(sys.executable).parent
    assert follow("uv", path, python, WORKSHOP, UV_PYTHON=sys.executable) == "99.1"
    assert "/simple" in (tmp_path / "project" / "uv.lock").read_text()


def test_poetry(follow: Follow, tmp_path: Path, pip_python: Path) -> None:
    """With the address in the project."""
    path = Toolbox(pip_python).environment("poetry==2.5.1")
    python = tmp_path / "project" / ".venv" / "bin" / "python"
    pyproject = f"{WORKSHOP}\n[tool.poetry]\npackage-mode = false\n"
    settings = {"POETRY_VIRTUALENVS_IN_PROJECT": "true", "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "true"}
    assert follow("Poetry", path, python, pyproject, **settings) == "99.1"


def test_pdm(follow: Follow, tmp_path: Path, pip_python: Path) -> None:
    """With the address in the project."""
    path = Toolbox(pip_python).environment("pdm[locked]==2.29.3", "pdm-backend==2.4.5")
    python = make_environment(tmp_path / "fresh", "--without-pip")
    pyproject = f"{WORKSHOP}\n[tool.pdm]\ndistribution = false\n"
    assert follow("PDM", path, python, pyproject, PDM_CHECK_UPDATE="0", PDM_PYTHON=str(python)) == "99.1"


def test_easy_install(follow: Follow, tmp_path: Path, pip_python: Path) -> None:
    """With the address in the user's file for distutils."""
    library = Toolbox(pip_python).library("virtualenv==15.1.0")
    make = [find_python("2.7"), "-m", "virtualenv", "--no-download", tmp_path / "fresh"]
    run(make, environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(library)})
    path = tmp_path / "fresh" / "bin"
    assert follow("setuptools", path, path / "python") == "99.1"


def test_each_line_is_run_by_a_test() -> None:
    """Every block has a name by which a test here, or one of uploads, runs it."""
    text = GUIDE.read_text()
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(
        re.findall(r"^```\w+ \S+$", text, re.MULTILINE)
    )
    sections = {client.section for client in CLIENTS.values()} | {"pip"}
    assert set(re.findall(r"^## (.*)$", text, re.MULTILINE)) == sections
    purposes = {(section, name) for section in sections for name in blocks(section, "") if "." not in name}
    uploads = {(client.section, client.block) for client in CLIENTS.values()}
    checks = {("uv", "upload"), ("uv", "upload-checked")}
    installs = {(section, "install") for section in ("pip", "uv", "Poetry", "PDM", "setuptools")}
    assert purposes == uploads | checks | installs
