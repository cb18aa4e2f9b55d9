"""What systemd is told of the daemon: sd_notify(3).

Each message is one datagram to the socket that ``NOTIFY_SOCKET`` names. Nothing is sent if there is none,
as under an init script, in a container or in a terminal.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

__all__ = ["ServiceManager"]

_log = Logger(namespace="pypid")


@define(eq=False)
class ServiceManager:
    """The connection to the service manager. For the reactor's thread; it does not block."""

    _clock: IReactorTime
    _address: str = ""
    """The path of the socket, or its abstract name after a ``@``; empty if nobody listens."""
    _watchdog: float = 0
    """The interval in seconds in which a sign of life is expected; 0 if none is."""
    _signs: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._signs = LoopingCall(self._send, "WATCHDOG=1")
        self._signs.clock = self._clock

    @classmethod
    def of(cls, environment: Mapping[str, str], clock: IReactorTime) -> ServiceManager:
        """Return the manager that started this process; see sd_notify(3) and sd_watchdog_enabled(3)."""
        address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        is_meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        is_number = microseconds.isascii() and microseconds.isdigit()
        watchdog = int(microseconds) / 1_000_000 if is_number and is_meant else 0
        return cls(clock, address if address.startswith(("/", "@")) else "", watchdog)

    def ready(self, status: str) -> None:
        """Report that the daemon serves, after a start or a reload. Then signs of life are given."""
        self._send("READY=1", f"STATUS={status}")
        if self._address and self._watchdog and not self._signs.running:
            # Twice as often as they are expected, as sd_watchdog_enabled(3) advises.
            self._signs.start(self._watchdog / 2)

    def reloading(self) -> None:
        """Report that a reload begins; :meth:`ready` ends it, also if it failed."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=reading the configuration again")

    def stopping(self, status: str) -> None:
        """Report that the daemon begins to stop. Signs of life go on until :meth:`close`."""
        self._send("STOPPING=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """Report the state of the daemon in one line, for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def close(self) -> None:
        """Send no more signs of life."""
        if self._signs.running:
            self._signs.stop()

    def _send(self, *assignments: str) -> None:
        """Send one message. A service manager that does not take it is no reason not to serve."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        message = "\n".join(" ".join(one.splitlines()) for one in assignments)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as one:
                one.sendto(message.encode(), address)
        except OSError as error:
            _log.warn("The service manager cannot be told: {error}", error=error)
