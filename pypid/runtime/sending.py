"""Sending bytes to consumers that may be slower than where the bytes come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from pypid.errors import StorageUnavailable

__all__ = ["CHUNK", "send"]

CHUNK = 128 * 1024
"""How many bytes are read at a time; one such chunk waits while the consumer is busy.

Twice that is faster by a tenth, but then a few hundred slow readers take half as much memory again.
"""


@implementer(IPushProducer)
@define(eq=False)
class _Valve:
    """Says when the consumer wants more."""

    stopped: bool = False
    """The consumer is gone and wants nothing more."""
    _resumed: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        """Hold back."""
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        """Go on."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """End, since nobody is there any more."""
        self.stopped = True
        self.resumeProducing()

    async def passage(self) -> None:
        """Wait until the consumer wants more. :raises CancelledError: it never will."""
        if self._resumed is not None:
            await self._resumed
        if self.stopped:
            raise CancelledError


async def send(
    read: Callable[[int, int], Awaitable[bytes]], consumer: IConsumer, start: int, stop: int
) -> None:
    """Write what ``read(offset, length)`` gives for the bytes from ``start`` to before ``stop``.

    :raises StorageUnavailable: there are fewer bytes.
    :raises CancelledError: the consumer, or who waited for this, went away.
    """
    valve = _Valve()
    consumer.registerProducer(valve, True)
    try:
        while start < stop:
            chunk = await read(start, min(CHUNK, stop - start))
            if not chunk:
                raise StorageUnavailable("the file became shorter while it was sent")
            await valve.passage()
            consumer.write(chunk)
            start += len(chunk)
    finally:
        # A consumer that stopped its producer has let go of it, and may be half taken apart.
        if not valve.stopped:
            consumer.unregisterProducer()
