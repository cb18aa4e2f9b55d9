"""The bytes of files, opened for sending."""

from __future__ import annotations

from twisted.internet.interfaces import IConsumer
from zope.interface import Attribute, Interface

__all__ = ["IContent", "IOpenFile"]


class IContent(Interface):
    """The bytes of one file, opened for sending.

    It goes on to give the same bytes when the file is replaced or removed meanwhile. Whoever
    got it calls :meth:`close` exactly when done, also after an error.
    """

    length: int = Attribute("How many bytes there are.")
    modified_ns: int = Attribute("When they last changed, in nanoseconds since the epoch.")

    async def send_to(consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        Registers a producer with the consumer while it works, so that a slow consumer holds
        up the reading, and no more than a few hundred kilobytes wait in memory.

        :raises StorageUnavailable: the bytes cannot be read on. The consumer has got fewer
            than it was promised, and its connection is to be cut.
        """

    def close() -> None:
        """Let go of the file. Calling it again does nothing."""


class IOpenFile(Interface):
    """A file of a storage, opened for sending.

    It goes on to give the same bytes when the file is replaced or removed meanwhile. Nothing stays
    open once nobody holds it any more, even if it was not closed.
    """

    length: int = Attribute("How many bytes there are.")
    modified_ns: int = Attribute("When they last changed, in nanoseconds since the epoch.")

    def read(offset: int, length: int) -> bytes:
        """Return so many bytes from an offset; fewer only at the end of the file.

        Called in workers' threads, by several at a time. It may block.

        :raises StorageUnavailable: they cannot be read.
        """

    def close() -> None:
        """Let go of the file, in any thread and without blocking. Calling it again does nothing.

        It is not called while :meth:`read` is at work.
        """
