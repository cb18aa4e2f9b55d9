"""The id of the request on whose behalf code runs, in coroutines and in workers' threads."""

from __future__ import annotations

import os
from contextvars import ContextVar
from itertools import count

__all__ = ["current_request_id", "new_request_id"]

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
"""The id of the current request; empty outside of requests."""

_numbers = count(1)
_prefix: tuple[int, str] = (0, "")


def new_request_id() -> str:
    """Return an id that no other request has, also not one of another process or of a later start.

    It is no secret: whoever has sent a request may know how many there were before.
    """
    global _prefix
    if _prefix[0] != os.getpid():  # at first, and in a child process
        _prefix = os.getpid(), os.urandom(5).hex()
    return f"{_prefix[1]}-{next(_numbers):x}"
