"""The serial of the last change of each project, and of all, kept in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import define, field

__all__ = ["Serials"]


@define(eq=False)
class Serials:
    """Serials by project. They only grow."""

    last: int = field(default=0, init=False)
    """The largest serial that was ever heard of."""
    _serials: dict[str, int] = field(factory=dict, init=False)
    _is_sorted: bool = field(default=True, init=False)
    _view: Mapping[str, int] | None = field(default=None, init=False)

    def __contains__(self, name: object) -> bool:
        return name in self._serials

    def __len__(self) -> int:
        return len(self._serials)

    def __getitem__(self, name: str) -> int:
        return self._serials.get(name, 0)

    @property
    def view(self) -> Mapping[str, int]:
        """All of them, sorted by name: the very same object until one changes."""
        if self._view is None:
            if not self._is_sorted:
                self._serials, self._is_sorted = dict(sorted(self._serials.items())), True
            self._view = MappingProxyType(self._serials.copy())
        return self._view

    def put(self, name: str, serial: int, exists: bool) -> None:
        """Hear of a project's last change, and whether it is still there."""
        serial = max(serial, self[name])
        self.last = max(self.last, serial)
        if exists and self._serials.get(name) != serial:
            self._is_sorted = self._is_sorted and name in self._serials
            self._serials[name] = serial
            self._view = None
        elif not exists and self._serials.pop(name, None) is not None:
            self._view = None

    def add(self, names: Iterable[str]) -> None:
        """Hear of projects that nothing else is known of yet."""
        for name in names:
            if name not in self._serials:
                self.put(name, 0, exists=True)

    def update(self, serials: Mapping[str, int], last: int) -> None:
        """Hear of all projects that are in the catalog, and the serial of the last change of all."""
        for name, serial in serials.items():
            self.put(name, serial, exists=True)
        self.last = max(self.last, last)
