"""Reading is free, everything else is for those who sign in."""

from __future__ import annotations

from attrs import frozen
from zope.interface import implementer

from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal

__all__ = ["OpenAccess"]


@implementer(IAccessPolicy)
@frozen
class OpenAccess:
    """Lets anybody read, and any user do everything else."""

    summary: str = "anyone may read; signed-in users may upload, yank and delete"

    def permits(self, principal: Principal | None, action: Action, project: str | None) -> bool:  # noqa: ARG002
        """Tell whether ``principal`` may do ``action``, whatever the project."""
        return action is Action.READ or principal is not None

    def view(self, principal: Principal | None) -> None:
        """Give ``None``: whoever may read may read everything."""
