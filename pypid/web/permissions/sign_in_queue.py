"""Whose password is checked next, where checks are slow and many ask for one.

Whoever asks has a share, by the address they come from: shares take turns, and none has more
than a few places. So a guesser waits for himself, however many names he makes up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from pypid.errors import StorageUnavailable

__all__ = ["SignInQueue"]

MAX_ACTIVE = 8
"""How many checks are under way at once."""
MAX_ACTIVE_EACH = 4
"""How many of them are of one share."""
MAX_WAITING = 512
"""How many wait altogether."""
MAX_WAITING_EACH = 16
"""How many of one share do."""


@define(eq=False)
class SignInQueue:
    """Lets those who sign in wait for their turns."""

    _active: dict[Hashable, int] = field(factory=dict, init=False)
    """How many of each share are being checked."""
    _waiting: dict[Hashable, deque[Deferred[None]]] = field(factory=dict, init=False)
    """Who waits, by shares: the one whose turn it is comes first."""

    @asynccontextmanager
    async def turn(self, share: Hashable) -> AsyncIterator[None]:
        """Wait for a turn, and have it within the block.

        :param share: whose it is. Shares that wait have turns one after the other.
        :raises StorageUnavailable: too many of the share wait already, or of all shares.
        """
        if self._may_begin(share):
            self._active[share] = self._active.get(share, 0) + 1
        else:
            await self._wait(share)
        try:
            yield
        finally:
            self._leave(share)

    def is_full(self, share: Hashable) -> bool:
        """Return whether there is neither a turn nor a place for another one of a share."""
        if self._may_begin(share):
            return False
        if len(self._waiting.get(share, ())) >= MAX_WAITING_EACH:
            return True
        return sum(map(len, self._waiting.values())) >= MAX_WAITING and not self._could_displace(share)

    def _may_begin(self, share: Hashable) -> bool:
        return sum(self._active.values()) < MAX_ACTIVE and self._active.get(share, 0) < MAX_ACTIVE_EACH

    def _could_displace(self, share: Hashable) -> bool:
        longest = max(self._waiting.values(), key=len)
        return len(longest) > len(self._waiting.get(share, ())) + 1

    async def _wait(self, share: Hashable) -> None:
        if self.is_full(share):
            raise StorageUnavailable("too many sign-ins at once; try again")
        if sum(map(len, self._waiting.values())) >= MAX_WAITING:
            # Who has most places gives one up, so that none can fill them all.
            crowd = max(self._waiting, key=lambda one: len(self._waiting[one]))
            self._waiting[crowd].pop().errback(StorageUnavailable("too many sign-ins at once; try again"))
        turn: Deferred[None] = Deferred()
        self._waiting.setdefault(share, deque()).append(turn)
        try:
            await turn
        except CancelledError:
            self._withdraw(share, turn)
            raise

    def _withdraw(self, share: Hashable, turn: Deferred[None]) -> None:
        waiting = self._waiting[share]
        waiting.remove(turn)
        if not waiting:
            del self._waiting[share]

    def _leave(self, share: Hashable) -> None:
        """Hand a turn on."""
        self._active[share] -= 1
        if not self._active[share]:
            del self._active[share]
        for one in list(self._waiting):
            if self._may_begin(one):
                waiting = self._waiting.pop(one)
                turn = waiting.popleft()
                if waiting:
                    self._waiting[one] = waiting  # behind the other shares
                self._active[one] = self._active.get(one, 0) + 1
                turn.callback(None)
                return
