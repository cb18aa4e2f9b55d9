"""A response body that is read no faster than its reader can store it."""

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
"""For how many seconds an upstream may send nothing."""
BATCH = 512 * 1024
"""Number of bytes in memory at which the connection is paused."""


class Interrupted(UpstreamFailed):
    """The connection was lost before the end of the body."""


class BodyStream(Protocol):
    """Buffers a response body until :meth:`read` is called, and pauses the connection meanwhile."""

    def __init__(self, clock: IReactorTime, name: str) -> None:
        self.is_sure = True
        """Whether the body is known to be complete; false if merely the connection was closed."""
        self._clock: IReactorTime = clock
        self._name = name
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._end: Failure | None = None
        self._waiting: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        """Buffer a piece, and pause the connection if the buffer is full."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= BATCH and not self._paused:
            self._paused = True
            self._producer.pauseProducing()
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note how the body ended."""
        self._end = reason
        self.is_sure = reason.check(ResponseDone) is not None
        self._wake()

    async def read(self) -> bytes:
        """Wait for the next bytes, and return them; an empty result is the end of the body.

        :raises Interrupted: the connection was lost before the end.
        :raises UpstreamTimedOut: nothing came for :data:`STALL` seconds.
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
        """Close the connection, unless the body has ended."""
        if self._end is None:
            self._producer.stopProducing()

    @property
    def _producer(self) -> Any:
        return self.transport

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
