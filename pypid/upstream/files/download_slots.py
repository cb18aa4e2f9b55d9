"""The limit of simultaneous downloads, and the order in which waiting ones begin."""

from __future__ import annotations

from collections import OrderedDict, deque

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["LONG", "MAX_FETCHES", "MAX_OF_HOST", "MAX_SHORT_OF_HOST", "DownloadSlot", "DownloadSlots"]

MAX_FETCHES = 96
"""Number of simultaneous downloads."""
MAX_OF_HOST = 64
"""Number of simultaneous downloads from one host, so that slots are left for other hosts."""
MAX_SHORT_OF_HOST = 32
"""Number of simultaneous downloads from one host that are not long; more slots are for long ones."""
LONG = 10.0
"""Number of seconds after which a download counts as long."""


@define(eq=False)
class DownloadSlot:
    """The permission for one download."""

    host: str
    """The host to download from."""
    counts: bool = field(default=True, init=False)
    """Whether it counts towards the limits; false while it is lent."""
    is_short: bool = field(default=True, init=False)
    """Whether the download has run for less than :data:`LONG` seconds."""
    _ageing: IDelayedCall | None = field(default=None, init=False)


@define(eq=False)
class DownloadSlots:
    """Hands out slots to downloads: in rotation among hosts, and in order of arrival for each host.

    So a slow host does not delay others, and large files do not delay small ones.
    """

    _clock: IReactorTime
    _taken: set[DownloadSlot] = field(factory=set, init=False)
    _waiting: OrderedDict[str, deque[Deferred[DownloadSlot]]] = field(factory=OrderedDict, init=False)

    async def acquire(self, host: str) -> DownloadSlot:
        """Wait for a slot, and return it. The caller has to :meth:`release` it."""
        if self._is_free(host):
            return self._give(host)
        waiting: Deferred[DownloadSlot] = Deferred(lambda waiting: self._forget(host, waiting))
        self._waiting.setdefault(host, deque()).append(waiting)
        return await waiting

    def release(self, slot: DownloadSlot) -> None:
        """Take a slot back."""
        self._taken.discard(slot)
        if slot._ageing is not None:
            slot._ageing.cancel()
            slot._ageing = None
        self._next()

    def lend(self, slot: DownloadSlot) -> None:
        """Free the place of a slot whose download has no readers, while the download goes on."""
        slot.counts = False
        self._next()

    def reclaim(self, slot: DownloadSlot) -> None:
        """Count a lent slot again, because its download has a reader. The limits may then be exceeded."""
        slot.counts = True

    def _is_free(self, host: str) -> bool:
        taken = [slot for slot in self._taken if slot.counts]
        of_host = [slot for slot in taken if slot.host == host]
        return (
            len(taken) < MAX_FETCHES
            and len(of_host) < MAX_OF_HOST
            and sum(slot.is_short for slot in of_host) < MAX_SHORT_OF_HOST
        )

    def _give(self, host: str) -> DownloadSlot:
        slot = DownloadSlot(host)
        slot._ageing = self._clock.callLater(LONG, self._age, slot)
        self._taken.add(slot)
        return slot

    def _age(self, slot: DownloadSlot) -> None:
        slot._ageing = None
        slot.is_short = False
        self._next()

    def _next(self) -> None:
        """Give slots to as many waiting downloads as the limits allow."""
        while (host := next(filter(self._is_free, self._waiting), None)) is not None:
            queue = self._waiting.pop(host)
            waiting = queue.popleft()
            if queue:
                self._waiting[host] = queue  # to the end, behind the other hosts
            waiting.callback(self._give(host))

    def _forget(self, host: str, waiting: Deferred[DownloadSlot]) -> None:
        queue = self._waiting[host]
        queue.remove(waiting)
        if not queue:
            del self._waiting[host]
