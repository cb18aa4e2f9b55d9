"""Results of coroutines that turn out not to wait."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["result_now"]

T = TypeVar("T")


def result_now(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """Return or raise the outcome of a coroutine that does not wait.

    :raises LookupError: the coroutine has to wait. It runs to its end, but its outcome is discarded.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        outcome: T = done.value
        return outcome
    # When the coroutine is resumed here, it still waits for the same Deferred.
    Deferred.fromCoroutine(coroutine).addErrback(lambda _: None)
    raise LookupError("not at hand")
