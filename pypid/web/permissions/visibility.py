"""Visibility of projects and changes, where not every reader may see the whole index."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from attrs import field, frozen

from pypid.interfaces import IWorkers
from pypid.model import Action, Change, Principal
from pypid.web.permissions.authorization import Authorization

__all__ = ["Visibility"]


@frozen
class Visibility:
    """The part of the index that a reader may see. There is no delay for a reader who may see all of it."""

    _authorization: Authorization
    _principal: Principal | None
    """The reader."""
    _workers: IWorkers
    """The workers for long lists."""
    key: Hashable | None = field(init=False)
    """A value that is equal for readers who see the same projects; ``None`` if the reader sees everything."""

    @key.default
    def _make_key(self) -> Hashable | None:
        return self._authorization.visibility_key(self._principal)

    async def projects(self, projects: Mapping[str, int]) -> Mapping[str, int]:
        """Return the visible ones of some projects. Projects are given and returned as serials by name."""
        if self.key is None:
            return projects
        return await self._workers.run(self._seen, projects)

    async def changes(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Return the visible ones of some changes."""
        if self.key is None:
            return changes
        seen = await self._workers.run(self._seen, {change.project: change.serial for change in changes})
        return [change for change in changes if change.project in seen]

    def _seen(self, projects: Mapping[str, int]) -> Mapping[str, int]:
        """Return the visible ones of some projects. Runs in a worker."""
        permits = self._authorization.permits
        return {
            name: serial for name, serial in projects.items() if permits(self._principal, Action.READ, name)
        }
