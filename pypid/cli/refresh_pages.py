"""The refresh of cached pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pypid.cli.retry import PAUSES, attempt_each
from pypid.errors import NotFound, Withheld
from pypid.index.resolution import Resolver

__all__ = ["Refresh"]


@define
class Refresh:
    """Refreshes pages, a few at a time. A failure does not stop the rest."""

    _resolver: Resolver
    _reactor: IReactorTime
    pauses: Sequence[float] = PAUSES
    """The seconds to wait before each retry."""
    failures: list[str] = field(factory=list, init=False)
    """A line for each failure, with the reason."""
    refreshed: int = field(default=0, init=False)
    """The number of pages that are now up to date."""
    gone: int = field(default=0, init=False)
    """The number of pages that the upstreams no longer have."""

    async def run(self, names: Sequence[str], step: Callable[[object], None]) -> None:
        """Refresh the pages of projects. Projects that are published here are not asked for upstream.

        :param step: called with each project once its page was refreshed, or failed.
        """
        failed = await attempt_each(names, self._ask, step, self._reactor, self.pauses)
        gone = {name for name, error in failed.items() if isinstance(error, NotFound)}
        self.gone = len(gone)
        self.refreshed = len(names) - len(failed)
        self.failures += sorted(f"{name}: {error}" for name, error in failed.items() if name not in gone)

    async def _ask(self, name: str) -> None:
        with suppress(Withheld):  # the page was fetched; requests for it report that
            await self._resolver.project(name, refresh=True)
