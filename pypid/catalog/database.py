"""The SQLite file of the tables, which may vanish, be locked or damaged, or find no room at any time."""

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
"""The time after a failure, in seconds, without another try: each try may have to wait."""

# SQLITE_ERROR means that the tables are missing.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)

P = ParamSpec("P")
T = TypeVar("T")


class Unavailable(PypidError):
    """The tables cannot be used now. Everything in them can be rebuilt."""


@define(eq=False)
class Database:
    """Keeps the file open, and rebuilds it when it is damaged. Blocks; for one thread at a time."""

    path: Path | None
    """The path of the file; ``None`` keeps the tables in memory."""
    _seconds: Callable[[], float]
    """Returns the time in seconds."""
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _identity: tuple[int, int] | None = field(default=None, init=False)
    _failed: float | None = field(default=None, init=False)
    _broken: Callable[..., object] | None = field(default=None, init=False)
    """The function that failed first, until it succeeds."""
    _log = Logger()

    def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function with a connection, and return its result.

        :raises Unavailable: the function failed, or one failed within the last :data:`RESPITE` seconds.
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

    def delete(self) -> None:
        """Delete the file. :raises Unavailable: it cannot be deleted."""
        self.close()
        if self.path is not None:
            try:
                schema.delete(self.path)
            except OSError as error:
                raise Unavailable(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
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
        """Return device and inode of the file, or ``None`` if there is none."""
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
