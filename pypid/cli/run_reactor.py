"""A reactor that runs until one coroutine has ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.interfaces import IContext, IWorkers
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.workers import Workers

__all__ = ["Context", "react"]

T = TypeVar("T")


@implementer(IContext)
@define
class Context:
    """The context of factories. Their pools are started at once."""

    root: Path
    reactor: IIndexReactor
    _pools: list[Workers] = field(factory=list, init=False)

    def workers(self, name: str, threads: int) -> IWorkers:
        """Return a new pool, started already."""
        pool = Workers(self.reactor, name, threads)
        pool.startService()
        self._pools.append(pool)
        return pool

    def close(self) -> None:
        """Let all pools finish their work, and end their threads."""
        for pool in self._pools:
            pool.stopService()


def react(work: Callable[[], Coroutine[Deferred[Any], Any, T]], reactor: IReactorCore) -> T:
    """Run the reactor until a coroutine ends, and return or raise its outcome.

    A reactor cannot be started again, so a process can do this once.

    :param work: returns the coroutine. After an interrupt it is cancelled, and may clean up.
    :raises click.Abort: the user interrupted it.
    """
    outcome: list[Any] = []
    interrupted: list[bool] = []

    def start() -> None:
        running = Deferred.fromCoroutine(work())

        def interrupt() -> Deferred[None]:
            over: Deferred[None] = Deferred()
            interrupted.append(not outcome)
            running.addBoth(lambda _: over.callback(None))
            running.cancel()
            return over

        reactor.addSystemEventTrigger("before", "shutdown", interrupt)
        running.addBoth(outcome.append)
        running.addBoth(lambda _: reactor.stop() if not interrupted else None)

    reactor.callWhenRunning(start)
    reactor.run()
    if any(interrupted):
        raise click.Abort
    [result] = outcome
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value
