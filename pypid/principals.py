"""Who asks, and what may be done: the words of sign-in and access, without I/O."""

from __future__ import annotations

import re
from enum import Enum
from fnmatch import fnmatchcase

from attrs import field, frozen

__all__ = ["TOKEN_USER", "Action", "Credentials", "Limits", "Principal", "Role", "is_user_name"]

TOKEN_USER = "__token__"  # noqa: S105
"""The user name that clients send with a token, as PyPI has it."""

_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}")


class Action(Enum):
    """What a principal may be permitted to do."""

    READ = "read"
    """See pages and download files."""
    UPLOAD = "upload"
    """Publish new files of a project that is here."""
    CREATE = "create"
    """Publish the first file of a project that is not here."""
    YANK = "yank"
    """Yank and un-yank releases and files."""
    DELETE = "delete"
    """Remove files and releases for good."""
    ADMINISTER = "administer"
    """Change a project's status and who may do what with it."""


class Role(Enum):
    """What a principal may be in a project."""

    OWNER = "owner"
    """Decides what becomes of it, and who may do what with it."""
    MAINTAINER = "maintainer"
    """Publishes its files, and yanks them."""


@frozen
class Credentials:
    """Who a request claims to come from; never logged and never in a ``repr``."""

    username: str
    """The user name; empty where a token came alone."""
    password: str = field(repr=False)
    """The password or token."""


@frozen
class Limits:
    """What a token may be used for; its user's rights are the other limit."""

    actions: frozenset[Action]
    """What may be done; whoever may upload may also create."""
    projects: tuple[str, ...] = ()
    """Patterns of normalized names with which it may be done; empty for all."""

    def permit(self, action: Action, project: str | None) -> bool:
        """Tell whether they leave room for an action.

        :param project: a normalized name. ``None`` asks whether there is any such project.
        """
        wanted = Action.UPLOAD if action is Action.CREATE else action
        if wanted not in self.actions:
            return False
        return project is None or not self.projects or any(fnmatchcase(project, one) for one in self.projects)


@frozen
class Principal:
    """Somebody whose credentials were right."""

    name: str
    """The name that records and rules know."""
    limits: Limits | None = None
    """What the credentials themselves allow; ``None`` if they are the user's own."""


def is_user_name(text: str) -> bool:
    """Tell whether a user can be called so."""
    return _USER.fullmatch(text) is not None and text != TOKEN_USER
