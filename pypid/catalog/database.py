"""The file of the tables, which may vanish, be locked, be damaged or find no room at any time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from attrs import define, field
from twisted.logger import Logger

from pypid.catalog import schema
from pypid.errors import PypidError

__all__ = ["Database", "Unavailable"]

RESPITE = 5.0
"""How long, in seconds, nothing is tried again after a failure: each try may have to wait."""

# SQLITE_ERROR is what is said when the tables are not there.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)

P = ParamSpec("P")
T = TypeVar("T")


class Unavailable(PypidError):
    """The tables cannot be used now; nothing that cannot be made anew is in them."""


@define(eq=False)
class Database:
    """Keeps the file open, and makes it anew when it has to. It blocks; one thread at a time may use it."""

    path: Path | None
    """Where it is; ``None`` keeps the tables in memory."""
    _seconds: Callable[[], float]
    """The time in seconds."""
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _identity: tuple[int, int] | None = field(default=None, init=False)
    _failed: float | None = field(default=None, init=False)
    _broken: Callable[..., object] | None = field(default=None, init=False)
    """What failed first, and has not been done since."""
    _log = Logger()

    def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function with a connection and give what it returns.

        :raises Unavailable: it could not do its work, or something could not shortly before.
        """
        if self._failed is not None and 0 <= self._seconds() - self._failed < RESPITE:
            raise Unavailable("the catalog could not be used a moment ago")
        try:
            try:
                result = function(self._connect(), *args, **kwargs)
            except sqlite3.DatabaseError as error:
                if self.path is None or getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                    raise
                self._log.warn(
                    "{path} is damaged, and made anew: {error}", path=str(self.path), error=str(error)
                )
                self.close()
                schema.delete(self.path)
                result = function(self._connect(), *args, **kwargs)
        except (sqlite3.Error, OSError) as error:
            self._give_up(function, error)
            raise Unavailable(str(error)) from error
        if self._broken is function:
            self._broken = None
            self._log.info("{path} can be used again", path=str(self.path))
        return result

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and self._identity != self._found():
            self.close()
        if self._connection is None:
            self._connection = schema.connect(self.path) if self.path is not None else schema.in_memory()
            self._identity = self._found()
        return self._connection

    def _found(self) -> tuple[int, int] | None:
        """Tell which file is there now."""
        if self.path is None:
            return None
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _give_up(self, function: Callable[..., object], error: Exception) -> None:
        if self._broken is None:
            self._broken = function
            self._log.warn(
                "{path} cannot be used, so pages are made without it: {error}",
                path=str(self.path),
                error=str(error),
            )
        self._failed = self._seconds()
        if self.path is not None:
            self.close()
