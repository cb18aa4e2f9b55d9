"""Sample distributions as files, for clients that upload files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from pypid.testing.builds import sdist, wheel


def make_wheel(
    directory: Path, name: str, version: str, *, requires: Sequence[str] = (), **build: Any
) -> Path:
    """Write a wheel with the options of :func:`pypid.testing.builds.wheel`."""
    return _write(directory, wheel(name, version, requires_dist=requires, **build))


def make_sdist(
    directory: Path, name: str, version: str, *, requires: Sequence[str] = (), **build: Any
) -> Path:
    """Write an sdist with the options of :func:`pypid.testing.builds.sdist`."""
    return _write(directory, sdist(name, version, requires_dist=requires, **build))


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip file with these members."""
    archive = BytesIO()
    with ZipFile(archive, "w", ZIP_DEFLATED) as written:
        for path, data in members.items():
            written.writestr(path, data)
    return archive.getvalue()


def _write(directory: Path, built: tuple[str, bytes]) -> Path:
    filename, content = built
    path = directory / filename
    path.write_bytes(content)
    return path
