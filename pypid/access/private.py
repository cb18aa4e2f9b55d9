"""Nothing is free: even reading is for those who sign in."""

from __future__ import annotations

from attrs import field, frozen

from pypid.access.open import OpenAccess
from pypid.access.rule_file import OPEN, USERS, Grants
from pypid.model import Action

__all__ = ["PrivateAccess"]

_GRANTS = {**OPEN, Action.READ: frozenset({USERS})}


@frozen
class PrivateAccess(OpenAccess):
    """Lets users read and upload, owners and maintainers do more, and nobody else anything."""

    summary: str = "only signed-in users may read and upload; owners may yank and delete, maintainers yank"
    _grants: Grants = field(default=_GRANTS, repr=False)
