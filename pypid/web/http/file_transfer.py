"""The sending of files that are on this machine: by the kernel where it can, else in chunks."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.errors import StorageUnavailable
from pypid.interfaces import ISendableContent
from pypid.runtime.kernel_cache import is_in_memory
from pypid.runtime.send_bytes import send
from pypid.web.http.plain_socket import is_flushed, is_plain, write_now

__all__ = ["FileChannel", "send_local"]

WINDOW = 1024 * 1024
"""Largest number of bytes that are sent before other connections have their turn, about 0.3 ms."""


class FileChannel(Protocol):
    """The attributes and methods of a connection that the sending of a file uses."""

    transport: Any
    _waitingForTransport: bool
    """Whether the connection is paused, because much that was written is not with the kernel yet."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Register a producer, which is paused while the client is slow."""

    def unregisterProducer(self) -> None:
        """Unregister the producer."""

    def write(self, data: bytes) -> None:
        """Write bytes."""

    def stopProducing(self) -> None:
        """Notify the requests of the connection that the client is gone."""

    def resumeProducing(self) -> None:
        """Go on, since everything written is with the kernel now."""


def send_local(
    channel: FileChannel,
    content: ISendableContent,
    start: int,
    stop: int,
    sent: Callable[[int], object],
    head: bytes = b"",
) -> Deferred[None] | None:
    """Send a head, and after it bytes of a file, as fast as the client takes them.

    Nothing may be written to the connection meanwhile. The content must stay open until the end.

    :param sent: is called each time with the number of bytes of the file that were sent.
    :returns: ``None`` if everything is sent already, else a Deferred. It fails with
        :exc:`StorageUnavailable` if the bytes cannot be read, so that the connection must be cut; and with
        :exc:`CancelledError` if the client went away. If it is cancelled, the sending ends.
    """
    if is_plain(channel.transport):
        return _Transfer(channel, content, start, stop, sent).begin(head)
    channel.transport.write(head)
    # The consumer has only the methods that the sending uses.
    consumer: Any = channel
    return Deferred.fromCoroutine(send(partial(_read, content, sent), consumer, start, stop))


async def _read(content: ISendableContent, sent: Callable[[int], object], offset: int, length: int) -> bytes:
    """Return up to ``length`` bytes: now if they are in the kernel's memory, or else by way of a worker.

    :raises StorageUnavailable: they cannot be read.
    """
    if not is_in_memory(content.fileno(), offset, offset + length):
        await content.load(offset, offset + length)
    try:
        data = os.pread(content.fileno(), length, offset)
    except OSError as error:
        raise StorageUnavailable("a file cannot be read now; try again later") from error
    sent(len(data))
    content.count(len(data))
    return data


@implementer(IPullProducer)
@define(eq=False)
class _Transfer:
    """Has the kernel send bytes of a file to a plain socket (sendfile(2)). For the reactor's thread.

    It takes the place of the connection as the producer of the transport, which calls it whenever all
    that was written is with the kernel. So the order of all bytes is kept. Bytes that the kernel does
    not have in memory are first read in a worker, so that nobody waits for the disk.
    """

    _channel: FileChannel
    _content: ISendableContent
    _offset: int
    _stop: int
    _sent: Callable[[int], object]
    _in_memory: int = field(init=False)
    """The offset up to which the bytes were found to be in memory."""
    _loading: Deferred[None] | None = field(default=None, init=False)
    _is_registered: bool = field(default=False, init=False)
    _outcome: Deferred[None] | None = field(default=None, init=False)
    _is_over: bool = field(default=False, init=False)
    _failure: Exception | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._in_memory = self._offset

    @property
    def _transport(self) -> Any:
        return self._channel.transport

    def begin(self, head: bytes) -> Deferred[None] | None:
        """Send the head and what the socket takes of the file now. See :func:`send_local`."""
        if head:
            write_now(self._transport, head, more=self._look_ahead())
        self.resumeProducing()
        if self._is_over and self._failure is None:
            return None
        self._outcome = Deferred(lambda _: self._end(CancelledError()))
        if self._failure is not None:
            self._outcome.errback(self._failure)
            return self._outcome
        self._transport.unregisterProducer()
        # This calls resumeProducing once more, which does no harm.
        self._transport.registerProducer(self, False)
        self._is_registered = True
        return self._outcome

    def resumeProducing(self) -> None:
        """Send some bytes: called when the socket has room, and everything written before has been sent."""
        transport = self._transport
        if self._is_over or self._loading is not None or not (transport.connected and is_flushed(transport)):
            return
        if self._offset == self._stop:
            self._end(None)
        elif not self._look_ahead():
            self._load()
        elif self._send() and self._offset == self._stop:
            self._end(None)

    def stopProducing(self) -> None:
        """End the sending, because the connection is lost."""
        self._is_registered = False  # the transport has no producer any more
        self._channel.stopProducing()
        self._end(CancelledError())

    def _look_ahead(self) -> bool:
        """Return whether the next bytes are in memory."""
        if self._offset >= self._in_memory:
            end = min(self._offset + WINDOW, self._stop)
            if not is_in_memory(self._content.fileno(), self._offset, end):
                return False
            self._in_memory = end
        return True

    def _send(self) -> bool:
        """Have the kernel send bytes, and ask for the next turn. Return whether it took any."""
        try:
            sent = os.sendfile(
                self._transport.fileno(),
                self._content.fileno(),
                self._offset,
                self._in_memory - self._offset,
            )
        except BlockingIOError:
            self._transport.startWriting()
            return False
        except ConnectionError:
            self._transport.abortConnection()
            return False
        except OSError as error:
            self._end(_unreadable(error))
            return False
        if not sent:
            self._end(StorageUnavailable("the file became shorter while it was sent"))
            return False
        self._offset += sent
        self._sent(sent)
        self._content.count(sent)
        if self._offset < self._stop:
            self._transport.startWriting()
        return True

    def _load(self) -> None:
        """Have the next bytes read by a worker, and then go on."""
        end = min(self._offset + WINDOW, self._stop)
        self._loading = Deferred.fromCoroutine(self._content.load(self._offset, end))
        self._loading.addCallbacks(self._loaded, self._not_loaded, (end,))

    def _loaded(self, _: None, end: int) -> None:
        self._loading, self._in_memory = None, end
        self.resumeProducing()

    def _not_loaded(self, failure: Failure) -> None:
        self._loading = None
        self._end(failure.value if isinstance(failure.value, Exception) else CancelledError())

    def _end(self, failure: Exception | None) -> None:
        """Give the transport back to the connection, and tell the outcome."""
        if self._is_over:
            return
        self._is_over, self._failure = True, failure
        if self._is_registered:
            self._is_registered = False
            self._transport.unregisterProducer()
            self._transport.registerProducer(self._channel, True)
            if self._channel._waitingForTransport:
                self._channel.resumeProducing()
        if self._outcome is not None and not self._outcome.called:
            if failure is None:
                self._outcome.callback(None)
            else:
                self._outcome.errback(failure)


def _unreadable(error: OSError) -> StorageUnavailable:
    return StorageUnavailable(f"a file cannot be sent now: {error.strerror}")
