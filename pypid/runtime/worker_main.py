"""The program of a worker process, which calls one function after the other for its parent.

``python -m pypid.runtime.worker_main N`` speaks on the socket with the descriptor N. A call is a pickled
pair of a function and its arguments. If it needs a file, the descriptor comes with it, and the file is its
first argument. The answer is a pickled pair of the result and ``None``, or of ``None`` and the exception.
Both ends belong to the same installation and the same user, so each may believe the other's pickles.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from struct import Struct

__all__ = ["READY", "main", "receive", "send"]

READY = b"ready"
"""The first message of the process."""
NICENESS = 10
"""How much the process yields to others: on a busy machine readers come first."""

_LENGTH = Struct("!Q")


def send(channel: socket.socket, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
    """Send a message, and duplicates of descriptors with it. Blocks.

    :raises OSError: the other end is gone.
    """
    socket.send_fds(channel, [_LENGTH.pack(len(message))], descriptors)
    channel.sendall(message)


def receive(channel: socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """Return the next message and the descriptors that came with it. Blocks.

    :raises EOFError: the other end is gone.
    :raises OSError: the same, or it said nothing for the channel's time limit.
    """
    header, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, 1, socket.MSG_CMSG_CLOEXEC)
    if not header:
        raise EOFError
    [length] = _LENGTH.unpack(header + _exactly(channel, _LENGTH.size - len(header)))
    return _exactly(channel, length), tuple(descriptors)


def _exactly(channel: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = channel.recv(min(length - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _answer(message: bytes, descriptors: tuple[int, ...]) -> bytes:
    """Make a call, and return its pickled outcome."""
    with ExitStack() as stack:
        files = [stack.enter_context(os.fdopen(descriptor, "rb")) for descriptor in descriptors]
        for file in files:
            file.seek(0)
        try:
            function, arguments = pickle.loads(message)  # noqa: S301  # the parent's
            return pickle.dumps((function(*files, *arguments), None))
        except Exception as error:
            try:
                return pickle.dumps((None, error))
            except Exception:
                return pickle.dumps((None, RuntimeError(repr(error))))


def main(descriptor: int) -> None:
    """Answer calls until the parent is gone."""
    # A terminal or a service manager may signal all processes of the daemon. The parent ends this one.
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    with suppress(OSError):  # a service manager may forbid it
        os.nice(NICENESS)
    with socket.socket(fileno=descriptor) as channel:
        try:
            send(channel, READY)
            while True:
                send(channel, _answer(*receive(channel)))
        except (EOFError, ConnectionError):
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
