"""Sample distributions as files, for clients that take no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pypid.testing.builds import sdist, wheel


def make_wheel(
    directory: Path,
    name: str,
    version: str,
    *,
    requires_python: str | None = None,
    payload: bytes = b"",
    requires: Sequence[str] = (),
) -> Path:
    """Write a wheel; see :func:`pypid.testing.builds.wheel`."""
    filename, content = wheel(
        name, version, requires_python=requires_python, requires_dist=requires, payload=payload
    )
    path = directory / filename
    path.write_bytes(content)
    return path


def make_sdist(
    directory: Path,
    name: str,
    version: str,
    *,
    requires_python: str | None = None,
    payload: bytes = b"",
    requires: Sequence[str] = (),
) -> Path:
    """Write an sdist; see :func:`pypid.testing.builds.sdist`."""
    filename, content = sdist(
        name, version, requires_python=requires_python, requires_dist=requires, payload=payload
    )
    path = directory / filename
    path.write_bytes(content)
    return path
