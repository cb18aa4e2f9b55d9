"""The audit trail: who has changed what, and whose sign-in has failed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from attrs import define, field
from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

__all__ = ["AuditFile", "audit"]

_log = Logger(namespace="pypid.audit")
MODE = 0o640
"""The permissions of a new file of audit lines."""


def audit(message: str, *, action: str, who: str, **details: str) -> None:
    """Log that something was changed, or that somebody failed to sign in.

    :param message: one line for people.
    :param action: a word for it: ``publish``, ``yank``, ``sign-in`` and others.
    :param who: the name of the user, or a description of who it was.
    :param details: what was changed, and more.
    """
    _log.info("{message}", message=message, audit={"action": action, "who": who, **details})


@implementer(ILogObserver)
@define(eq=False)
class AuditFile:
    """Appends audit lines to a file, one JSON object each, in any number of processes.

    The file is opened anew when it was renamed or removed. Any thread may call it; it blocks for one write.
    """

    path: Path
    """The path of the file; it is made if it is missing."""
    _file: int | None = field(default=None, init=False)
    _inode: tuple[int, int] | None = field(default=None, init=False)
    _has_failed: bool = field(default=False, init=False)

    def open(self) -> None:
        """Open the file. :raises OSError: it cannot be written to."""
        self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(self.path, flags, MODE)
        found = os.fstat(self._file)
        self._inode = found.st_dev, found.st_ino

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __call__(self, event: LogEvent) -> None:
        """Write an event, if it is one of the audit trail. A failure is logged once."""
        details = event.get("audit")
        if not isinstance(details, dict):
            return
        time = datetime.fromtimestamp(event.get("log_time") or 0.0, UTC).isoformat(timespec="milliseconds")
        found = {"time": time, "message": event.get("message", ""), **details}
        line = (json.dumps(found, default=str).replace("\x7f", "\\u007f") + "\n").encode("ascii")
        try:
            if self._file is None or self._is_elsewhere():
                self.open()
            os.write(self._file or 0, line)
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                reason = error.strerror
                _log.error("Audit lines cannot be written to {path}: {reason}", path=self.path, reason=reason)
        else:
            self._has_failed = False

    def _is_elsewhere(self) -> bool:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self._inode
