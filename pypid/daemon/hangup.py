"""``SIGHUP``: it reads the configuration again. If it says that the terminal is gone, the daemon stops."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pypid.runtime.reactors import IIndexReactor

__all__ = ["Hangup"]

_log = Logger(namespace="pypid")


@define(eq=False)
class Hangup:
    """Answers ``SIGHUP`` while the daemon runs."""

    _reload: Callable[[], Awaitable[object]]
    """Reads the configuration again. It does not raise."""
    _reactor: IIndexReactor
    _before: Any = field(default=None, init=False)
    _has_terminal: bool = field(default=False, init=False)

    def start(self) -> None:
        """Answer the signal from now on. Only the main thread may do that; elsewhere nothing happens."""
        self._has_terminal = _has_terminal()
        try:
            self._before = signal.signal(signal.SIGHUP, self._received)
        except ValueError:
            self._before = None

    def stop(self) -> None:
        """Ignore the signal from now on."""
        if self._before is not None:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self._before = None

    def _received(self, *_: object) -> None:
        self._reactor.callFromThread(self._act)

    def _act(self) -> None:
        if self._has_terminal and not _has_terminal():
            _log.info("the terminal is closed: the daemon stops")
            self._reactor.stop()
        elif self._before is not None:
            Deferred.fromCoroutine(_awaited(self._reload))


def _has_terminal() -> bool:
    """Return whether standard input is a terminal that is still there."""
    try:
        os.tcgetpgrp(0)
    except OSError:
        return False
    return True


async def _awaited(reload: Callable[[], Awaitable[object]]) -> None:
    await reload()
