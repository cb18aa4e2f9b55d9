"""The meaning of errors of the operating system, decided in this one place.

An error says either that something is absent, which is a fact, or that its state is unknown. Nothing
may be concluded from the latter: no page, no answer "not found", no row of the journal.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from errno import EACCES, EBADMSG, EDQUOT, ELOOP, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS

from twisted.logger import Logger

from pypid.errors import OutOfSpace, StorageRefused, StorageUnavailable

__all__ = ["Meaning", "advice", "meaning", "translate_errors"]

_log = Logger()


class Meaning(Enum):
    """The consequence of an error."""

    ABSENT = "absent"
    """There is nothing of that name, or only a kind of file that is never served, such as a symbolic link."""
    FULL = "full"
    """There is no room, or no quota, for more bytes or more files."""
    LASTING = "lasting"
    """It will fail until an administrator fixes it; trying again is useless."""
    PASSING = "passing"
    """The disk, the network or this process is in trouble, for an unknown time."""


_MEANINGS = {
    **dict.fromkeys((ENOENT, ENOTDIR, ELOOP), Meaning.ABSENT),
    **dict.fromkeys((ENOSPC, EDQUOT), Meaning.FULL),
    **dict.fromkeys((EACCES, EPERM, EROFS, EBADMSG), Meaning.LASTING),
}


def meaning(error: OSError) -> Meaning:
    """Return the consequence of an error. Errors not in the table count as passing."""
    return _MEANINGS.get(error.errno or 0, Meaning.PASSING)


def advice(error: OSError) -> str:
    """Return what an administrator should do about a lasting error, or an empty string."""
    match error.errno:
        case code if code in (EACCES, EPERM):
            return f"; it must belong to the user {_user()}: `chown -R {_user()}: ROOT`"
        case code if code == EROFS:
            return "; the file system is mounted read-only: see why, and remount it"
        case code if code == EBADMSG:
            return "; restore it from a backup, or remove it to do without what it says"
    return ""


@contextmanager
def translate_errors(action: str, where: str | None = None, *, reads: bool = False) -> Iterator[None]:
    """Turn an :exc:`OSError` of the block into one of pypid's errors, and log its details.

    :param action: the work of the block, such as ``"keep a file"``, to complete "the storage cannot ... now".
    :param where: the path of the changed directory, for the log.
    :param reads: whether the block only reads.
    :raises OutOfSpace: there is no room, or no quota, for more bytes or more files.
    :raises StorageRefused: the change is not permitted, and will not be until an administrator fixes that.
    :raises StorageUnavailable: any other failure.
    """
    try:
        yield
    except OSError as error:
        found = meaning(error)
        _log.error(
            "The storage cannot {action}{where}: {error}{advice}",
            action=action,
            where=f" in {where}" if where is not None else "",
            error=error,
            advice=advice(error),
        )
        if found is Meaning.FULL:
            raise OutOfSpace("the storage is full; try again when its owner made room") from error
        if found is Meaning.LASTING and not reads:
            raise StorageRefused(
                f"the storage cannot {action}: {(error.strerror or str(error)).lower()}; to send it again is"
                " in vain until the administrator of this index has mended that, as its log says"
            ) from error
        raise StorageUnavailable(
            f"the storage cannot {action} now; try again later", lasting=found is Meaning.LASTING
        ) from error


def _user() -> str:
    """Return the name of the user of this process, or its number if it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
