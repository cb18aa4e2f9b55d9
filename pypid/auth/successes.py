"""The credentials that were right recently, so that not every request repeats a slow check."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

__all__ = ["Successes"]

LIFETIME = 300.0
"""How long a success is remembered, in seconds."""
LIMIT = 10_000
"""The most successes remembered; the oldest is dropped first."""


@define
class Successes:
    """Remembers keys for :data:`LIFETIME`, and at most the last :data:`LIMIT`."""

    clock: IReactorTime
    """The clock by which keys expire."""
    _since: dict[bytes, float] = field(factory=dict, init=False)

    def remember(self, key: bytes) -> None:
        """Remember a key from now on."""
        self._since.pop(key, None)
        if len(self._since) >= LIMIT:
            del self._since[next(iter(self._since))]
        self._since[key] = self.clock.seconds()

    def __contains__(self, key: bytes) -> bool:
        # The age is negative if the clock was set back; by how much is unknown.
        return key in self._since and 0 <= self.clock.seconds() - self._since[key] < LIFETIME

    def forget(self) -> None:
        """Forget all keys."""
        self._since.clear()
