"""A memory for what was verified, so that it need not be verified with every request."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

__all__ = ["Successes"]

LIFETIME = 300.0
LIMIT = 10_000


@define
class Successes:
    """Remembers keys for five minutes, and the last ten thousand at most."""

    clock: IReactorTime
    """What tells the time."""
    _since: dict[bytes, float] = field(factory=dict, init=False)

    def remember(self, key: bytes) -> None:
        """Take a key in, from now on."""
        self._since.pop(key, None)
        if len(self._since) >= LIMIT:
            del self._since[next(iter(self._since))]
        self._since[key] = self.clock.seconds()

    def __contains__(self, key: bytes) -> bool:
        # Below zero the clock was set back, by who knows how much.
        return key in self._since and 0 <= self.clock.seconds() - self._since[key] < LIFETIME

    def forget(self) -> None:
        """Forget all keys."""
        self._since.clear()
