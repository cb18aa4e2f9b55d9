"""Atomic replacement of files of a cache, without forcing them to the disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import count
from pathlib import Path

__all__ = ["replace_file", "temporary_path"]

_numbers = count()


def temporary_path(path: Path) -> Path:
    """Return the temporary path for the replacement of a file, a different one at each call."""
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}")


def replace_file(path: Path, parts: Iterable[str]) -> None:
    """Write a file so that readers see either the old or the new one, whole. Blocks.

    Its directory is made if the cache was cleared away. After a power cut the file may be empty, since
    its contents can be fetched again.

    :param parts: the text of the file, in ASCII.
    :raises OSError: the file could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        with temporary.open("w", encoding="ascii") as file:
            file.writelines(parts)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
