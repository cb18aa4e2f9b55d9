"""The context of the factories: the root, the reactor, and the pools of threads that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import define, field
from zope.interface import implementer

from pypid.interfaces import IContext, IWorkers
from pypid.runtime.workers import Workers

__all__ = ["PoolContext"]


@implementer(IContext)
@define(eq=False)
class PoolContext:
    """A context whose pools are started and stopped together."""

    root: Path
    """The root directory of the index."""
    reactor: Any
    """The reactor."""
    _pools: list[Workers] = field(factory=list, init=False)

    def workers(self, name: str, threads: int) -> IWorkers:
        """Return a new pool, which :meth:`start` starts and :meth:`stop` stops."""
        pool = Workers(self.reactor, name, threads)
        self._pools.append(pool)
        return pool

    def start(self) -> None:
        """Start the pools. Their threads are made when they are needed."""
        for pool in self._pools:
            pool.startService()

    def stop(self) -> None:
        """Finish the work in progress, and end the threads. Blocks; safe to call in another thread."""
        for pool in reversed(self._pools):
            pool.stopService()
