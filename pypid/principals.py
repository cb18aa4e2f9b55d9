"""Principals, credentials, actions and roles: the values of sign-in and access, without I/O."""

from __future__ import annotations

import re
from enum import Enum
from fnmatch import fnmatchcase

from attrs import field, frozen

__all__ = ["TOKEN_USER", "Action", "Credentials", "Limits", "Principal", "Role", "is_user_name"]

TOKEN_USER = "__token__"  # noqa: S105
"""The user name that clients send with a token, the same as for PyPI."""

_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}")


class Action(Enum):
    """An action that a principal may be permitted to do."""

    READ = "read"
    """See pages and download files."""
    UPLOAD = "upload"
    """Publish new files of a local project."""
    CREATE = "create"
    """Publish the first file of a project that is not local."""
    YANK = "yank"
    """Yank and un-yank releases and files."""
    DELETE = "delete"
    """Remove files and releases for good."""
    ADMINISTER = "administer"
    """Change a project's status, owners and maintainers."""


class Role(Enum):
    """The role of a principal in a project."""

    OWNER = "owner"
    """Administers the project and its people."""
    MAINTAINER = "maintainer"
    """Publishes and yanks its files."""


@frozen
class Credentials:
    """The user name and the secret of a request; never logged, and not in the ``repr``."""

    username: str
    """The user name; empty if a token was sent alone."""
    password: str = field(repr=False)
    """The password or token."""


@frozen
class Limits:
    """The limits of a token; the rights of its user limit it further."""

    actions: frozenset[Action]
    """The permitted actions; :attr:`Action.UPLOAD` includes :attr:`Action.CREATE`."""
    projects: tuple[str, ...] = ()
    """Patterns of the normalized names of permitted projects; empty for all projects."""
    metrics: bool = False
    """Whether the token may see the daemon's metrics. No user may that with a password."""

    def permits(self, action: Action, project: str | None) -> bool:
        """Return whether these limits permit an action.

        :param project: a normalized name. ``None`` asks whether the action is permitted with any project.
        """
        wanted = Action.UPLOAD if action is Action.CREATE else action
        if wanted not in self.actions:
            return False
        return project is None or not self.projects or any(fnmatchcase(project, one) for one in self.projects)


@frozen
class Principal:
    """A user whose credentials were right."""

    name: str
    """The user name, as in records and access rules."""
    limits: Limits | None = None
    """The limits of the token; ``None`` if the user signed in with a password."""


def is_user_name(text: str) -> bool:
    """Return whether ``text`` is a valid user name."""
    return _USER.fullmatch(text) is not None and text != TOKEN_USER
