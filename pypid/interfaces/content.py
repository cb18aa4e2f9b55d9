"""The bytes of files, opened for sending."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.interfaces import IConsumer
from zope.interface import Attribute, Interface

__all__ = ["IContent", "ILocalFile", "IOpenFile", "ISendableContent", "ISendableFile"]


class IContent(Interface):
    """The bytes of one file, opened for sending; used in the reactor's thread.

    They stay the same when the file is replaced or removed meanwhile. Whoever receives a content
    calls :meth:`close` at the end, also after an error.
    """

    length: int = Attribute("The number of bytes.")
    modified_ns: int = Attribute("The time of their last change, in nanoseconds since the epoch.")

    async def send_to(consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        A producer is registered with the consumer meanwhile, so that a slow consumer slows down
        the reading, and at most a few hundred kilobytes wait in memory.

        :raises StorageUnavailable: the remaining bytes cannot be read. The consumer has received fewer
            bytes than it was promised, and its connection must be cut.
        """

    def close() -> None:
        """Close the file. Called in the reactor's thread; it must not block. A second call does nothing."""


class ISendableContent(IContent):
    """A content that is a regular file of this machine, so that the kernel can send it on its own.

    A provider need not offer that: any other content is read and sent in chunks.
    """

    def fileno() -> int:
        """Return the file's descriptor, which stays open until :meth:`IContent.close`."""

    async def load(start: int, stop: int) -> None:
        """Read bytes in a worker, so that the kernel has them in memory afterwards.

        :raises StorageUnavailable: the bytes cannot be read.
        """

    def count(length: int) -> None:
        """Take note that the kernel has sent so many bytes of the file."""

    def reopen() -> ISendableContent | None:
        """Open the same bytes once more; also after :meth:`IContent.close`. The caller closes the result.

        Called in the reactor's thread, so it may cost an ``open`` and a ``stat`` and no more.

        :returns: ``None`` if other bytes are in the file's place, or none, or if this is not certain.
        """


class IOpenFile(Interface):
    """A file of a storage, opened for sending.

    Its bytes stay the same when the file is replaced or removed meanwhile. If it is dropped without
    :meth:`close`, the garbage collector must release everything that it holds open.
    """

    length: int = Attribute("The number of bytes.")
    modified_ns: int = Attribute("The time of their last change, in nanoseconds since the epoch.")

    def read(offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only at the end of the file.

        Called in workers' threads, by several at a time; it may block.

        :raises StorageUnavailable: the bytes cannot be read.
        """

    def close() -> None:
        """Close the file. Called in any thread; it must not block. A second call does nothing.

        It is never called while :meth:`read` runs.
        """


class ISendableFile(IOpenFile):
    """A file of a storage that is a regular file of this machine, so that the kernel can send it.

    A storage need not offer that: the files of any other are read and sent in chunks.
    """

    def fileno() -> int:
        """Return the file's descriptor, which stays open until :meth:`IOpenFile.close`."""

    def reopen() -> ISendableFile | None:
        """Open the same bytes once more; also after :meth:`IOpenFile.close`. The caller closes the result.

        Called in the reactor's thread, so it may cost an ``open`` and a ``stat`` and no more.

        :returns: ``None`` if other bytes are in the file's place, or none, or if this is not certain.
        """


class ILocalFile(Interface):
    """A content or an open file may provide this, too, if its bytes are a file of this machine.

    A web server in front of the daemon can then send the file itself (``--offload``).
    """

    def local_path() -> Path | None:
        """Return the absolute path of the file as it is now; ``None`` if it has none, or it is unknown.

        Called in the reactor's thread; it must not block.
        """
