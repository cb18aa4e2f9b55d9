"""Concurrent calls of one coroutine function with many items."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["in_parallel"]

T = TypeVar("T")

LANES = min(os.cpu_count() or 1, 8)
"""The number of calls at a time. Their slow parts run in workers, and keep all processors busy."""


async def in_parallel(
    items: Iterable[T], function: Callable[[T], Coroutine[Deferred[Any], Any, object]]
) -> None:
    """Call a function with each item, and wait for all calls.

    After a failure no more calls are begun, and the first failure is raised when all others have ended.
    """
    waiting = iter(items)
    failures: list[Exception] = []

    async def lane() -> None:
        for item in waiting:
            try:
                await function(item)
            except Exception as error:
                failures.append(error)
            if failures:
                break

    lanes = [Deferred.fromCoroutine(lane()) for _ in range(LANES)]
    for one in lanes:
        await one
    if failures:
        raise failures[0]
