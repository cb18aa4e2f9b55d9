"""Workers that wait to be told, and what must not be left behind when nobody waits for them any more."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.interfaces import IWorkers

__all__ = ["HeldWorkers", "Holdings", "abandon", "holdings"]

T = TypeVar("T")

MOST_STEPS = 100
"""No coroutine under test asks its workers more often than this."""


@implementer(IWorkers)
class HeldWorkers:
    """Workers that do nothing until they are told to, and may hold back what came of it.

    As with real ones, cancelling the wait for an answer does not stop the call.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self._done: list[tuple[Deferred[Any], Deferred[Any]]] = []

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do and nothing to hand over."""
        return not self._waiting and not self._done

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Keep the call for later."""
        waiting: Deferred[T] = Deferred()
        self._waiting.append((waiting, lambda: function(*args)))
        return waiting

    def finish(self) -> None:
        """Do what has been asked for so far, and hold back what came of it."""
        calls, self._waiting = self._waiting, []
        self._done += [(waiting, maybeDeferred(call)) for waiting, call in calls]

    def deliver(self) -> None:
        """Hand over what was held back."""
        done, self._done = self._done, []
        for waiting, outcome in done:
            outcome.chainDeferred(waiting)

    def work(self) -> None:
        """Do what has been asked for so far, and not what is asked for meanwhile."""
        self.finish()
        self.deliver()

    def work_all(self) -> None:
        """Work until nothing is left to do."""
        while not self.is_idle:
            self.work()


@frozen
class Holdings:
    """What a process holds, to be compared with what it held before."""

    descriptors: int
    """How many files, directories and sockets it has open."""
    threads: int
    """How many threads it runs."""
    locks: int
    """How many locks on files it holds or waits for."""
    files: frozenset[str]
    """What lies in the directories that were named, at any depth."""


def holdings(*directories: Path) -> Holdings:
    """Count what this process holds. :param directories: whose files are counted too; they may be missing."""
    found = [path for directory in directories for path in directory.rglob("*")]
    us = str(os.getpid())
    locks = [line for line in Path("/proc/locks").read_text().splitlines() if us in line.split()]
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return Holdings(descriptors, threading.active_count(), len(locks), frozenset(map(str, found)))


def abandon(
    workers: HeldWorkers,
    start: Callable[[], Coroutine[Deferred[Any], Any, T]],
    after: Callable[[], object],
    *,
    release: Callable[[T], object] = lambda _outcome: None,
) -> int:
    """Run a coroutine again and again, and cancel it at each moment at which it waits for its workers.

    That is before they have begun with what it asked for, and when they have done it but the outcome
    has not arrived. Then they do all that is left.

    :param start: makes the coroutine.
    :param after: is called when all is done after each cancelling, to look for what was left behind.
    :param release: lets go of the outcome of the last, which comes to its end.
    :returns: how many times it was cancelled.
    """
    for moment in range(2 * MOST_STEPS):
        outcome: list[Any] = []
        running = Deferred.fromCoroutine(start())
        running.addBoth(outcome.append)
        for _ in range(moment // 2):
            workers.work()
        if outcome:
            if isinstance(outcome[0], Failure):
                outcome[0].raiseException()
            release(outcome[0])
            workers.work_all()
            return moment
        if moment % 2:
            workers.finish()
        running.cancel()
        workers.work_all()
        del running, outcome
        after()
    raise AssertionError(f"it asks its workers more than {MOST_STEPS} times")
