"""The other end of :mod:`pypid.daemon.control`: commands for the running daemons of a root."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pypid.errors import CannotStart

__all__ = ["ask_daemons"]

PATIENCE = 120
"""How long to wait for the answer of a daemon, in seconds."""
MAX_ANSWER = 1024 * 1024


def ask_daemons(directory: Path, command: str) -> Sequence[tuple[bool, Sequence[str]]]:
    """Return what each running daemon answers to a command: whether it is done, and lines about it. Blocks.

    :param directory: the directory of the sockets.
    :raises CannotStart: the directory may not be used.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return []
    except OSError as error:
        hint = "; run this as the daemon's user, or as root" if isinstance(error, PermissionError) else ""
        raise CannotStart(f"cannot use {directory}: {error.strerror}{hint}") from error
    try:
        names = sorted(path.name for path in directory.iterdir())
        found = [_ask(f"/proc/self/fd/{descriptor}/{name}", command) for name in names]
    finally:
        os.close(descriptor)
    return [answer for answer in found if answer is not None]


def _ask(path: str, command: str) -> tuple[bool, Sequence[str]] | None:
    """Return what one daemon answers, or ``None`` if it does not live any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(path)
        except FileNotFoundError:
            return None
        except ConnectionRefusedError:
            with suppress(OSError):
                Path(path).unlink()  # it was killed, and has left the socket behind
            return None
        except OSError as error:
            return False, [f"the daemon cannot be reached: {error.strerror or error}"]
        try:
            connection.sendall(json.dumps({"command": command}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(_received(connection))
            return bool(answer["is_done"]), [str(line) for line in answer["lines"]]
        except (OSError, ValueError, LookupError, TypeError):
            return False, ["the daemon gave no answer; its log has more"]


def _received(connection: socket.socket) -> bytes:
    """Return everything that arrives up to the end."""
    data = b""
    while len(data) < MAX_ANSWER and (more := connection.recv(65536)):
        data += more
    return data
