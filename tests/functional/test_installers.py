"""Installers, old and new, each install a project with its dependencies from pypid alone."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from harness.clients import client_environment, make_environment
from harness.conformance import LiveIndex, live_index
from harness.processes import run
from harness.tools import Toolbox, find_python
from harness.universal import egg, universal_sdist, universal_wheel

LONG_AGO = datetime(2020, 5, 17, tzinfo=UTC).timestamp()
WHEEL, SDIST = universal_wheel, universal_sdist
FILES = [
    # anvil needs hammer; the newest hammer is for a Python that is not there yet.
    *(WHEEL("anvil", "1.0", ["Hammer>=1"]), SDIST("anvil", "1.0", ["Hammer>=1"])),
    *(WHEEL("hammer", "1.0"), SDIST("hammer", "1.2")),
    *(WHEEL("hammer", "1.3", requires_python=">=3.99"), SDIST("hammer", "1.3", requires_python=">=3.99")),
    # The newer nail is yanked.
    *(WHEEL("nail", "1.0"), WHEEL("nail", "1.1")),
]
INSTALLED = {"anvil": "1.0", "hammer": "1.2"}
PYPROJECT = """\
[project]
name = "workshop"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["anvil", "nail"]
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with the distributions above."""
    with live_index(tmp_path_factory.mktemp("installers")) as index:
        for filename, content in FILES:
            index.publish(filename, content)
        index.yank("nail", "1.1", reason="bent")
        yield index


@pytest.fixture
def toolbox(pip_python: Path) -> Toolbox:
    """Return the tools of this machine."""
    return Toolbox(pip_python)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment without anybody's configuration, with a home of this test's own."""
    home = tmp_path / "home"
    home.mkdir()
    # Old pips stumble over the value 1 of PIP_NO_CACHE_DIR; a cache in here does no harm.
    return {**client_environment(home), "PIP_NO_CACHE_DIR": ""}


def versions(python: Path, *modules: str) -> dict[str, str]:
    """Import modules with an interpreter, and return the versions that they say they have."""
    names = ", ".join(modules)
    code = f"import json, {names}; print(json.dumps([each.VERSION for each in ({names},)]))"
    said = run([python, "-c", code], environment={"PATH": os.environ["PATH"]})
    return dict(zip(modules, json.loads(said), strict=True))


def published_hashes() -> dict[str, set[str]]:
    """Return the hashes of all files of the versions that are to be installed, as lock files write them."""
    versions = {**INSTALLED, "nail": "1.0"}
    hashes: dict[str, set[str]] = {name: set() for name in versions}
    for filename, content in FILES:
        name, version = filename.removesuffix(".tar.gz").split("-")[:2]
        if versions[name] == version:
            hashes[name].add(f"sha256:{sha256(content).hexdigest()}")
    return hashes


def locked_hashes(lock: Path) -> dict[str, set[str]]:
    """Return the hashes in a lock file of Poetry or PDM."""
    packages = tomllib.loads(lock.read_text())["package"]
    return {package["name"]: {file["hash"] for file in package["files"]} for package in packages}


@pytest.mark.parametrize("pip", ["pip", "pip==23.3.2"], ids=["newest", "23"])
def test_pip(
    index: LiveIndex, toolbox: Toolbox, environment: dict[str, str], tmp_path: Path, pip: str
) -> None:
    """The newest pip, and one of 2023, pass over what is yanked and what is for other Pythons."""
    python = make_environment(tmp_path / "fresh", "--without-pip")
    options = ("install", "--index-url", index.daemon.simple, "anvil", "nail")
    run([python, toolbox.library(pip) / "pip", *options], environment=environment)
    assert versions(python, "anvil", "hammer", "nail") == {**INSTALLED, "nail": "1.0"}


