"""Asking a storage for much from one worker's thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from zope.interface import implementer

from pypid.interfaces import IWorkers

__all__ = ["AtOnce", "outcome_of"]

T = TypeVar("T")


@implementer(IWorkers)
class AtOnce:
    """For those who are in a worker's thread already."""

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function(*args)`` when this is awaited."""
        return function(*args)


def outcome_of(coroutine: Coroutine[Any, Any, T]) -> T:
    """Give or raise the outcome of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        outcome: T = done.value
        return outcome
    coroutine.close()
    raise RuntimeError("a visit must not wait")
