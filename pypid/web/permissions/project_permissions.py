"""What somebody may change: for that it counts what they are in the project, and whether it is here."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations

from attrs import frozen

from pypid.errors import Forbidden, PypidError
from pypid.index.acceptance import Permit, Standing
from pypid.interfaces import ICatalog
from pypid.model import Action, Principal, Role
from pypid.web.http.request import IndexRequest
from pypid.web.permissions.authorization import Authorization

__all__ = ["ProjectPermissions"]

ALL, NONE = frozenset(Role), frozenset[Role]()
ROLES = tuple(map(frozenset, chain.from_iterable(combinations(Role, n) for n in range(len(Role) + 1))))
"""All that somebody can be in a project."""


@frozen
class ProjectPermissions:
    """Asks for permission to change what is published."""

    authorization: Authorization
    """Decides."""
    catalog: ICatalog
    """Knows who is what in a project."""

    async def check(self, request: IndexRequest, action: Action, name: str) -> Principal | None:
        """Give who sent a request, if they may do this with a project of normalized name.

        Who may read a project that is not here is let through, to be told so.

        :raises Unauthenticated: not as a stranger.
        :raises Forbidden: not at all.
        """
        principal = await self.authorization.principal(request)
        await self.require(principal, action, name)
        return principal

    async def require(self, principal: Principal | None, action: Action, name: str) -> None:
        """Check that somebody may do something with a project; as :meth:`check`."""
        project = await self.catalog.project(name)
        if project is not None:
            self._require(principal, action, name, project.roles(principal), bool(project.owners))
        else:
            may_read = self.authorization.permits(principal, Action.READ, name)
            self.authorization.require(principal, action, name, ALL if may_read else NONE)

    def permit(self, principal: Principal | None, action: Action, name: str) -> Permit:
        """Ask now whether somebody may do something with a project, whatever that turns out to be.

        :param name: the project's normalized name; it need not be here. To publish its first file is
            to make it.
        :returns: what, for any project that it may be, says nothing, or raises

            - :exc:`Unauthenticated`: not as a stranger;
            - :exc:`Forbidden`: not at all.
        """
        first = self._refusal(lambda: self.authorization.require(principal, Action.CREATE, name))
        makes = action is Action.UPLOAD
        refusals = {
            (roles, is_owned): self._refusal(
                lambda roles=roles, is_owned=is_owned: self._require(  # type: ignore[misc]
                    principal, action, name, roles, is_owned
                )
            )
            for roles in ROLES
            for is_owned in (False, True)
        }

        def permit(standing: Standing) -> None:
            known = refusals[standing.roles(principal), bool(standing.owners)]
            refusal = first if makes and not standing.is_founded else known
            if refusal is not None:
                raise refusal

        return permit

    def require_any_upload(self, principal: Principal | None) -> None:
        """Check that somebody may publish a file of any project there could be. Raises as :meth:`check`."""
        if not self.authorization.permits(principal, Action.CREATE, None, ALL):
            self.authorization.require(principal, Action.UPLOAD, None, ALL)

    @staticmethod
    def _refusal(ask: Callable[[], None]) -> PypidError | None:
        try:
            ask()
        except PypidError as error:
            return error.with_traceback(None)
        return None

    def _require(
        self, principal: Principal | None, action: Action, name: str, roles: frozenset[Role], is_owned: bool
    ) -> None:
        """Check that somebody who has these roles in a project may do something with it."""
        if not is_owned and self.authorization.permits(principal, Action.READ, name):
            self._refuse_unowned(principal, action, name, roles)
        self.authorization.require(principal, action, name, roles)

    def _refuse_unowned(
        self, principal: Principal | None, action: Action, name: str, roles: frozenset[Role]
    ) -> None:
        """Tell somebody who could do this as an owner that there is none. :raises Forbidden: so it is."""
        permits = self.authorization.permits
        if not permits(principal, action, name, roles) and permits(principal, action, name, ALL):
            raise Forbidden(
                f"nobody owns the project {name} yet: the administrator of this index names an owner"
                f" with `{self.authorization.command or 'pypid --root ROOT'} owner add {name} NAME`"
            )
