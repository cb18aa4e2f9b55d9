"""Permission to change a project. It depends on the principal's roles, and on whether the project exists."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain, combinations

from attrs import frozen

from pypid.errors import Forbidden, PypidError
from pypid.index.acceptance import Permit, ProjectState
from pypid.interfaces import ICatalog
from pypid.model import Action, Principal, Role
from pypid.web.http.request import IndexRequest
from pypid.web.permissions.authorization import Authorization

__all__ = ["ProjectPermissions"]

ALL, NONE = frozenset(Role), frozenset[Role]()
ROLES = tuple(map(frozenset, chain.from_iterable(combinations(Role, n) for n in range(len(Role) + 1))))
"""All possible combinations of roles in a project that has owners."""
UNOWNED_ROLES = tuple(roles for roles in ROLES if Role.OWNER not in roles)
"""All possible combinations of roles in a project without owners."""


@frozen
class ProjectPermissions:
    """Checks permissions to change published projects."""

    authorization: Authorization
    """Decides about each permission."""
    catalog: ICatalog
    """Knows the roles of users in projects."""

    async def check(self, request: IndexRequest, action: Action, name: str) -> Principal | None:
        """Return the principal of a request, and check that it may perform an action on a project.

        If the project is not here, a principal who may read it passes this check, and learns later that
        the project is missing.

        :param name: the project's normalized name.
        :raises Unauthenticated: the action is not permitted without signing in, or see
            :meth:`pypid.web.permissions.authorization.Authorization.principal`.
        :raises TooManyFailures: see the same method.
        :raises StorageUnavailable: see the same method.
        :raises Forbidden: the action is not permitted to this principal.
        """
        principal = await self.authorization.principal(request)
        await self.require(principal, action, name)
        return principal

    async def require(self, principal: Principal | None, action: Action, name: str) -> None:
        """Check that a principal may perform an action on a project; see :meth:`check`."""
        project = await self.catalog.project(name)
        if project is not None:
            self._require(principal, action, name, project.roles(principal), bool(project.owners))
        else:
            may_read = self.authorization.permits(principal, Action.READ, name)
            self.authorization.require(principal, action, name, ALL if may_read else NONE)

    def permit(self, principal: Principal | None, action: Action, name: str) -> Permit:
        """Decide now, for every possible state of a project, whether a principal may perform an action.

        :param name: the project's normalized name; it need not exist. Publishing its first file creates
            the project.
        :returns: a function that takes the project's state. It returns nothing, or raises

            - :exc:`Unauthenticated`: the action is not permitted without signing in;
            - :exc:`Forbidden`: the action is not permitted to this principal.
        """
        first = self._refusal(partial(self.authorization.require, principal, Action.CREATE, name))
        makes = action is Action.UPLOAD
        refusals = {
            (roles, is_owned): self._refusal(partial(self._require, principal, action, name, roles, is_owned))
            for is_owned, possible in ((False, UNOWNED_ROLES), (True, ROLES))
            for roles in (possible if principal is not None else (NONE,))
        }

        def permit(state: ProjectState) -> None:
            known = refusals[state.roles(principal), bool(state.owners)]
            refusal = first if makes and not state.is_founded else known
            if refusal is not None:
                raise refusal

        return permit

    def require_any_upload(self, principal: Principal | None) -> None:
        """Check that a principal may upload to some project, existing or new. Raises as :meth:`check`."""
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
        """Check that a principal with certain roles in a project may perform an action on it."""
        if not is_owned and self.authorization.permits(principal, Action.READ, name):
            self._refuse_unowned(principal, action, name, roles)
        self.authorization.require(principal, action, name, roles)

    def _refuse_unowned(
        self, principal: Principal | None, action: Action, name: str, roles: frozenset[Role]
    ) -> None:
        """Refuse an action that only the missing owner of a project could perform.

        :raises Forbidden: an owner could perform the action, but this principal may not.
        """
        permits = self.authorization.permits
        if not permits(principal, action, name, roles) and permits(principal, action, name, ALL):
            raise Forbidden(
                f"nobody owns the project {name} yet: the administrator of this index names an owner"
                f" with `{self.authorization.command or 'pypid --root ROOT'} owner add {name} NAME`"
            )
