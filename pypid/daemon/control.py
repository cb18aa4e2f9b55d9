"""A socket below the root over which ``pypid reload`` talks to the daemon.

It is ``<root>/.pypid/control/<random>``, for the daemon's user alone, and each daemon on the root has one. A
request is one line of JSON, ``{"command": "reload"}``, and so is the answer: ``{"is_done": true,
"lines": [...]}``.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Port as TcpPort
from twisted.internet.unix import Port
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from pypid.runtime.reactors import IIndexReactor

__all__ = ["Command", "Control"]

Command = Callable[[], Awaitable[tuple[bool, Sequence[str]]]]
"""Does something, and returns whether it is done, and lines about it for people."""

TIMEOUT = 10.0
"""How long a client may take to say what it wants, in seconds."""

_log = Logger(namespace="pypid")


@define(eq=False)
class Control:
    """Listens on the socket while the daemon runs."""

    _directory: Path
    _commands: Mapping[str, Command]
    _reactor: IIndexReactor
    _port: IListeningPort | None = field(default=None, init=False)
    _descriptor: int | None = field(default=None, init=False)
    """The open directory: the path of a socket may have 108 bytes, and that through it is short."""

    def start(self) -> None:
        """Make the directory, and listen. Blocks briefly. Without it the daemon runs as well."""
        factory: Any = Factory.forProtocol(_Connection)
        factory.commands, factory.reactor, factory.noisy = self._commands, self._reactor, False
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            self._directory.chmod(0o700)
            self._descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            path = f"/proc/self/fd/{self._descriptor}/{secrets.token_hex(8)}"
            port = _Port(os.fsencode(path), factory, mode=0o600, reactor=self._reactor)
            port.startListening()
            self._port = port
        except Exception as error:
            _log.warn("`pypid reload` cannot reach this daemon, only SIGHUP can: {error}", error=str(error))

    async def stop(self) -> None:
        """Stop listening, and remove the socket."""
        if self._port is not None:
            stopped = self._port.stopListening()
            self._port = None
            if isinstance(stopped, Deferred):
                await stopped
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Port(Port):
    """A socket that can be closed even if somebody has removed it, or the directory that it is in."""

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket."""
        try:
            super().connectionLost(reason)
        except FileNotFoundError:
            TcpPort.connectionLost(self, reason)


class _Connection(LineOnlyReceiver):
    """Takes one command, answers it, and ends."""

    MAX_LENGTH = 1024
    delimiter = b"\n"
    factory: Any
    transport: Any

    def connectionMade(self) -> None:
        """Begin to wait for the command."""
        self._patience = self.factory.reactor.callLater(TIMEOUT, self.transport.abortConnection)

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: ARG002
        """Stop waiting. A command that has begun goes on."""
        if self._patience.active():
            self._patience.cancel()

    def lineReceived(self, line: bytes) -> None:
        """Do what a line says."""
        if self._patience.active():
            self._patience.cancel()
        try:
            name = json.loads(line)["command"]
            command = self.factory.commands[name]
        except (ValueError, LookupError, TypeError, RecursionError):
            self._answer((False, ["there is no such command; is `pypid` of the daemon's version?"]))
            return
        answer = Deferred.fromCoroutine(_awaited(command))
        answer.addCallbacks(self._answer, self._failed)

    def _failed(self, failure: Failure) -> None:
        _log.failure("A command failed", failure)
        self._answer((False, ["it failed; the log of the daemon has more"]))

    def _answer(self, answer: tuple[bool, Sequence[str]]) -> None:
        is_done, lines = answer
        self.transport.write(json.dumps({"is_done": is_done, "lines": list(lines)}).encode() + b"\n")
        self.transport.loseConnection()


async def _awaited(command: Command) -> tuple[bool, Sequence[str]]:
    """Return the outcome of a command."""
    return await command()
