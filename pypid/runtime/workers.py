"""Threads for work that would block the reactor, or none for programs without a reactor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from pypid.interfaces import IWorkers

__all__ = ["InlineWorkers", "Workers"]

T = TypeVar("T")


@implementer(IWorkers)
class Workers(Service):
    """A thread pool that runs while the service does."""

    def __init__(self, reactor: IReactorFromThreads, name: str, threads: int) -> None:
        self.name = name
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=threads, name=name)

    def startService(self) -> None:
        """Start the pool. Its threads are made when they are needed."""
        super().startService()
        self._pool.start()

    def stopService(self) -> None:
        """Finish the work in progress, and end the threads. Blocks."""
        super().stopService()
        self._pool.stop()

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` in one of the threads, and return what it returns or raises."""
        return deferToThreadPool(self._reactor, self._pool, function, *args)


@implementer(IWorkers)
class InlineWorkers:
    """Workers without threads: the work is done when :meth:`run` returns."""

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` now, and return an awaitable of its outcome."""
        return maybeDeferred(function, *args)
