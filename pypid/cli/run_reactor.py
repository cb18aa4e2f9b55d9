"""Running a reactor for as long as one piece of work takes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.interfaces import IContext, IWorkers
from pypid.runtime.workers import Workers

__all__ = ["Context", "react"]

T = TypeVar("T")


@implementer(IContext)
@define
class Context:
    """What factories may use; the pools that they ask for run from the start on."""

    root: Path
    reactor: Any
    _pools: list[Workers] = field(factory=list, init=False)

    def workers(self, name: str, threads: int) -> IWorkers:
        """Make a pool."""
        pool = Workers(self.reactor, name, threads)
        pool.startService()
        self._pools.append(pool)
        return pool

    def close(self) -> None:
        """Finish what was begun, and end the threads."""
        for pool in self._pools:
            pool.stopService()


def react(work: Callable[[], Coroutine[Deferred[Any], Any, T]], reactor: Any) -> T:
    """Run a coroutine to its end, and the reactor with it; no other can be run after it.

    :param work: makes the coroutine. If somebody interrupts it, it is cancelled, and may tidy up.
    :raises click.Abort: somebody did.
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
