"""The roles that decide who a client is, and what it may do."""

from __future__ import annotations

from collections.abc import Hashable

from zope.interface import Attribute, Interface

from pypid.model import Action, Credentials, Principal, Role

__all__ = ["IAccessPolicy", "IAuthenticator"]


class IAuthenticator(Interface):
    """Checks credentials: passwords or tokens.

    A provider may also have an attribute ``summary``: a few words for the log at start on who can
    sign in, such as "2 users of /etc/pypid/htpasswd"; empty if nobody can.

    All methods are called in the reactor's thread.
    """

    def open() -> None:
        """Get ready. Called once, at the same time as :meth:`IStorage.open`; it may block.

        :raises CannotStart: the provider cannot work; the message says why.
        """

    def close() -> None:
        """Release all resources, without blocking. No other call follows."""

    def is_usable() -> bool:
        """Return whether anybody can sign in with this provider now.

        Called in the reactor's thread, with each request that has credentials; it must not block.
        """

    async def revision() -> Hashable | None:
        """Return a value that differs whenever credentials that were right may be wrong by now.

        pypid remembers the success of :meth:`authenticate` for five minutes, and only while this returns
        an equal value. A provider that returns a new value each time has nothing remembered; one that
        cannot know of changes returns a constant. Called with every request that has credentials, so it
        costs as little as a look at a file's time.

        :returns: ``None`` if :meth:`authenticate` itself is quick, and its secrets cannot be guessed, such
            as tokens. It is then called with every request, and no limit on wrong guesses refuses that.
        """

    async def authenticate(credentials: Credentials) -> Principal | None:
        """Return the principal of these credentials, or ``None`` if they are wrong.

        An unknown user takes the same time as a wrong password. Requests are refused after too many wrong
        guesses, and only a few of these calls run at once.

        :raises StorageUnavailable: the provider is too busy to check; the client should try again.
        """


class IAccessPolicy(Interface):
    """Decides who may do what."""

    summary: str = Attribute("One line for the log at start: who may do what.")

    def open() -> None:
        """Get ready. Called once, at the same time as :meth:`IStorage.open`; it may block.

        :raises CannotStart: the provider cannot work; the message says why.
        """

    def close() -> None:
        """Release all resources. Called in the reactor's thread, without blocking. No other call follows."""

    def permits(
        principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        """Return whether ``principal`` may do ``action`` with ``project``.

        Called in the reactor's thread and in workers' threads, at the same time; it must not block.
        Permission to read is asked often: for each project that a list might show.

        :param principal: the client; ``None`` for a client without credentials.
        :param project: a normalized name, whether the project exists or not. ``None`` asks whether the action
            is permitted with any project at all: before a list is shown, or when only the
            headers of an upload are known.
        :param roles: the roles of the principal in the project; with ``project`` ``None``, all roles that it
            may have in one. Empty for :attr:`Action.READ`, which never depends on roles: the project is not
            looked at for it.
        """

    def visibility_key(principal: Principal | None) -> Hashable | None:
        """Return a key for the set of projects that ``principal`` may read, or ``None`` for all projects.

        Lists are kept in memory under this key. Called in the reactor's thread; it must not block,
        and costs no more than :meth:`permits`.

        :param principal: the client, who may read something.
        :returns: ``None`` if ``principal`` may read every project, whatever its name. Otherwise a value that
            is equal for two principals only if they may read the same projects, and that is a new one,
            never returned before, when the policy has changed.
        """