def test_pip_20_on_python_3_6(
    index: LiveIndex, toolbox: Toolbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """pip of 2020 knows yanked releases, and has no JSON yet."""
    run([find_python("3.6"), "-m", "venv", "--without-pip", tmp_path / "fresh"])
    python = tmp_path / "fresh" / "bin" / "python"
    options = ("install", "--index-url", index.daemon.simple, "anvil", "nail")
    run([python, toolbox.library("pip==20.3.4") / "pip", *options], environment=environment)
    assert versions(python, "anvil", "hammer", "nail") == {**INSTALLED, "nail": "1.0"}


@pytest.fixture
def python_2(toolbox: Toolbox, environment: dict[str, str], tmp_path: Path) -> Path:
    """Return the commands of a fresh environment of Python 2.7, with pip 9.0.1 and setuptools 28.8."""
    python = find_python("2.7")
    virtualenv = {"PYTHONPATH": str(toolbox.library("virtualenv==15.1.0"))}
    run(
        [python, "-m", "virtualenv", "--no-download", tmp_path / "fresh"],
        environment=environment | virtualenv,
    )
    return tmp_path / "fresh" / "bin"


def test_pip_9_on_python_2_7(index: LiveIndex, environment: dict[str, str], python_2: Path) -> None:
    """pip of 2016 knows `Requires-Python`, runs ``setup.py``, and knows of no yanks."""
    options = ("install", "--index-url", index.daemon.simple, "anvil", "nail")
    said = run([python_2 / "python", "-m", "pip", *options], environment=environment)
    assert versions(python_2 / "python", "anvil", "hammer", "nail") == {**INSTALLED, "nail": "1.1"}, said


def test_easy_install(index: LiveIndex, environment: dict[str, str], python_2: Path) -> None:
    """easy_install takes sdists, and an egg that lies in the tree; it knows neither wheels nor limits."""
    index.drop("rivet", *egg("rivet", "1.0", "2.7"))
    options = ("--index-url", index.daemon.simple, "hammer<1.3", "anvil", "rivet")
    run([python_2 / "easy_install", *options], environment=environment)
    assert versions(python_2 / "python", "anvil", "hammer", "rivet") == {**INSTALLED, "rivet": "1.0"}


def test_uv_excludes_newer(index: LiveIndex, environment: dict[str, str], tmp_path: Path) -> None:
    """uv, told a date, installs what there was by then; and without one the newest."""
    for name, version in (("bellows", "1.0"), ("bellows", "1.1")):
        index.drop(name, *WHEEL(name, version, ["anvil"] if version == "1.1" else []))
    old, _ = WHEEL("bellows", "1.0")
    os.utime(index.simple_directory / "bellows" / old, (LONG_AGO, LONG_AGO))
    install = [sys.executable, "-m", "uv", "pip", "install", "--default-index", index.daemon.simple]
    for options, expected in (
        (["--exclude-newer", "2020-06-01"], {"bellows": "1.0"}),
        ([], {"bellows": "1.1", **INSTALLED}),
    ):
        python = make_environment(tmp_path / f"fresh-{len(options)}", "--without-pip")
        run([*install, "--python", python, *options, "bellows"], environment=environment)
        assert versions(python, *expected) == expected


def test_poetry(index: LiveIndex, toolbox: Toolbox, environment: dict[str, str], tmp_path: Path) -> None:
    """Poetry locks, with hashes, and installs what it locked."""
    poetry = toolbox.environment("poetry==2.5.1") / "poetry"
    source = f'[[tool.poetry.source]]\nname = "ours"\nurl = "{index.daemon.simple}"\npriority = "primary"\n'
    (tmp_path / "pyproject.toml").write_text(f"{PYPROJECT}\n[tool.poetry]\npackage-mode = false\n\n{source}")
    settings = {"POETRY_VIRTUALENVS_IN_PROJECT": "true", "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "true"}
    for command in ("lock", "install"):
        run([poetry, command, "--no-interaction"], environment=environment | settings, directory=tmp_path)
    assert locked_hashes(tmp_path / "poetry.lock") == published_hashes()
    python = tmp_path / ".venv" / "bin" / "python"
    assert versions(python, "anvil", "hammer", "nail") == {**INSTALLED, "nail": "1.0"}


def test_pdm(index: LiveIndex, toolbox: Toolbox, environment: dict[str, str], tmp_path: Path) -> None:
    """PDM locks, with hashes, and installs what it locked."""
    pdm = toolbox.environment("pdm[locked]==2.29.3") / "pdm"
    source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{index.daemon.simple}"\nverify_ssl = false\n'
    (tmp_path / "pyproject.toml").write_text(f"{PYPROJECT}\n[tool.pdm]\ndistribution = false\n\n{source}")
    python = make_environment(tmp_path / ".venv", "--without-pip")
    settings = {"PDM_CHECK_UPDATE": "0", "PDM_NON_INTERACTIVE": "1", "PDM_PYTHON": str(python)}
    for command in ("lock", "sync"):
        run([pdm, command], environment=environment | settings, directory=tmp_path)
    assert locked_hashes(tmp_path / "pdm.lock") == published_hashes()
    assert versions(python, "anvil", "hammer", "nail") == {**INSTALLED, "nail": "1.0"}


def test_pipenv(index: LiveIndex, toolbox: Toolbox, environment: dict[str, str], tmp_path: Path) -> None:
    """Pipenv locks, with the hashes that the HTML pages tell, and installs what it locked."""
    pipenv = toolbox.environment("pipenv==2026.10.3") / "pipenv"
    source = f'[[source]]\nname = "ours"\nurl = "{index.daemon.simple}"\nverify_ssl = false\n'
    (tmp_path / "Pipfile").write_text(f'{source}\n[packages]\nanvil = "*"\nnail = "*"\n')
    settings = {"PIPENV_VENV_IN_PROJECT": "1", "PIPENV_NOSPIN": "1", "CI": "1"}
    for command in (["lock"], ["sync"]):
        run(
            [pipenv, "--python", sys.executable, *command],
            environment=environment | settings,
            directory=tmp_path,
        )
    locked = json.loads((tmp_path / "Pipfile.lock").read_text())["default"]
    hashes = {name: set(entry["hashes"]) for name, entry in locked.items()}
    assert hashes == published_hashes()
    python = tmp_path / ".venv" / "bin" / "python"
    assert versions(python, "anvil", "hammer", "nail") == {**INSTALLED, "nail": "1.0"}


def test_buildout(index: LiveIndex, toolbox: Toolbox, environment: dict[str, str], tmp_path: Path) -> None:
    """zc.buildout makes a part, an interpreter that has the eggs."""
    buildout = toolbox.environment("zc.buildout==6.0.1", "zc.recipe.egg==6.0.0") / "buildout"
    (tmp_path / "buildout.cfg").write_text(
        f"[buildout]\nparts = workshop\nindex = {index.daemon.simple}\n"
        "[workshop]\nrecipe = zc.recipe.egg\neggs = anvil\ninterpreter = python\n"
    )
    said = run([buildout, "-N"], environment=environment, directory=tmp_path)
    assert versions(tmp_path / "bin" / "python", "anvil", "hammer") == INSTALLED, said
