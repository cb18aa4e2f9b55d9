"""The beginning of the journal of a new catalog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, field
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime

from pypid.catalog import tables
from pypid.catalog.database import Unavailable
from pypid.catalog.journal import Journal
from pypid.catalog.scanner import Scanner
from pypid.catalog.state import CatalogState
from pypid.errors import PypidError
from pypid.runtime.single_flight import SingleFlight
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["MANY", "FirstJournal"]

PATIENCE = 1.0
"""The time, in seconds, that pages wait for the journal of a new catalog; it only adds their serials."""
MANY = 100
"""The number of projects above which pages do not wait, and have no serials until the journal begins."""


@define(eq=False)
class FirstJournal:
    """Begins the journal with all files, in the order of their publication.

    Until then, pages have no serials. All methods are for the reactor's thread.
    """

    _storage: ThreadedStorage
    _state: CatalogState
    _scanner: Scanner
    _journal: Journal
    _ask: Callable[..., Awaitable[Any]]
    """Calls a function of :mod:`pypid.catalog.tables`. :raises Unavailable: the tables cannot be used."""
    _clock: IReactorTime | None
    """The clock for waiting; without it, pages wait until the journal has begun."""
    _seconds: Callable[[], float]
    """Returns the time in seconds."""
    _is_closed: Callable[[], bool]
    _began: float = field(default=0.0, init=False)
    """The time when the making of the journal began, in seconds."""
    _making: SingleFlight[None] = field(factory=SingleFlight, init=False)

    async def begin(self) -> None:
        """Begin the journal, or wait until it has begun. :raises Unavailable: the tables cannot be used."""
        await self._making.run(None, self._begin)

    async def wait(self) -> None:
        """Begin the journal, and wait until it has begun, for a bounded time."""
        is_long = len(self._state.serials or await self._all_names()) > MANY
        waiting = self._making.run(None, self._begin)
        if self._clock is not None:
            patience = 0 if is_long else max(0, self._began + PATIENCE - self._clock.seconds())
            waiting.addTimeout(patience, self._clock)
        with suppress(TimedOut, PypidError):
            await waiting

    async def _begin(self) -> None:
        self._began = self._seconds()
        self._state.clear_saved()
        left = await self._all_names()
        while left:
            if self._is_closed():
                raise Unavailable("the catalog is closed")
            left = await self._scanner.save_listings(left)
        await self._ask(tables.number, self._state.serials.last, int(self._seconds() * 1_000_000))
        await self._journal.load(again=True)
        self._state.cache.clear()  # it holds projects without serials

    async def _all_names(self) -> Sequence[str]:
        """Return the names of all projects, and add them to the serials."""
        names = await self._storage.projects()
        self._state.serials.add(names)
        return names
