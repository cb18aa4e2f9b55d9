"""Files of a cache: whole or not there, yet not forced to the disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import count
from pathlib import Path

__all__ = ["replace_file", "temporary_path"]

_numbers = count()


def temporary_path(path: Path) -> Path:
    """Return where to write what is to replace a file: another place for each thread that does."""
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}")


def replace_file(path: Path, parts: Iterable[str]) -> None:
    """Write a file so that readers see the old or the new one, whole.

    Its directory is made if somebody cleared the cache away. After a power cut the file may be
    empty: it is a copy of what can be had again. :raises OSError: it could not be written.
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
