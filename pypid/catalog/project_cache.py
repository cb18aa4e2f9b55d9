"""A cache of the projects requested most recently."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from attrs import define, field, frozen

from pypid.model import Project

__all__ = ["CachedProject", "ProjectCache"]

MAX_FILES = 20_000
"""The greatest number of files of all cached projects together: some 30 MB."""


@frozen(eq=False)
class CachedProject:
    """A project, or its absence, with the fingerprint of the storage at that time."""

    fingerprint: Hashable
    """The fingerprint."""
    project: Project | None
    """The project; ``None`` if it does not exist."""

    @property
    def weight(self) -> int:
        """The number of its files, plus one."""
        return 1 + len(self.project.files) if self.project is not None else 1


@define(eq=False)
class ProjectCache:
    """A cache that drops the least recently requested projects first."""

    _entries: OrderedDict[str, CachedProject] = field(factory=OrderedDict, init=False)
    _weight: int = field(default=0, init=False)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def get(self, name: str) -> CachedProject | None:
        """Return a project's entry, or ``None`` if it is not cached, and count this as a use."""
        entry = self._entries.get(name)
        if entry is not None:
            self._entries.move_to_end(name)
        return entry

    def fingerprint(self, name: str, project: Project) -> Hashable | None:
        """Return the fingerprint with which this very object was cached, or ``None`` if it is not cached."""
        entry = self._entries.get(name)
        return entry.fingerprint if entry is not None and entry.project is project else None

    def put(self, name: str, entry: CachedProject) -> None:
        """Keep an entry, whatever its weight, and drop others to make room."""
        self.drop(name)
        self._entries[name] = entry
        self._weight += entry.weight
        while self._weight > MAX_FILES and len(self._entries) > 1:
            _, oldest = self._entries.popitem(last=False)
            self._weight -= oldest.weight

    def drop(self, name: str) -> None:
        """Drop a project's entry, if it is cached."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._weight -= entry.weight

    def clear(self) -> None:
        """Drop all entries."""
        self._entries.clear()
        self._weight = 0
