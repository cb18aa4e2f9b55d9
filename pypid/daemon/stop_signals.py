"""The signals that end the daemon: the first lets requests end, the second does not wait for them.

Twisted's own handlers make ``twistd`` die of the signal after a clean stop, so that its exit status looks
like a failure. With these it is 0.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from pypid.runtime.reactors import IIndexReactor

__all__ = ["StopSignals"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_log = Logger(namespace="pypid")


@define(eq=False)
class StopSignals:
    """Handles SIGTERM and SIGINT."""

    _reactor: IIndexReactor
    _hurry: Callable[[], object]
    """Called in the reactor's thread at the second signal."""
    _old: dict[int, Any] = field(factory=dict, init=False)
    _are_stopping: bool = field(default=False, init=False)

    def install(self) -> None:
        """Handle the signals from now on, if this is the main thread. To be called while the reactor runs.

        A signal that is ignored stays ignored: a shell starts programs so in the background.
        """
        if threading.current_thread() is threading.main_thread():
            for one in _SIGNALS:
                if signal.getsignal(one) is not signal.SIG_IGN:
                    self._old[one] = signal.signal(one, self._handle)

    def uninstall(self) -> None:
        """Restore the handlers that the signals had before."""
        while self._old:
            number, handler = self._old.popitem()
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        if not self._are_stopping:
            self._are_stopping = True
            _log.info("Received {name}, shutting down.", name=name)
            self._reactor.callFromThread(self._reactor.stop)
        else:
            _log.info("Received {name} again: requests are cut off.", name=name)
            self._reactor.callFromThread(self._hurry)
