"""Files of a cache: whole or not there, yet not forced to the disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["replace_file"]


def replace_file(path: Path, parts: Iterable[str]) -> None:
    """Write a file so that readers see the old or the new one, whole.

    Its directory is made if somebody cleared the cache away. After a power cut the file may be
    empty: it is a copy of what can be had again. :raises OSError: it could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="ascii") as file:
            file.writelines(parts)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
