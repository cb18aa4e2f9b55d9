"""How many files are fetched at the same time, and who is next."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

__all__ = ["LONG", "MOST", "MOST_OF_HOST", "SHORT_OF_HOST", "Turn", "Turns"]

MOST = 96
"""How many files are fetched at the same time."""
MOST_OF_HOST = 64
"""How many of them from one host, so that there are turns left for others."""
SHORT_OF_HOST = 32
"""How many from one host that are not known to take long, so that there are turns left for these."""
LONG = 10.0
"""After how many seconds a fetch is known to take long."""


@define(eq=False)
class Turn:
    """Somebody's leave to fetch a file."""

    host: str
    """From whom."""
    counts: bool = field(default=True, init=False)
    """Whether it is one of those that there are only so many of."""
    is_short: bool = field(default=True, init=False)
    """Whether it is not known to take long."""
    _ageing: IDelayedCall | None = field(default=None, init=False)


@define(eq=False)
class Turns:
    """Gives turns to those who want to fetch: host by host, and of each host in the order they asked.

    So a slow host holds up no other, and a large file no small one.
    """

    _clock: Any
    _taken: set[Turn] = field(factory=set, init=False)
    _waiting: OrderedDict[str, deque[Deferred[Turn]]] = field(factory=OrderedDict, init=False)

    async def take(self, host: str) -> Turn:
        """Wait for a turn; whoever gets it gives it back by :meth:`release`."""
        if self._is_free(host):
            return self._give(host)
        waiting: Deferred[Turn] = Deferred(lambda waiting: self._forget(host, waiting))
        self._waiting.setdefault(host, deque()).append(waiting)
        return await waiting

    def release(self, turn: Turn) -> None:
        """Take a turn back."""
        self._taken.discard(turn)
        if turn._ageing is not None:
            turn._ageing.cancel()
            turn._ageing = None
        self._next()

    def lend(self, turn: Turn) -> None:
        """Let others have a turn as well, as nobody waits for what is fetched in it."""
        turn.counts = False
        self._next()

    def reclaim(self, turn: Turn) -> None:
        """Count a turn again that was lent, as somebody waits for it again; there may be one too many."""
        turn.counts = True

    def _is_free(self, host: str) -> bool:
        taken = [turn for turn in self._taken if turn.counts]
        of_host = [turn for turn in taken if turn.host == host]
        return (
            len(taken) < MOST
            and len(of_host) < MOST_OF_HOST
            and sum(turn.is_short for turn in of_host) < SHORT_OF_HOST
        )

    def _give(self, host: str) -> Turn:
        turn = Turn(host)
        turn._ageing = self._clock.callLater(LONG, self._age, turn)
        self._taken.add(turn)
        return turn

    def _age(self, turn: Turn) -> None:
        turn._ageing = None
        turn.is_short = False
        self._next()

    def _next(self) -> None:
        """Give turns to as many as may have one."""
        while (host := next(filter(self._is_free, self._waiting), None)) is not None:
            queue = self._waiting.pop(host)
            waiting = queue.popleft()
            if queue:
                self._waiting[host] = queue  # behind the other hosts
            waiting.callback(self._give(host))

    def _forget(self, host: str, waiting: Deferred[Turn]) -> None:
        queue = self._waiting[host]
        queue.remove(waiting)
        if not queue:
            del self._waiting[host]
