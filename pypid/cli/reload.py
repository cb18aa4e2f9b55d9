"""The verb ``reload``: have the running daemons read their configuration again, and tell what came of it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pypid.cli.open_index import IndexOptions
from pypid.errors import CannotStart

__all__ = ["reload"]

PATIENCE = 120
"""How long to wait for the answer of a daemon, in seconds."""
MAX_ANSWER = 1024 * 1024


@click.command(short_help="Have the daemon read its configuration again.")
@click.pass_obj
def reload(index: IndexOptions) -> None:
    """Have the daemon read its configuration again, and print what has changed.

    Users, rights, upstreams, reserved names, limits and TLS files take effect at once, and no request is
    dropped. If anything is wrong, nothing changes, and the command ends with 1.
    """
    directory = index.layout.control
    answers = _answers(directory)
    if not answers:
        raise CannotStart(f"no daemon runs on {index.path}, or it is one of another machine or container")
    for is_done, lines in answers:
        for line in lines:
            click.echo(line if is_done else f"pypid: {line}", err=not is_done)
        if not is_done:
            click.echo("pypid: nothing was changed; the daemon goes on with what it had", err=True)
    click.get_current_context().exit(0 if all(is_done for is_done, _ in answers) else 1)


def _answers(directory: Path) -> Sequence[tuple[bool, Sequence[str]]]:
    """Return what each daemon answers. :raises CannotStart: a socket may not be used."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return []
    except OSError as error:
        hint = "; run this as the daemon's user, or as root" if isinstance(error, PermissionError) else ""
        raise CannotStart(f"cannot use {directory}: {error.strerror}{hint}") from error
    try:
        names = sorted(path.name for path in directory.iterdir())
        found = [_ask(f"/proc/self/fd/{descriptor}/{name}") for name in names]
    finally:
        os.close(descriptor)
    return [answer for answer in found if answer is not None]


def _ask(path: str) -> tuple[bool, Sequence[str]] | None:
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
            connection.sendall(b'{"command": "reload"}\n')
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
