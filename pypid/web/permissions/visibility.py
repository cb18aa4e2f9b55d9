"""What a reader sees of the index, where not everybody sees all of it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from attrs import field, frozen

from pypid.interfaces import IWorkers
from pypid.model import Action, Change, Principal
from pypid.web.permissions.authorization import Authorization

__all__ = ["Visibility"]


@frozen
class Visibility:
    """The part of the index that a reader may see. Whoever may see all of it waits for nothing."""

    _authorization: Authorization
    _principal: Principal | None
    """The reader."""
    _workers: IWorkers
    """Where long lists are gone through."""
    key: Hashable | None = field(init=False)
    """Equal for readers who see the same; ``None`` if they see everything."""

    @key.default
    def _make_key(self) -> Hashable | None:
        return self._authorization.view(self._principal)

    async def projects(self, projects: Mapping[str, int]) -> Mapping[str, int]:
        """Give those of some projects, with their serials by name, that the reader sees."""
        if self.key is None:
            return projects
        return await self._workers.run(self._seen, projects)

    async def changes(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Give those of some changes that the reader sees."""
        if self.key is None:
            return changes
        seen = await self._workers.run(self._seen, {change.project: change.serial for change in changes})
        return [change for change in changes if change.project in seen]

    def _seen(self, projects: Mapping[str, int]) -> Mapping[str, int]:
        """Ask for each project; runs in a worker."""
        permits = self._authorization.permits
        return {
            name: serial for name, serial in projects.items() if permits(self._principal, Action.READ, name)
        }
