"""Distributions for every Python from 2.7 on, for old and new installers."""

from __future__ import annotations

import tarfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from zipfile import ZipFile, ZipInfo

from pypid.testing.builds import core_metadata

_SETUP = """\
from setuptools import setup

setup(name={name!r}, version={version!r}, packages=[{name!r}], install_requires={requires!r})
"""
_NEW_YEAR_1980 = 315_536_400
_BACKEND = """\
import shutil

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    shutil.copy({wheel!r}, wheel_directory)
    return {wheel!r}
"""
_PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_WHEEL = (
    "Wheel-Version: 1.0\nGenerator: sample\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"
)


def universal_wheel(
    name: str, version: str, requires: Sequence[str] = (), requires_python: str | None = None
) -> tuple[str, bytes]:
    """Return the file name and the bytes of a wheel, whose module ``name`` has a ``VERSION``."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": _module(version),
        f"{info}/METADATA": core_metadata(name, version, requires_python, requires),
        f"{info}/WHEEL": _WHEEL.encode(),
    }
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return f"{name}-{version}-py2.py3-none-any.whl", _zipped(files)


def universal_sdist(
    name: str, version: str, requires: Sequence[str] = (), requires_python: str | None = None
) -> tuple[str, bytes]:
    """Build an sdist with a ``setup.py``, and a PEP 517 backend without dependencies."""
    wheel, built = universal_wheel(name, version, requires, requires_python)
    files = {
        "PKG-INFO": core_metadata(name, version, requires_python, requires),
        "setup.py": _SETUP.format(name=name, version=version, requires=list(requires)).encode(),
        "pyproject.toml": _PYPROJECT.encode(),
        "backend.py": _BACKEND.format(wheel=wheel).encode(),
        wheel: built,
        f"{name}/__init__.py": _module(version),
    }
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as written:
        for path, data in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            # Setuptools makes eggs of it, which are zip files and cannot store times before 1980.
            member.size, member.mtime = len(data), _NEW_YEAR_1980
            written.addfile(member, BytesIO(data))
    return f"{name}-{version}.tar.gz", archive.getvalue()


def egg(name: str, version: str, python: str) -> tuple[str, bytes]:
    """Build an egg for one version of Python, such as ``2.7``."""
    files = {
        f"{name}/__init__.py": _module(version),
        "EGG-INFO/PKG-INFO": core_metadata(name, version),
        "EGG-INFO/top_level.txt": f"{name}\n".encode(),
        "EGG-INFO/zip-safe": b"\n",
    }
    return f"{name}-{version}-py{python}.egg", _zipped(files)


def _module(version: str) -> bytes:
    return f"VERSION = '{version}'\n".encode()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    archive = BytesIO()
    with ZipFile(archive, "w") as written:
        for path, data in files.items():
            written.writestr(ZipInfo(path), data)
    return archive.getvalue()


def _digest(data: bytes) -> str:
    return urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode("ascii")
