"""Nothing is free: even reading is for those who sign in."""

from __future__ import annotations

from attrs import frozen
from zope.interface import implementer

from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal

__all__ = ["PrivateAccess"]


@implementer(IAccessPolicy)
@frozen
class PrivateAccess:
    """Lets any user do everything, and nobody else anything."""

    summary: str = "only signed-in users may read, upload, yank and delete"

    def permits(self, principal: Principal | None, action: Action, project: str | None) -> bool:  # noqa: ARG002
        """Tell whether ``principal`` is somebody."""
        return principal is not None

    def view(self, principal: Principal | None) -> None:
        """Give ``None``: whoever may read may read everything."""
