"""The sending of bytes to consumers that may be slower than the source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from pypid.errors import StorageUnavailable

__all__ = ["CHUNK", "send"]

CHUNK = 128 * 1024
"""The number of bytes read at a time; one such chunk waits while the consumer is busy.

Twice as many are faster by a tenth, but increase the memory for a few hundred slow readers by half.
"""


@implementer(IPushProducer)
@define(eq=False)
class _Valve:
    """Holds the sender back while the consumer is busy. For the reactor's thread."""

    stopped: bool = False
    """True if the consumer is gone."""
    _resumed: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        """Hold the sender back."""
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        """Let the sender go on."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """End the sending, since the consumer is gone."""
        self.stopped = True
        self.resumeProducing()

    async def ready(self) -> None:
        """Wait until the consumer wants more. :raises CancelledError: the consumer is gone."""
        if self._resumed is not None:
            await self._resumed
        if self.stopped:
            raise CancelledError


async def send(
    read: Callable[[int, int], Awaitable[bytes]], consumer: IConsumer, start: int, stop: int
) -> None:
    """Write the bytes from offset ``start`` up to but not including ``stop`` to a consumer.

    For the reactor's thread.

    :param read: ``read(offset, length)`` returns up to ``length`` bytes, and none only at the end.
    :raises StorageUnavailable: the file ends before ``stop``.
    :raises CancelledError: the consumer, or the caller, went away.
    """
    valve = _Valve()
    consumer.registerProducer(valve, True)
    try:
        while start < stop:
            chunk = await read(start, min(CHUNK, stop - start))
            if not chunk:
                raise StorageUnavailable("the file became shorter while it was sent")
            await valve.ready()
            consumer.write(chunk)
            start += len(chunk)
    finally:
        # A consumer that stopped its producer has unregistered it, and may be half taken apart.
        if not valve.stopped:
            consumer.unregisterProducer()
