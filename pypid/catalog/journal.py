"""What the tables tell of serials, to a process that is not the only one to write them."""

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
    """Brings what a process knows up to what is written, by reading on where it stopped."""

    _state: CatalogState
    _ask: Callable[..., Awaitable[Any]]
    """Calls a function of :mod:`pypid.catalog.tables`. :raises Unavailable: they cannot be used."""
    _data_version: DataVersion
    _read_to: int = field(default=0, init=False)
    """The last serial that was read; those that this process wrote itself are read as well."""
    _loaded: bool = field(default=False, init=False)
    _version: Hashable | None = field(default=None, init=False)
    """What was written when it was read."""
    _reading: SingleFlight[None] = field(factory=SingleFlight, init=False)

    async def load(self, *, again: bool = False) -> None:
        """Hear of the serials of all projects, unless that was done."""
        if again or not self._loaded:
            with suppress(Unavailable):
                # What is written between the two is read on from here.
                last = await self._ask(tables.last_serial)
                self._state.serials.update(await self._ask(tables.serials), last)
                self._read_to, self._loaded = last, True

    async def catch_up(self) -> None:
        """Hear of what others wrote before this was called; without waiting if there was nothing."""
        await self.load()
        for _ in range(2):
            if self._data_version.version() in (None, self._version):
                return
            joined = None in self._reading
            with suppress(Unavailable):
                await self.read_on()
            if not joined:
                return
            # That one may have been read before what this caller has to hear of was written.

    async def read_on(self) -> None:
        """Hear of what was written since this was done the last time.

        :raises Unavailable: the tables cannot be used.
        """
        await self._reading.run(None, self._read_on)

    async def _read_on(self) -> None:
        version = self._data_version.version()
        last, changed_since = await self._ask(tables.changed_since, self._read_to)
        if last < self._read_to:  # it was made anew
            await self.load(again=True)
        for name, serial, exists in changed_since:
            self._state.serials.put(name, serial, exists=exists)
        self._read_to, self._version = last, version

    def close(self) -> None:
        """Let go of everything."""
        self._data_version.close()
