"""The role of a thread pool, which runs work that would block the reactor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from zope.interface import Interface

__all__ = ["IWorkers"]

T = TypeVar("T")


class IWorkers(Interface):
    """A bounded number of threads for calls that block.

    Calls above that number wait for a free thread. If the caller cancels, it stops waiting, but
    the call goes on.
    """

    def run(function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` in one of the threads; the awaitable has its result or its exception.

        Called in the reactor's thread; it returns at once.
        """
