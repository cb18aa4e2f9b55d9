"""What somebody may change: for that it counts what they are in the project, and whether it is here."""

from __future__ import annotations

from attrs import frozen

from pypid.errors import Forbidden
from pypid.interfaces import ICatalog
from pypid.model import Action, Principal, Project, Role
from pypid.web.authorization import Authorization
from pypid.web.request import IndexRequest

__all__ = ["Rights"]

ALL, NONE = frozenset(Role), frozenset[Role]()


@frozen
class Rights:
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
        self._require(principal, action, name, await self.catalog.project(name))

    def require_upload(self, principal: Principal | None, name: str, project: Project | None) -> None:
        """Check that somebody may publish a file of a project, the first one or another.

        :param project: what is here of that name.
        :raises Unauthenticated: not as a stranger.
        :raises Forbidden: not at all.
        """
        if project is None or not project.is_founded:
            self.authorization.require(principal, Action.CREATE, name)
        else:
            self._require(principal, Action.UPLOAD, name, project)

    def require_any_upload(self, principal: Principal | None) -> None:
        """Check that somebody may publish a file of any project there could be; as :meth:`require_upload`."""
        if not self.authorization.permits(principal, Action.CREATE, None, ALL):
            self.authorization.require(principal, Action.UPLOAD, None, ALL)

    def _require(
        self, principal: Principal | None, action: Action, name: str, project: Project | None
    ) -> None:
        may_read = self.authorization.permits(principal, Action.READ, name)
        roles = project.roles(principal) if project is not None else ALL if may_read else NONE
        if may_read and project is not None and not project.owners:
            self._refuse_unowned(principal, action, project, roles)
        self.authorization.require(principal, action, name, roles)

    def _refuse_unowned(
        self, principal: Principal | None, action: Action, project: Project, roles: frozenset[Role]
    ) -> None:
        """Tell somebody who could do this as an owner that there is none. :raises Forbidden: so it is."""
        permits = self.authorization.permits
        if not permits(principal, action, project.name, roles) and permits(
            principal, action, project.name, ALL
        ):
            raise Forbidden(
                f"nobody owns the project {project.name} yet: the administrator of this index names an owner"
                f" with `pypid --root ROOT owner add {project.name} NAME`"
            )
