"""Threads for what would block the reactor, or none where there is no reactor to block."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from pypid.interfaces import IWorkers

__all__ = ["InlineWorkers", "Workers"]

T = TypeVar("T")


@implementer(IWorkers)
class Workers(Service):
    """A thread pool that runs while the daemon does."""

    def __init__(self, reactor: Any, name: str, threads: int) -> None:
        self.name = name
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name=name)

    def startService(self) -> None:
        """Start the pool; its threads are made as they are needed."""
        super().startService()
        self._pool.start()

    def stopService(self) -> None:
        """Finish what was begun, and end the threads."""
        super().stopService()
        self._pool.stop()

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` in one of the threads and answer what it returns or raises."""
        return deferToThreadPool(self._reactor, self._pool, function, *args)


@implementer(IWorkers)
class InlineWorkers:
    """For a program without a reactor: the work is done when :meth:`run` returns."""

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` now."""
        return maybeDeferred(function, *args)
