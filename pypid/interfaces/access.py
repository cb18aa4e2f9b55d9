"""Who asks, and what they may do."""

from __future__ import annotations

from zope.interface import Attribute, Interface

from pypid.model import Action, Credentials, Principal, Role

__all__ = ["IAccessPolicy", "IAuthenticator"]


class IAuthenticator(Interface):
    """Knows users, or tokens, by their credentials."""

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    def is_usable() -> bool:
        """Tell whether anybody can sign in with it now; asked with each request that has credentials."""

    async def authenticate(credentials: Credentials) -> Principal | None:
        """Give the principal whose credentials these are, or ``None``.

        Takes the same time for an unknown user as for a wrong password. Called with every
        request that has credentials, so providers remember successes for a while.

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

        :param principal: who asks; ``None`` is anybody.
        :param project: a normalized name, whether it exists or not. ``None`` asks whether there
            could be any project that it is permitted with, as for an upload of which only the
            headers are known yet.
        :param roles: what the principal is in the project; with ``None``, what it may be in one.
            Reading never depends on roles: it is asked often, without looking at the project, so
            there are none.
        """
