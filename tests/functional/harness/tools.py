"""Installers of other people, each in an environment of its own, which is made once on a machine.

They come from the index that this machine's pip is configured for.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from harness.clients import make_environment
from harness.processes import run

NOT_IN_DEBIAN = "no Debian package has it"
"""Part of the reason of a skip for a program that not even a CI machine can be asked to have."""


def find_python(version: str) -> Path:
    """Return an interpreter of a version such as 2.7, from pyenv or the path; otherwise skip the test."""
    for candidate in _pythons(version):
        tell = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            said = run([candidate, "-c", tell], status=0)
        except (OSError, pytest.fail.Exception):
            continue
        if said.strip() == version:
            return candidate
    pytest.skip(f"needs Python {version}, and {NOT_IN_DEBIAN}; with pyenv: pyenv install {version}")


def _pythons(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"))
    if found := shutil.which(f"python{version}"):
        yield Path(found)


@frozen
class Toolbox:
    """The directory in which the tools are kept from one test run to the next."""

    pip_python: Path
    """An interpreter with pip, which fetches them."""

    @property
    def directory(self) -> Path:
        """Their directory, in the user's cache directory."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "pypid-tests" / f"python-{sys.version_info.major}.{sys.version_info.minor}"

    def environment(self, *requirements: str) -> Path:
        """Return the commands' directory of an environment with these requirements."""

        def make(directory: Path) -> None:
            python = make_environment(directory, "--without-pip")
            self._pip("--python", python, "install", *requirements)

        return self._made("-".join(requirements), make) / "bin"

    def library(self, requirement: str) -> Path:
        """Return a directory with one distribution, for another Python to run or to import from."""
        return self._made(
            f"{requirement}-library",
            lambda directory: self._pip("install", "--no-deps", "--target", directory, requirement),
        )

    def _pip(self, *arguments: str | Path) -> None:
        try:
            run([self.pip_python, "-m", "pip", *arguments])
        except pytest.fail.Exception as failure:
            pytest.skip(f"pip cannot get it from the index that it is configured for: {failure}")

    def _made(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return a directory. The first process to ask makes it, while others wait."""
        directory = self.directory / re.sub(r"[^A-Za-z0-9.]+", "-", name)
        self.directory.mkdir(parents=True, exist_ok=True)
        done = directory.with_name(f"{directory.name}.done")
        with directory.with_name(f"{directory.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                # An interrupted run may have left parts of it.
                shutil.rmtree(directory, ignore_errors=True)
                make(directory)
                done.touch()
        return directory
