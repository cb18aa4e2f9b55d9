"""What a provider may have done elsewhere, so as not to block the reactor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from zope.interface import Interface

__all__ = ["IWorkers"]

T = TypeVar("T")


class IWorkers(Interface):
    """A bounded number of threads that run what would block the reactor.

    Calls above that number wait their turn. Cancelling the answer stops the waiting for
    it, not the call.
    """

    def run(function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` in one of the threads and answer what it returns or raises."""
