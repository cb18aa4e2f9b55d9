"""A process's knowledge of projects, without a query of the tables."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from attrs import define, field
from prometheus_client.core import GaugeMetricFamily, Metric

from pypid.catalog.project_cache import ProjectCache
from pypid.catalog.project_scan import ProjectScan
from pypid.catalog.reconciler import Reconciled
from pypid.catalog.serials import Serials
from pypid.model import Project

__all__ = ["CatalogState"]


@define(eq=False)
class CatalogState:
    """Serials, saved fingerprints and a cache of projects. Changed only in the reactor's thread."""

    cache: ProjectCache = field(factory=ProjectCache, init=False)
    """The projects requested most recently."""
    serials: Serials = field(factory=Serials, init=False)
    """The serials of all projects."""
    failing: dict[str, str] = field(factory=dict, init=False)
    """The errors of failed scans, by project. These are not tried again every second."""
    _saved: dict[str, Hashable] = field(factory=dict, init=False)
    """The fingerprints of projects whose files were all read and saved."""

    @property
    def saved(self) -> int:
        """The number of projects whose files were all read and saved."""
        return len(self._saved)

    def is_saved(self, name: str, fingerprint: Hashable) -> bool:
        """Return whether the current state of a project was saved completely. Any thread may call it."""
        return self._saved.get(name, self) == fingerprint

    def validator(
        self, name: str, project: Project | None, find_fingerprint: Callable[[str], Hashable]
    ) -> Hashable | None:
        """Return a value for the current state of a project, or ``None`` if it was not saved completely.

        :param project: the project in that state, if it is at hand; its fingerprint then need not be found.
        """
        known = self.cache.fingerprint(name, project) if project is not None else None
        fingerprint = known if known is not None else find_fingerprint(name)
        return (fingerprint, self.serials[name]) if self.is_saved(name, fingerprint) else None

    def apply(self, scan: ProjectScan, reconciled: Reconciled) -> bool:
        """Apply the result of a scan; return whether it holds until the fingerprint changes."""
        is_current = reconciled.serial >= self.serials[scan.name]  # or the journal began just now
        exists = scan.stored is not None
        self.serials.put(scan.name, reconciled.serial, exists=exists)
        self._saved.pop(scan.name, None)
        self.failing.pop(scan.name, None)
        if is_current and reconciled.final and exists:
            self._saved[scan.name] = scan.fingerprint
        return is_current and not scan.passing

    def forget(self, name: str) -> None:
        """Forget the state of a project, so that it is scanned again."""
        self.cache.drop(name)
        self._saved.pop(name, None)

    def collect(self) -> Iterable[Metric]:
        """Return the numbers of projects, and the serial of the last change, as far as they are known."""
        numbers = (
            ("pypid_catalog_projects", "Projects that the catalog knows.", len(self.serials)),
            ("pypid_catalog_serial", "Serial of the last change in the journal.", self.serials.last),
            ("pypid_catalog_unreadable_projects", "Projects that cannot be read.", len(self.failing)),
        )
        for name, summary, number in numbers:
            yield GaugeMetricFamily(name, summary, number)

    def clear_saved(self) -> None:
        """Forget what was saved, so that all projects are scanned again."""
        self._saved.clear()
