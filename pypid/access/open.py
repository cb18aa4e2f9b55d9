"""Reading is free, and each project belongs to those who made it."""

from __future__ import annotations

from attrs import field, frozen
from zope.interface import implementer

from pypid.access.rule_file import OPEN, Grants, includes
from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal, Role

__all__ = ["OpenAccess"]


@implementer(IAccessPolicy)
@frozen
class OpenAccess:
    """Lets anybody read, users upload, and owners and maintainers do the rest with what is theirs."""

    summary: str = "anyone may read; signed-in users may upload; owners may yank and delete, maintainers yank"
    _grants: Grants = field(default=OPEN, repr=False)

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def permits(
        self,
        principal: Principal | None,
        action: Action,
        project: str | None,  # noqa: ARG002
        roles: frozenset[Role],
    ) -> bool:
        """Tell whether ``principal`` may do ``action``, whatever the project is called."""
        return includes(self._grants[action], principal, roles)

    def view(self, principal: Principal | None) -> None:
        """Give ``None``: whoever may read may read everything."""
