"""What a route needs its client to be permitted, and the one place that asks for it."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from pypid.index.acceptance import Permit
from pypid.model import Action, Principal
from pypid.web.http.cross_site import check_host, refuse_cross_site
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import UploadBody
from pypid.web.routes.services import Services

__all__ = ["Needs", "PermittedChange", "permitted_change", "require_upload"]


class Needs(Enum):
    """The permission that a route needs, and what its function is called with once it is granted."""

    NOTHING = None
    """None: the answer is the same for everybody."""
    INDEX = Action.READ
    """To read the index as a whole. The function gets the principal, or ``None``."""
    PROJECT = "project"
    """To read a project. The function gets its normalized name."""
    METRICS = "metrics"
    """To see what the daemon does. Only tokens with that scope may."""
    UPLOAD = Action.UPLOAD
    """To upload. The admission asked for it before it took the body, and the function asks of the project."""
    YANK = Action.YANK
    """To yank releases of a project. The function gets a :class:`PermittedChange`."""
    DELETE = Action.DELETE
    """To delete files of a project. The function gets a :class:`PermittedChange`."""
    ADMINISTER = Action.ADMINISTER
    """To administer a project. The function gets a :class:`PermittedChange`."""


@frozen
class PermittedChange:
    """Permission to change a project."""

    project: str
    """The project's normalized name."""
    principal: Principal | None
    """The client's principal; ``None`` for a stranger."""
    permit: Permit
    """Asks for the permission once more, when the project is locked for the change."""


async def permitted_change(
    services: Services, request: IndexRequest, action: Action, project: str
) -> PermittedChange:
    """Return the permission to change a project. A browser on another site never gets it.

    :param project: the normalized name.
    :raises PypidError: as :func:`~pypid.web.http.cross_site.refuse_cross_site` and
        :meth:`pypid.web.permissions.project_permissions.ProjectPermissions.check` say.
    """
    refuse_cross_site(request.requestHeaders, request.sender, services.public_url)
    principal = await services.permissions.check(request, action, project)
    if principal is None:
        check_host(request.requestHeaders, request.sender, services.public_url)
    return PermittedChange(project, principal, services.permissions.permit(principal, action, project))


async def require_upload(services: Services, request: IndexRequest) -> None:
    """Check that the client may upload, if no body was admitted: the admission asked where one was.

    :raises PypidError: as
        :meth:`pypid.web.permissions.project_permissions.ProjectPermissions.require_any_upload` says.
    """
    if not isinstance(request.body, UploadBody):
        services.permissions.require_any_upload(await services.authorization.principal(request))
