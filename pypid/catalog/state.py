"""What a process knows of projects without asking the tables."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field

from pypid.catalog.project_cache import ProjectCache
from pypid.catalog.project_scan import ProjectScan
from pypid.catalog.reconciler import Reconciled
from pypid.catalog.serials import Serials

__all__ = ["CatalogState"]


@define(eq=False)
class CatalogState:
    """Which serials projects have, in which state they were written down, and some of them whole."""

    entries: ProjectCache = field(factory=ProjectCache, init=False)
    """Projects that were asked for."""
    serials: Serials = field(factory=Serials, init=False)
    """The serials of all."""
    failing: dict[str, str] = field(factory=dict, init=False)
    """Why projects could not be looked at the last time. Nobody tries again every second."""
    _settled: dict[str, Hashable] = field(factory=dict, init=False)
    """With which fingerprint a project was written down whole."""

    def is_settled(self, name: str, fingerprint: Hashable) -> bool:
        """Tell whether a project was written down whole as it is now."""
        return self._settled.get(name, self) == fingerprint

    def edition(self, name: str, fingerprint: Hashable) -> Hashable | None:
        """Give a value for a project as it is now, or ``None`` if it was not written down whole."""
        return (fingerprint, self.serials[name]) if self.is_settled(name, fingerprint) else None

    def hear(self, look: ProjectScan, settled: Reconciled) -> bool:
        """Hear what was found out about a project; return whether that holds until its fingerprint moves."""
        is_current = settled.serial >= self.serials[look.name]  # or the journal began just now
        exists = look.stored is not None
        self.serials.put(look.name, settled.serial, exists=exists)
        self._settled.pop(look.name, None)
        self.failing.pop(look.name, None)
        if is_current and settled.final and exists:
            self._settled[look.name] = look.fingerprint
        return is_current and not look.passing

    def forget(self, name: str) -> None:
        """Have a project looked at anew."""
        self.entries.drop(name)
        self._settled.pop(name, None)

    def unsettle(self) -> None:
        """Have all projects looked at anew: nothing is written down any more."""
        self._settled.clear()
