"""Asking upstreams again for the pages that are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, field

from pypid.cli.retry import PAUSES, attempt_each
from pypid.errors import NotFound, Withheld
from pypid.index.resolution import Resolver

__all__ = ["Refresh"]


@define
class Refresh:
    """Asks for pages, some at a time; what cannot be had does not stop the rest."""

    _sources: Resolver
    _reactor: Any
    pauses: Sequence[float] = PAUSES
    """After how many seconds what failed is tried again."""
    failures: list[str] = field(factory=list, init=False)
    """What could not be had, and why, a line each."""
    refreshed: int = field(default=0, init=False)
    """How many pages are as their upstreams have them."""
    gone: int = field(default=0, init=False)
    """How many their upstreams do not have any more."""

    async def run(self, names: Sequence[str], step: Callable[[object], None]) -> None:
        """Ask for the pages of projects; those that are published here are not asked for.

        :param step: is told of each that was asked for, or could not be.
        """
        failed = await attempt_each(names, self._ask, step, self._reactor, self.pauses)
        gone = {name for name, error in failed.items() if isinstance(error, NotFound)}
        self.gone = len(gone)
        self.refreshed = len(names) - len(failed)
        self.failures += sorted(f"{name}: {error}" for name, error in failed.items() if name not in gone)

    async def _ask(self, name: str) -> None:
        with suppress(Withheld):  # which is said when the page is known
            await self._sources.project(name, refresh=True)
