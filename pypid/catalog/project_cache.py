"""The projects that were asked for last, kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from attrs import define, field, frozen

from pypid.model import Project

__all__ = ["ProjectCache", "CachedProject"]

MAX_FILES = 20_000
"""How many files all of them together may have: some 30 MB."""


@frozen(eq=False)
class CachedProject:
    """A project, or its absence, as it was when the storage gave a fingerprint."""

    fingerprint: Hashable
    """The fingerprint."""
    project: Project | None
    """The project."""

    @property
    def weight(self) -> int:
        """How much it counts."""
        return 1 + len(self.project.files) if self.project is not None else 1


@define(eq=False)
class ProjectCache:
    """As many as there is room for; the one that was not asked for the longest time goes first."""

    _entries: OrderedDict[str, CachedProject] = field(factory=OrderedDict, init=False)
    _weight: int = field(default=0, init=False)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str) -> CachedProject | None:
        """Give a project's entry, if it is there."""
        entry = self._entries.get(name)
        if entry is not None:
            self._entries.move_to_end(name)
        return entry

    def put(self, name: str, entry: CachedProject) -> None:
        """Keep an entry, whatever it weighs, and maybe no other one."""
        self.drop(name)
        self._entries[name] = entry
        self._weight += entry.weight
        while self._weight > MAX_FILES and len(self._entries) > 1:
            _, oldest = self._entries.popitem(last=False)
            self._weight -= oldest.weight

    def drop(self, name: str) -> None:
        """Forget a project's entry, if it is there."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._weight -= entry.weight

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._weight = 0
