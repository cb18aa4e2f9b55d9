"""Access to files through descriptors of their directories, without following symbolic links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ELOOP, ENOENT, ENXIO
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

__all__ = ["is_same", "list_names", "open_file", "opened", "read_file", "status"]


@contextmanager
def opened(path: str | Path, parent: int | None = None) -> Iterator[int]:
    """Open a directory for the block, by its path or by a bare name in another directory.

    A bare name must not be a symbolic link.

    :raises OSError: it cannot be opened.
    """
    follow = 0 if parent is None else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | follow, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def list_names(directory: int) -> list[str]:
    """Return the names in a directory. :raises OSError: without a ``filename``."""
    try:
        return os.listdir(directory)
    except OSError as error:
        error.filename = None  # it would be the descriptor
        raise


def status(directory: int, name: str) -> os.stat_result | None:
    """Return the ``stat`` of a directory entry, or ``None`` if there is no such entry."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    """Return whether two directory entries exist and are links to one file."""
    return one is not None and other is not None and os.path.samestat(one, other)


def open_file(directory: int, name: str) -> BinaryIO:
    """Open a regular file for reading. :raises FileNotFoundError: there is no regular file of that name."""
    descriptor = _open(directory, name)
    try:
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(directory: int, name: str, limit: int) -> bytes:
    """Return the first ``limit`` bytes of a regular file.

    Each system call lets another thread run first, so a small file is read with as few as possible.

    :raises FileNotFoundError: there is no regular file of that name.
    """
    descriptor = _open(directory, name)
    try:
        return os.read(descriptor, limit)
    except OSError as error:
        error.filename = name
        raise
    finally:
        os.close(descriptor)


def _open(directory: int, name: str) -> int:
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError as error:
        if error.errno == ELOOP:
            raise FileNotFoundError(ENOENT, "a symbolic link", name) from None
        if error.errno == ENXIO and not _is_regular(status(directory, name)):  # a socket
            raise FileNotFoundError(ENOENT, "not a regular file", name) from None
        raise
    try:
        if _is_regular(os.fstat(descriptor)):
            return descriptor
        raise FileNotFoundError(ENOENT, "not a regular file", name)
    except BaseException:
        os.close(descriptor)
        raise


def _is_regular(found: os.stat_result | None) -> bool:
    return found is not None and S_ISREG(found.st_mode)
