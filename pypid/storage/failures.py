"""What the operating system refuses, in words that a person can act upon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC

from twisted.logger import Logger

from pypid.errors import OutOfSpace, StorageUnavailable

__all__ = ["translated"]

_log = Logger()


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn an :exc:`OSError` of the block into an error of pypid; its details go to the log.

    :param action: what the block does, such as ``"read"``: "the storage cannot ... now".
    :raises OutOfSpace: there is no room, or no quota, for more bytes or more files.
    :raises StorageUnavailable: anything else.
    """
    try:
        yield
    except OSError as error:
        _log.error("The storage cannot {action}: {error}", action=action, error=error)
        if error.errno in (ENOSPC, EDQUOT):
            raise OutOfSpace("the storage is full; try again when its owner made room") from error
        raise StorageUnavailable(f"the storage cannot {action} now; try again later") from error
