"""Workers that work only on command, and checks for resources left behind after a cancellation."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
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
"""The most calls of workers that a coroutine under test may make."""


@implementer(IWorkers)
class HeldWorkers:
    """Workers that call functions only on command, and may hold back the outcomes.

    As with real workers, cancelling the wait for an outcome does not stop the call.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self._done: list[tuple[Deferred[Any], Deferred[Any]]] = []

    @property
    def is_idle(self) -> bool:
        """Whether no call is waiting and no outcome is held back."""
        return not self._waiting and not self._done

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Queue a call."""
        waiting: Deferred[T] = Deferred()
        self._waiting.append((waiting, lambda: function(*args)))
        return waiting

    def finish(self) -> None:
        """Make the calls queued so far, and hold back their outcomes."""
        calls, self._waiting = self._waiting, []
        self._done += [(waiting, maybeDeferred(call)) for waiting, call in calls]

    def deliver(self) -> None:
        """Deliver the outcomes held back."""
        done, self._done = self._done, []
        for waiting, outcome in done:
            outcome.chainDeferred(waiting)

    def work(self) -> None:
        """Make the calls queued so far, but not those queued meanwhile, and deliver their outcomes."""
        self.finish()
        self.deliver()

    def work_all(self) -> None:
        """Work until no call is left."""
        while not self.is_idle:
            self.work()


@frozen
class Holdings:
    """The resources of a process, to compare with those at another time."""

    descriptors: int
    """The number of open files, directories and sockets."""
    threads: int
    """The number of threads."""
    locks: int
    """The number of file locks that it holds."""
    files: frozenset[str]
    """The paths of all entries below the given directories."""


def holdings(*directories: Path) -> Holdings:
    """Return the resources of this process.

    :param directories: directories whose entries count, too; they may be missing.
    """
    found = [path for directory in directories for path in directory.rglob("*")]
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return Holdings(descriptors, threading.active_count(), _locks(), frozenset(map(str, found)))


def _locks() -> int:
    """Return the number of file locks of this process.

    ``/proc/locks`` has those of all processes, and tells some twice or not at all while these come and go.
    """
    locks = 0
    for descriptor in Path("/proc/self/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # that of the list itself
            locks += descriptor.read_text().count("\nlock:")
    return locks


def abandon(
    workers: HeldWorkers,
    start: Callable[[], Coroutine[Deferred[Any], Any, T]],
    after: Callable[[], object],
    *,
    release: Callable[[T], object] = lambda _outcome: None,
) -> int:
    """Run a coroutine repeatedly, and cancel it at each moment at which it waits for its workers.

    These moments are before a call is made, and after it, before the outcome is delivered. After the
    cancellation the workers finish everything.

    :param start: returns a new coroutine.
    :param after: called after each cancellation, once the workers are idle, to check for remains.
    :param release: releases the result of the last run, which is not cancelled.
    :returns: the number of cancellations.
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
