"""Threads for work that would block the reactor, or none for programs without a reactor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context, copy_context
from threading import Lock
from typing import Any, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from pypid.interfaces import IMeasured, IWorkers

__all__ = ["InlineWorkers", "Workers"]

T = TypeVar("T")


@implementer(IWorkers, IMeasured)
class Workers(Service):
    """A thread pool that runs while the service does."""

    def __init__(self, reactor: IReactorFromThreads, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._reactor = reactor
        self._calls = 0
        self._ended = 0
        self._lock = Lock()
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
        self._calls += 1
        return deferToThreadPool(self._reactor, self._pool, self._work, copy_context(), function, *args)

    def _work(self, context: Context, function: Callable[..., T], *args: Any) -> T:
        """Call a function in a thread, and count its end, also if its caller has left.

        :param context: the context of the caller, so that what is logged names the caller's request.
        """
        try:
            return context.run(function, *args)
        finally:
            with self._lock:
                self._ended += 1

    def collect(self) -> Iterable[Metric]:
        """Return how many calls there were, and how many run and wait now."""
        under_way = self._calls - self._ended
        running = min(under_way, self._threads)
        labels = ["pool"]
        calls = CounterMetricFamily("pypid_worker_calls", "Calls in a pool of threads.", labels=labels)
        calls.add_metric([self._name], self._calls)
        yield calls
        for name, summary, value in (
            ("pypid_worker_threads", "The most threads that a pool may have.", self._threads),
            ("pypid_worker_running", "Calls that run in a pool.", running),
            ("pypid_worker_waiting", "Calls that wait for a free thread of a pool.", under_way - running),
        ):
            family = GaugeMetricFamily(name, summary, labels=labels)
            family.add_metric([self._name], value)
            yield family


@implementer(IWorkers)
class InlineWorkers:
    """Workers without threads: the work is done when :meth:`run` returns."""

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` now, and return an awaitable of its outcome."""
        return maybeDeferred(function, *args)
