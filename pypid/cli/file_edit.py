"""The atomic and durable edit of a small file, by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from pypid.cli.open_index import acting_as_owner
from pypid.errors import CannotStart

__all__ = ["edit", "must_be_writable", "read"]


def read(path: Path) -> bytes:
    """Return the bytes of a file; empty if the file is missing.

    :raises CannotStart: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise CannotStart(_reason(path, error, "read")) from error


def must_be_writable(path: Path) -> None:
    """Check in advance, as far as possible, that :func:`edit` can change a file.

    :raises CannotStart: it cannot.
    """
    directory = path.resolve().parent
    try:
        with acting_as_owner(directory):
            if not directory.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise CannotStart(_reason(path, error)) from error


def edit(path: Path, change: Callable[[bytes], bytes], mode: int) -> None:
    """Replace the content of a file atomically.

    The new file has the owner and permissions of the old one. Other callers wait for each other;
    readers see either the old file or the new one.

    :param change: returns the new bytes for the old ones. If it raises, the file is not changed.
    :param mode: the permissions of the file if it is created.
    :raises CannotStart: the file cannot be written.
    """
    path = path.resolve()  # the target of a symbolic link is replaced, not the link
    try:
        with acting_as_owner(path.parent):
            _edit(path, change, mode)
    except OSError as error:
        raise CannotStart(_reason(path, error)) from error


def _reason(path: Path, error: OSError, verb: str = "change") -> str:
    """Return why a file cannot be read or changed, and what to do about it."""
    match error.errno:
        case errno.ENOENT:
            hint = f"; there is no directory {path.parent}: is it the --root that the daemon has?"
        case errno.EACCES | errno.EPERM:
            hint = "; run this as the user that the daemon runs as, or as root"
        case _:
            hint = ""
    return f"cannot {verb} {path}: {error.strerror}{hint}"


def _edit(path: Path, change: Callable[[bytes], bytes], mode: int) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        data = change(read(path))
        # Under the lock no other process uses this name; a crash may have left such a file.
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        try:
            with temporary.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                _take_after(path, file.fileno(), mode)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        os.fsync(directory)
    finally:
        os.close(directory)


def _take_after(path: Path, descriptor: int, mode: int) -> None:
    """Copy owner and permissions of the old file, if there is one, to the new file."""
    try:
        old = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
        return
    os.fchmod(descriptor, old.st_mode & 0o7777)
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
