"""Cheap detection of writes to the tables by any process."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from itertools import count
from pathlib import Path

from attrs import define, field

__all__ = ["DataVersion"]


@define(eq=False)
class DataVersion:
    """Detects writes to the tables by this process or another.

    It has a connection of its own. A query takes a ``stat`` and a look into memory that SQLite shares
    between processes: some microseconds. It never waits, so it is for the reactor's thread, and only for
    that one.
    """

    path: Path | None
    """The path of the SQLite file; ``None`` if the tables are in memory, where no other process can write."""
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _identity: tuple[int, int] | None = field(default=None, init=False)
    _numbers: count[int] = field(factory=count, init=False)
    _number: int = field(default=0, init=False)

    def version(self) -> Hashable | None:
        """Return a value that differs after every write, or ``None`` while that is unknown."""
        if self.path is None:
            return None
        try:
            status = self.path.stat()
            if self._connection is None or self._identity != (status.st_dev, status.st_ino):
                self.close()
                self._connection = sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?mode=ro", timeout=0, isolation_level=None, uri=True
                )
                self._identity, self._number = (status.st_dev, status.st_ino), next(self._numbers)
            [[version]] = self._connection.execute("PRAGMA data_version")
        except (OSError, sqlite3.Error):
            self.close()
            return None
        return self._number, version

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
