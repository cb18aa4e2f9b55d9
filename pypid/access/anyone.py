"""Uploading is free too: for an index that nobody but friends can reach."""

from __future__ import annotations

from attrs import field, frozen

from pypid.access.open import OpenAccess
from pypid.access.rule_file import ANYONE, OPEN, Grants
from pypid.model import Action

__all__ = ["AnyoneAccess"]

_GRANTS = {**OPEN, **dict.fromkeys((Action.UPLOAD, Action.CREATE), frozenset({ANYONE}))}


@frozen
class AnyoneAccess(OpenAccess):
    """Lets anybody read and upload; what strangers make belongs to nobody."""

    summary: str = "anyone may read and upload; owners may yank and delete, maintainers yank"
    _grants: Grants = field(default=_GRANTS, repr=False)
