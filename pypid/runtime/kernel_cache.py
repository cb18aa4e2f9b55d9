"""The kernel's memory of files: a read of bytes that are in it does not wait for a disk."""

from __future__ import annotations

import os

__all__ = ["is_in_memory"]

STEP = 128 * 1024
"""The distance of the bytes that are looked at. The kernel reads, and forgets, in pieces of this size."""
_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None)


def is_in_memory(descriptor: int, start: int, stop: int) -> bool:
    """Return whether bytes of a file can be read without waiting for a disk.

    This is nearly certain, as only some of the bytes are looked at; each costs a microsecond. What was
    cut off the end of the file needs no waiting either.

    :returns: ``False`` also if that is unknown: some file systems, such as NFS and tmpfs, do not tell.
    """
    if _NO_WAIT is None:
        return False
    byte = [bytearray(1)]
    try:
        for offset in range(start, stop, STEP):
            os.preadv(descriptor, byte, offset, _NO_WAIT)
        if stop > start:
            os.preadv(descriptor, byte, stop - 1, _NO_WAIT)
    except OSError:
        return False
    return True
