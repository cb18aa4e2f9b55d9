"""Coroutines that go on when a caller who waits for them is cancelled.

Klein cancels a route when its client goes away. Work that other callers share, or that must not be left
half done, runs through here. All of it is for the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["SingleFlight", "shield"]

T = TypeVar("T")
_log = Logger()


def shield(coroutine: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
    """Start a coroutine that runs to its end even if the returned Deferred is cancelled."""
    waiting: Deferred[T] = Deferred()
    Deferred.fromCoroutine(coroutine).addBoth(_deliver, [waiting])
    return waiting


class SingleFlight(Generic[T]):
    """Lets callers who want the same thing at the same time share one coroutine's outcome."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Deferred[T]]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._waiting

    def run(self, key: Hashable, start: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> Deferred[T]:
        """Return the outcome of the coroutine under way for ``key``, or else of a new one by ``start``."""
        waiting: Deferred[T] = Deferred()
        if key in self._waiting:
            self._waiting[key].append(waiting)
            return waiting
        self._waiting[key] = [waiting]
        Deferred.fromCoroutine(start()).addBoth(self._finish, key)
        return waiting

    def _finish(self, outcome: T | Failure, key: Hashable) -> None:
        _deliver(outcome, self._waiting.pop(key))


def _deliver(outcome: Any, waiting: list[Deferred[Any]]) -> None:
    """Deliver an outcome to all who wait for it. A failure that nobody awaits is logged."""
    if isinstance(outcome, Failure) and all(one.called for one in waiting):
        _log.failure("Failed after the client had gone", failure=outcome)
    for one in waiting:
        one.callback(outcome)  # ignored by a Deferred that was cancelled
