"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Hashable

from zope.interface import Attribute, Interface

from pypid.model import Action, Credentials, Principal, Role

__all__ = ["IAccessPolicy", "IAuthenticator"]


class IAuthenticator(Interface):
    """Knows users, or tokens, by their credentials.

    It may have a ``summary``, too: a few words for the log at the start on who can sign in by it,
    such as "2 users of /etc/pypid/htpasswd"; empty if nobody can.
    """

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    def is_usable() -> bool:
        """Tell whether anybody can sign in with it now; asked with each request that has credentials."""

    async def recall(credentials: Credentials) -> Principal | None:
        """Give the principal whose credentials these are, if that takes no work; else ``None``.

        Called with every request that has credentials, so providers remember successes for
        a while. Whoever is not recalled may be refused, for guessing, before
        :meth:`authenticate` is called. A provider with nothing to guess, or nothing that
        takes long, answers here as there.
        """

    async def authenticate(credentials: Credentials) -> Principal | None:
        """Give the principal whose credentials these are, or ``None``.

        Takes the same time for an unknown user as for a wrong password.

        :raises StorageUnavailable: it is too busy to tell; the client should try again.
        """


class IAccessPolicy(Interface):
    """Decides who may do what."""

    summary: str = Attribute("One line for the log at start: who may do what.")

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    def permits(
        principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        """Tell whether ``principal`` may do ``action`` with ``project``.

        Reading is asked for often, and in threads too: of each project that a list might show.

        :param principal: who asks; ``None`` is anybody.
        :param project: a normalized name, whether it exists or not. ``None`` asks whether
            there could be any project that it is permitted with: before a list is shown, or
            of an upload of which only the headers are known yet.
        :param roles: what the principal is in the project; with ``None``, what it may be in one.
            Reading never depends on roles: it is asked often, without looking at the project, so
            there are none.
        """

    def view(principal: Principal | None) -> Hashable | None:
        """Tell those who may read all projects from those who may read some.

        Lists are kept in memory by it, so it costs no more than :meth:`permits`.

        :param principal: who asks, and may read something.
        :returns: ``None`` if ``principal`` may read every project, whatever its name. Else a value that
            is equal for two only if they may read the same projects, and one that it never was
            before when the policy has changed its mind.
        """
