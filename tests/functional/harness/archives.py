"""Small but valid distribution archives, made in no time."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

_BACKEND = """\
import shutil
from pathlib import Path

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    [wheel] = Path("built").iterdir()
    shutil.copy(wheel, wheel_directory)
    return wheel.name
"""
_PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def core_metadata(
    name: str, version: str, requires_python: str | None = None, requires: Sequence[str] = ()
) -> bytes:
    """Give core metadata for a distribution."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: a sample"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join([*lines, "", f"Sample of {name}.", ""]).encode()


def make_wheel(
    directory: Path,
    name: str,
    version: str,
    *,
    requires_python: str | None = None,
    payload: bytes = b"",
    requires: Sequence[str] = (),
) -> Path:
    """Write a pure wheel whose module, named like the project, knows its ``VERSION``.

    :param payload: bytes that are in it uncompressed, as a file beside the module.
    :param requires: requirements of other distributions (PEP 508).
    """
    module = name.lower().replace("-", "_").replace(".", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": f"VERSION = {version!r}\n".encode(),
        f"{module}/payload.bin": payload,
        f"{info}/METADATA": core_metadata(name, version, requires_python, requires),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: sample\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = directory / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return wheel


def make_sdist(
    directory: Path,
    name: str,
    version: str,
    *,
    requires_python: str | None = None,
    payload: bytes = b"",
    requires: Sequence[str] = (),
) -> Path:
    """Write an sdist that builds with nothing but the standard library; see :func:`make_wheel`."""
    stem = f"{name.lower().replace('-', '_').replace('.', '_')}-{version}"
    built = directory / f"{stem}.built"
    built.mkdir()
    wheel = make_wheel(built, name, version, requires_python=requires_python, requires=requires)
    files = {
        "PKG-INFO": core_metadata(name, version, requires_python, requires),
        "pyproject.toml": _PYPROJECT.encode(),
        "backend.py": _BACKEND.encode(),
        "payload.bin": payload,
        f"built/{wheel.name}": wheel.read_bytes(),
    }
    wheel.unlink()
    built.rmdir()
    sdist = directory / f"{stem}.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return sdist


def _digest(data: bytes) -> str:
    """Give a digest as a wheel's RECORD spells it (binary distribution format, "RECORD")."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
