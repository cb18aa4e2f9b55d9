"""The context of the factories: the root, the reactor, and the pools of threads that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar

from attrs import define, field
from zope.interface import implementer

from pypid.interfaces import IContext, IWorkers
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.workers import Workers

__all__ = ["PoolContext"]


class _Pool(Protocol):
    """What is started and stopped with the daemon or a provider."""

    def startService(self) -> object:
        """Start."""

    def stopService(self) -> object:
        """Finish the work in progress, and end. Blocks."""


P = TypeVar("P", bound=_Pool)


@implementer(IContext)
@define(eq=False)
class PoolContext:
    """A context whose pools are started and stopped together."""

    root: Path
    """The root directory of the index."""
    reactor: IIndexReactor
    """The reactor."""
    pools: list[_Pool] = field(factory=list, init=False)
    """The pools."""

    def add(self, pool: P) -> P:
        """Add another pool, or anything that is started and stopped like one, and return it."""
        self.pools.append(pool)
        return pool

    def workers(self, name: str, threads: int) -> IWorkers:
        """Return a new pool, which :meth:`start` starts and :meth:`stop` stops."""
        return self.add(Workers(self.reactor, name, threads))

    def start(self) -> None:
        """Start the pools. Their threads are made when they are needed."""
        for pool in self.pools:
            pool.startService()

    def stop(self) -> None:
        """Finish the work in progress, and end the threads. Blocks; safe to call in another thread."""
        for pool in reversed(self.pools):
            pool.stopService()
