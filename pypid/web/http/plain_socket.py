"""Connections whose bytes go to the client as they are, so that the kernel may send them from elsewhere."""

from __future__ import annotations

from socket import MSG_MORE
from typing import Any

from twisted.internet.tcp import Connection

__all__ = ["is_flushed", "is_plain", "write_now"]


def is_plain(transport: object) -> bool:
    """Return whether neither TLS nor a wrapper, such as that of ``haproxy:``, is before the socket."""
    return isinstance(transport, Connection) and not transport.TLS


def is_flushed(transport: Any) -> bool:
    """Return whether everything that was written to a plain transport is with the kernel."""
    # Twisted has no public way to ask for this.
    return not transport._tempDataLen and not transport.dataBuffer


def write_now(transport: Any, data: bytes, *, more: bool = False) -> None:
    """Write bytes to a transport: at once if it is possible, and else in their turn.

    Twisted alone would write them a turn of the reactor later, after it has asked the kernel twice
    to be told of room. That is a tenth of the time that a page takes.

    :param more: whether more is to be sent at once, so that the kernel may put both into one packet.
    """
    if is_plain(transport) and is_flushed(transport) and transport.connected and not transport.disconnecting:
        try:
            sent = transport.getHandle().send(data, MSG_MORE if more else 0)
        except OSError:  # the socket is full; or it is broken, and then the transport notices that itself
            sent = 0
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)
