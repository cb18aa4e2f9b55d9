"""Where the log goes: the file that twistd was told, or its standard output."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from attrs import define
from twisted.logger import ILogObserver, LogEvent, LogLevel
from twisted.python.logfile import LogFile
from zope.interface import implementer

from pypid.daemon.log_lines import FORMATS
from pypid.runtime.reactors import global_reactor

__all__ = ["LEVELS", "LogDestination", "choose", "chosen", "log_destination"]

LEVELS = {level.name: level for level in LogLevel.iterconstants()}
"""The levels by their names: debug, info, warn, error, critical."""
_ORDER = {level: number for number, level in enumerate(LEVELS.values())}


@implementer(ILogObserver)
@define(eq=False)
class LogDestination:
    """Writes events at or above a level to a file. Any thread may call it."""

    _file: TextIO | LogFile
    _format: Callable[[LogEvent], str]
    level: str
    """The least level that is written; it may be changed at any time. Audit lines are always written."""

    def __call__(self, event: LogEvent) -> None:
        """Write the lines of an event."""
        level = event.get("log_level") or LogLevel.info
        if _ORDER[level] < _ORDER[LEVELS[self.level]] and "audit" not in event:
            return
        if text := self._format(event):
            self._file.write(text)
            self._file.flush()


def log_destination(options: Mapping[str, Any], form: str, level: str) -> LogDestination:
    """Return the destination for twistd's options. It opens the log file, and takes over ``SIGUSR1``.

    Without ``--nodaemon`` and ``--logfile`` the file is ``twistd.log``, as twistd has it. ``SIGUSR1`` makes
    it begin a new file.

    :param form: ``text`` or ``json``.
    :param level: the name of the least level.
    """
    path, is_foreground = options.get("logfile"), bool(options.get("nodaemon"))
    if path == "-" and not is_foreground:
        sys.exit("Daemons cannot log to stdout, exiting!")
    if path == "-" or (is_foreground and not path):
        return LogDestination(sys.stdout, FORMATS[form], level)
    file = LogFile.fromFullPath(path or "twistd.log")
    if not signal.getsignal(signal.SIGUSR1):

        def rotate(*_: object) -> None:
            global_reactor().callFromThread(file.rotate)

        signal.signal(signal.SIGUSR1, rotate)
    return LogDestination(file, FORMATS[form], level)


_chosen: list[tuple[Mapping[str, Any], str, str]] = []


def choose(options: Mapping[str, Any], form: str, level: str) -> str:
    """Choose the destination for twistd's options, and return the name under which twistd asks for it.

    twistd takes no function as its logger, but only a name that it imports.
    """
    _chosen[:] = [(options, form, level)]
    return f"{__name__}.{chosen.__name__}"


def chosen() -> LogDestination:
    """Return the chosen destination. Called by twistd, once, when it has parsed all options."""
    [(options, form, level)] = _chosen
    return log_destination(options, form, level)
