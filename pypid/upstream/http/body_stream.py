"""Taking a long body no faster than it can be put away."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from pypid.errors import UpstreamFailed, UpstreamTimedOut

__all__ = ["BodyStream", "Interrupted"]

STALL = 30.0
"""How long, in seconds, an upstream may send nothing."""
BATCH = 512 * 1024
"""How many bytes may wait in memory before the connection is paused."""


class Interrupted(UpstreamFailed):
    """The connection was lost before the end of the body."""


class BodyStream(Protocol):
    """Collects what a body brings until it is asked for."""

    def __init__(self, clock: IReactorTime, name: str) -> None:
        self.is_sure = True
        """Whether the end, if there was one, was the body's, and not just that of the connection."""
        self._clock: Any = clock
        self._name = name
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._end: Failure | None = None
        self._waiting: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        """Take a piece, and no more after it if there is plenty."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= BATCH and not self._paused:
            self._paused = True
            self._producer.pauseProducing()
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note how it ended."""
        self._end = reason
        self.is_sure = reason.check(ResponseDone) is not None
        self._wake()

    async def take(self) -> bytes:
        """Wait for what comes next; nothing is the end.

        :raises Interrupted: it ended early.
        :raises UpstreamTimedOut: it brings nothing any more.
        """
        if not self._pieces and self._end is None:
            self._waiting = Deferred()
            try:
                await self._waiting.addTimeout(STALL, self._clock)
            except TimedOut:
                raise UpstreamTimedOut(f"{self._name}: nothing came for {STALL:.0f} s") from None
            finally:
                self._waiting = None
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            if self._paused:
                self._paused = False
                self._producer.resumeProducing()
            return data
        if self._end is not None and not self._end.check(ResponseDone, PotentialDataLoss):
            raise Interrupted(f"{self._name}: the connection was lost half-way")
        return b""

    def stop(self) -> None:
        """Close the connection, if it still brings something."""
        if self._end is None:
            self._producer.stopProducing()

    @property
    def _producer(self) -> Any:
        return self.transport

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
