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

    cache: ProjectCache = field(factory=ProjectCache, init=False)
    """Projects that were asked for."""
    serials: Serials = field(factory=Serials, init=False)
    """The serials of all."""
    failing: dict[str, str] = field(factory=dict, init=False)
    """Why projects could not be looked at the last time. Nobody tries again every second."""
    _saved: dict[str, Hashable] = field(factory=dict, init=False)
    """With which fingerprint a project was written down whole."""

    def is_saved(self, name: str, fingerprint: Hashable) -> bool:
        """Tell whether a project was written down whole as it is now."""
        return self._saved.get(name, self) == fingerprint

    def version_key(self, name: str, fingerprint: Hashable) -> Hashable | None:
        """Give a value for a project as it is now, or ``None`` if it was not written down whole."""
        return (fingerprint, self.serials[name]) if self.is_saved(name, fingerprint) else None

    def apply(self, scan: ProjectScan, reconciled: Reconciled) -> bool:
        """Hear what was found out about a project; return whether that holds until its fingerprint moves."""
        is_current = reconciled.serial >= self.serials[scan.name]  # or the journal began just now
        exists = scan.stored is not None
        self.serials.put(scan.name, reconciled.serial, exists=exists)
        self._saved.pop(scan.name, None)
        self.failing.pop(scan.name, None)
        if is_current and reconciled.final and exists:
            self._saved[scan.name] = scan.fingerprint
        return is_current and not scan.passing

    def forget(self, name: str) -> None:
        """Have a project looked at anew."""
        self.cache.drop(name)
        self._saved.pop(name, None)

    def clear_saved(self) -> None:
        """Have all projects looked at anew: nothing is written down any more."""
        self._saved.clear()
