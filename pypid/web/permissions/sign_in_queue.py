"""The queue of password checks, which are slow.

Sign-ins are grouped into shares by client address. Shares take turns, and each has only a few places.
So a guesser delays only their own sign-ins, however many user names they invent.
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
"""Largest number of checks at the same time."""
MAX_ACTIVE_EACH = 4
"""Largest number of checks of one share at the same time."""
MAX_WAITING = 512
"""Largest number of waiting sign-ins in all shares."""
MAX_WAITING_EACH = 16
"""Largest number of waiting sign-ins in one share."""


@define(eq=False)
class SignInQueue:
    """Makes sign-ins wait for their turns."""

    _active: dict[Hashable, int] = field(factory=dict, init=False)
    """The number of checks in progress, by share."""
    _waiting: dict[Hashable, deque[Deferred[None]]] = field(factory=dict, init=False)
    """The waiting sign-ins, by share. The share with the next turn comes first."""

    @asynccontextmanager
    async def turn(self, share: Hashable) -> AsyncIterator[None]:
        """Wait for a turn, and hold it within the block.

        :param share: the share of the sign-in. Waiting shares have turns one after the other.
        :raises StorageUnavailable: too many sign-ins of this share, or of all shares, are waiting.
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
        """Return whether another sign-in of a share could neither begin at once nor wait."""
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
            # The share with the most waiting sign-ins loses one, so that no share can fill the queue.
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
        """End a turn, and begin the next one."""
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
