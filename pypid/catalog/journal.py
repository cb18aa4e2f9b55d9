"""The serials in the tables, which several processes may write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Any

from attrs import define, field

from pypid.catalog import tables
from pypid.catalog.data_version import DataVersion
from pypid.catalog.database import Unavailable
from pypid.catalog.state import CatalogState
from pypid.runtime.single_flight import SingleFlight

__all__ = ["Journal"]


@define(eq=False)
class Journal:
    """Keeps a process's serials up to date, by reading the journal on from its last position."""

    _state: CatalogState
    _ask: Callable[..., Awaitable[Any]]
    """Calls a function of :mod:`pypid.catalog.tables`. :raises Unavailable: the tables cannot be used."""
    _data_version: DataVersion
    _read_to: int = field(default=0, init=False)
    """The last serial read. Serials written by this process are read as well."""
    _loaded: bool = field(default=False, init=False)
    _version: Hashable | None = field(default=None, init=False)
    """The version of the data at the last reading."""
    _reading: SingleFlight[None] = field(factory=SingleFlight, init=False)

    async def load(self, *, again: bool = False) -> None:
        """Read the serials of all projects, unless they were read before."""
        if again or not self._loaded:
            with suppress(Unavailable):
                # Changes between the two queries are read on from here.
                last = await self._ask(tables.last_serial)
                self._state.serials.update(await self._ask(tables.serials), last)
                self._read_to, self._loaded = last, True

    async def catch_up(self) -> None:
        """Read the changes that others wrote before this call; without waiting if there are none."""
        await self.load()
        for _ in range(2):
            if self._data_version.version() in (None, self._version):
                return
            joined = None in self._reading
            with suppress(Unavailable):
                await self.read_on()
            if not joined:
                return
            # That reading may have begun before the changes that this caller has to see.

    async def read_on(self) -> None:
        """Read the changes since the last call.

        :raises Unavailable: the tables cannot be used.
        """
        await self._reading.run(None, self._read_on)

    async def _read_on(self) -> None:
        version = self._data_version.version()
        last, changed_since = await self._ask(tables.changed_since, self._read_to)
        if last < self._read_to:  # the file was rebuilt
            await self.load(again=True)
        for name, serial, exists in changed_since:
            self._state.serials.put(name, serial, exists=exists)
        self._read_to, self._version = last, version

    def close(self) -> None:
        """Close the connection that detects writes."""
        self._data_version.close()
