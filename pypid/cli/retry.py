"""Calls of a function for each of many items, repeated where they fail for the moment."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pypid.errors import PypidError, UpstreamFailed
from pypid.upstream.http.upstream_failures import UnusableAnswer

__all__ = ["PAUSES", "attempt_each"]

T = TypeVar("T")

PAUSES = (3.0, 10.0)
"""The seconds to wait before each retry, so that a failing upstream gets some rest."""
LANES = 8
"""The most calls at the same time."""

_Function = Callable[[T], Coroutine[Deferred[Any], Any, object]]


async def attempt_each(
    items: Iterable[T],
    function: _Function[T],
    step: Callable[[T], None],
    reactor: IReactorTime,
    pauses: Sequence[float] = PAUSES,
) -> Mapping[T, PypidError]:
    """Call a function with each item, and again if it failed for a reason that may pass.

    :param step: called with each item that succeeded, or is given up.
    :param pauses: the seconds to wait before each retry.
    :returns: the last error of each item that failed.
    """
    failed: dict[T, PypidError] = {}

    async def attempt(item: T) -> None:
        failed.pop(item, None)
        try:
            await function(item)
        except PypidError as error:
            failed[item] = error
        if item not in failed or not again or not _may_pass(failed[item]):
            step(item)

    remaining = list(items)
    for number in range(len(pauses) + 1):
        again = number < len(pauses)
        await _in_lanes(remaining, attempt)
        remaining = [item for item, error in failed.items() if _may_pass(error)]
        if not remaining or not again:
            break
        await deferLater(reactor, pauses[number])
    return failed


async def _in_lanes(items: Iterable[T], function: _Function[T]) -> None:
    """Call a function with each item, a few at a time. Cancelling it cancels all calls."""
    waiting = iter(items)

    async def lane() -> None:
        for item in waiting:
            await function(item)

    await gatherResults([Deferred.fromCoroutine(lane()) for _ in range(LANES)], consumeErrors=True)


def _may_pass(error: PypidError) -> bool:
    return isinstance(error, UpstreamFailed) and not isinstance(error, UnusableAnswer)
