"""Small distributions, built in memory, that pass all checks of an index."""

from __future__ import annotations

import json
import tarfile
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from typing import Any
from zipfile import ZipFile, ZipInfo

__all__ = ["SIGNATURE", "attestation", "core_metadata", "sdist", "wheel"]

SIGNATURE = f"""\
-----BEGIN PGP SIGNATURE-----

{b64encode(bytes([0x88, 1, 4])).decode()}
=aaaa
-----END PGP SIGNATURE-----
"""
"""A well-formed OpenPGP signature that no key ever made."""

_BACKEND = b"""\
import shutil
from pathlib import Path

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    [wheel] = Path("built").iterdir()
    shutil.copy(wheel, wheel_directory)
    return wheel.name
"""
_PYPROJECT = b"""\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def core_metadata(
    name: str, version: str, requires_python: str | None = None, requires_dist: Sequence[str] = ()
) -> bytes:
    """Return core metadata of version 2.1."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: made for a test"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {one}" for one in requires_dist]
    return ("\n".join(lines) + "\n").encode()


def wheel(
    name: str,
    version: str,
    *,
    requires_python: str | None = None,
    requires_dist: Sequence[str] = (),
    payload: bytes = b"",
    metadata: bytes | None = None,
) -> tuple[str, bytes]:
    """Build an installable pure wheel. Its package has the project's name, and a constant ``VERSION``.

    :param payload: the content of an uncompressed file beside the module.
    :param metadata: the core metadata, instead of that made from the other arguments.
    :returns: the file name and the bytes.
    """
    module = _module(name)
    info = f"{module}-{version}.dist-info"
    members = {
        f"{module}/__init__.py": f'VERSION = "{version}"\n'.encode(),
        f"{module}/payload.bin": payload,
        f"{info}/METADATA": metadata or core_metadata(name, version, requires_python, requires_dist),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: pypid\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_record_hash(data)},{len(data)}\n" for path, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    archive = BytesIO()
    with ZipFile(archive, "w") as written:
        for path, data in members.items():
            written.writestr(ZipInfo(path), data)  # without a time of day, so every build has the same bytes
    return f"{module}-{version}-py3-none-any.whl", archive.getvalue()


def sdist(
    name: str,
    version: str,
    *,
    requires_python: str | None = None,
    requires_dist: Sequence[str] = (),
    payload: bytes = b"",
) -> tuple[str, bytes]:
    """Build an sdist in the form of PEP 625. Building a wheel from it needs only the standard library.

    :returns: the file name and the bytes.
    """
    stem = f"{_module(name)}-{version}"
    built, content = wheel(name, version, requires_python=requires_python, requires_dist=requires_dist)
    members = {
        "PKG-INFO": core_metadata(name, version, requires_python, requires_dist),
        "pyproject.toml": _PYPROJECT,
        "backend.py": _BACKEND,
        "payload.bin": payload,
        f"built/{built}": content,
    }
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as written:
        for path, data in members.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(data)
            written.addfile(member, BytesIO(data))
    return f"{stem}.tar.gz", archive.getvalue()


def attestation(
    filename: str, content: bytes, predicate_type: str = "https://docs.pypi.org/attestations/publish/v1"
) -> dict[str, Any]:
    """Return a well-formed attestation of a file (PEP 740) that nobody signed."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": filename, "digest": {"sha256": sha256(content).hexdigest()}}],
        "predicateType": predicate_type,
        "predicate": None,
    }
    return {
        "version": 1,
        "verification_material": {
            "certificate": b64encode(b"certificate").decode(),
            "transparency_entries": [{"logIndex": "1"}],
        },
        "envelope": {
            "statement": b64encode(json.dumps(statement).encode()).decode(),
            "signature": b64encode(b"signature").decode(),
        },
    }


def _module(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").lower()


def _record_hash(data: bytes) -> str:
    return urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode("ascii")
