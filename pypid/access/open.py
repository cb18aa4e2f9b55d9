"""The policies that need no file: projects belong to those who made them, and some actions are free."""

from __future__ import annotations

from attrs import field, frozen
from zope.interface import implementer

from pypid.access.rule_file import ANYONE, OPEN, USERS, Grants, includes
from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal, Role

__all__ = ["AnyoneAccess", "OpenAccess", "PrivateAccess"]

_PRIVATE = {**OPEN, Action.READ: frozenset({USERS})}
_ANYONE = {**OPEN, **dict.fromkeys((Action.UPLOAD, Action.CREATE), frozenset({ANYONE}))}


@implementer(IAccessPolicy)
@frozen
class OpenAccess:
    """Anybody reads, users upload, and owners and maintainers do the rest in their own projects."""

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
        """Return whether ``principal`` may do ``action``; the name of the project makes no difference."""
        return includes(self._grants[action], principal, roles)

    def visibility_key(self, principal: Principal | None) -> None:
        """Return ``None``: whoever may read at all may read every project."""


@frozen
class PrivateAccess(OpenAccess):
    """As :class:`OpenAccess`, but even reading is for signed-in users alone."""

    summary: str = "only signed-in users may read and upload; owners may yank and delete, maintainers yank"
    _grants: Grants = field(default=_PRIVATE, repr=False)


@frozen
class AnyoneAccess(OpenAccess):
    """As :class:`OpenAccess`, but strangers upload too, for an index that only friends can reach.

    The projects that strangers make belong to nobody.
    """

    summary: str = "anyone may read and upload; owners may yank and delete, maintainers yank"
    _grants: Grants = field(default=_ANYONE, repr=False)
