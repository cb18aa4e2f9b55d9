"""An access policy for tests, under which readers see different projects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fnmatch import fnmatchcase

from attrs import define, field
from zope.interface import implementer

from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal, Role

__all__ = ["ReadersAccess"]


@implementer(IAccessPolicy)
@define(eq=False)
class ReadersAccess:
    """Users may read the projects listed for them, and do everything else."""

    anybody: Sequence[str] = ()
    """Patterns of the projects that everybody may read, strangers included."""
    users: Mapping[str, Sequence[str]] = field(factory=dict)
    """Patterns of the further projects that each user may read."""
    summary: str = "each user may read what is listed for them"
    _changes: int = field(default=0, init=False)

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def permits(
        self,
        principal: Principal | None,
        action: Action,
        project: str | None,
        roles: frozenset[Role],  # noqa: ARG002
    ) -> bool:
        """Return whether ``principal`` may do ``action`` with ``project``."""
        if action is not Action.READ:
            return principal is not None
        patterns = self._patterns(principal)
        return bool(patterns) if project is None else any(fnmatchcase(project, one) for one in patterns)

    def visibility_key(self, principal: Principal | None) -> Hashable | None:
        """Return a value for the patterns of ``principal``; ``None`` if they include ``*``."""
        patterns = self._patterns(principal)
        return None if "*" in patterns else (self._changes, patterns)

    def change(self, *anybody: str, **users: Sequence[str]) -> None:
        """Replace all patterns."""
        self.anybody, self.users = anybody, users
        self._changes += 1

    def _patterns(self, principal: Principal | None) -> tuple[str, ...]:
        return (*self.anybody, *(self.users.get(principal.name, ()) if principal is not None else ()))
