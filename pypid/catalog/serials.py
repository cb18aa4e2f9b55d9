"""The serials of the last changes of all projects, kept in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from attrs import define, field

__all__ = ["LONG", "Serials"]

LONG = 5000
"""The number of projects above which sorting or copying takes too long for the reactor's thread."""


@define(eq=False)
class Serials:
    """Serials by project. They only grow. For the reactor's thread, unless said otherwise."""

    last: int = field(default=0, init=False)
    """The largest serial so far."""
    version: int = field(default=0, init=False)
    """The number of changes so far."""
    departures: int = field(default=0, init=False)
    """The number of projects that were removed so far."""
    _serials: dict[str, int] = field(factory=dict, init=False)
    _order: list[str] = field(factory=list, init=False)
    """Sorted names; some may be gone, and new ones are missing."""
    _new: list[str] = field(factory=list, init=False)
    _view: Mapping[str, int] | None = field(default=None, init=False)

    def __contains__(self, name: object) -> bool:
        return name in self._serials

    def __len__(self) -> int:
        return len(self._serials)

    def __getitem__(self, name: str) -> int:
        return self._serials.get(name, 0)

    @property
    def view(self) -> Mapping[str, int] | None:
        """All serials, sorted by name: the same object until one changes. ``None`` if sorting takes long."""
        if self._view is None and len(self._serials) <= LONG:
            self._view = self.sorted(self.order())
        return self._view

    def order(self) -> Sequence[str]:
        """Return all names, sorted; some may be of removed projects."""
        if len(self._new) > LONG or len(self._order) <= LONG:
            self._order = sorted(self._serials)
        else:
            for name in self._new:
                place = bisect_left(self._order, name)
                if self._order[place : place + 1] != [name]:
                    self._order.insert(place, name)
        self._new.clear()
        return self._order.copy()

    def sorted(self, order: Iterable[str]) -> Mapping[str, int]:
        """Return the serials in the given order of names. Any thread may call it while serials change."""
        found = ((name, self._serials.get(name)) for name in order)
        return MappingProxyType({name: serial for name, serial in found if serial is not None})

    def keep(self, view: Mapping[str, int]) -> None:
        """Keep a view of the current serials."""
        self._view = view

    def names(self) -> Sequence[str]:
        """Return the names of all projects, in any order."""
        return list(self._serials)

    def differing(self, names: Iterable[str]) -> set[str]:
        """Return the names that are only here, or only among those given. Any thread may call it."""
        return self._serials.keys() ^ frozenset(names)

    def put(self, name: str, serial: int, exists: bool) -> None:
        """Take the serial of a project's last change, and whether the project still exists."""
        serial = max(serial, self[name])
        self.last = max(self.last, serial)
        if exists and self._serials.get(name) != serial:
            if name not in self._serials:
                self._new.append(name)
            self._serials[name] = serial
            self._view, self.version = None, self.version + 1
        elif not exists and self._serials.pop(name, None) is not None:
            self.departures += 1
            self._view, self.version = None, self.version + 1

    def add(self, names: Iterable[str]) -> None:
        """Add projects whose serials are still unknown."""
        for name in names:
            if name not in self._serials:
                self.put(name, 0, exists=True)

    def update(self, serials: Mapping[str, int], last: int) -> None:
        """Take the serials of all projects in the catalog, and the serial of the last change of all."""
        for name, serial in serials.items():
            self.put(name, serial, exists=True)
        self.last = max(self.last, last)
