"""Doing the same with many things, some of them at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["in_parallel"]

T = TypeVar("T")

LANES = min(os.cpu_count() or 1, 8)
"""How many at a time: what takes long in them is done by workers, and keeps all processors busy."""


async def in_parallel(
    items: Iterable[T], function: Callable[[T], Coroutine[Deferred[Any], Any, object]]
) -> None:
    """Call a function with each item, and wait until all are done.

    When it fails with one, no more are begun, and the failure is raised when none is under way.
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
