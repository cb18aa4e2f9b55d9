"""The parts of a daemon that the routes call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define

from pypid.index.administration import ProjectAdministration
from pypid.index.publishing import Index
from pypid.model import Principal
from pypid.runtime.readiness import Readiness
from pypid.web.http.request import IndexRequest
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.project_permissions import ProjectPermissions
from pypid.web.permissions.visibility import Visibility
from pypid.web.routes.home_page import HomePage, local_url
from pypid.web.routes.kept_files import KeptFiles
from pypid.web.routes.page_cache import SimplePages
from pypid.web.routes.release_summaries import ReleaseSummaries
from pypid.web.routes.upload_actions import UploadActions

__all__ = ["Services"]


@define(eq=False, slots=False)
class Services:
    """One index, and everything that answers requests about it."""

    index: Index
    """The index that is served."""
    authorization: Authorization
    """Decides who may read it."""
    pages: SimplePages
    """Its pages for machines."""
    permissions: ProjectPermissions
    """Decides who may change it."""
    kept_files: KeptFiles
    """Its files that were asked for just now."""
    releases: ReleaseSummaries
    """Its releases, for old clients."""
    home: HomePage
    """Its page for people."""
    uploads: UploadActions
    """Carries out the forms that are uploaded."""
    administration: ProjectAdministration
    """Carries out changes of published projects."""
    readiness: Readiness
    """Knows whether clients should be sent here."""
    metrics: Callable[[], Awaitable[bytes]] | None
    """Returns the text of all metrics; ``None`` if there are none."""
    public_url: str | None
    """The URL that clients use, if it differs from the socket's."""
    realm: str
    """The name of the realm that users sign in to (RFC 7617)."""

    def visibility(self, principal: Principal | None) -> Visibility:
        """Return the part of the index that a reader may see."""
        return Visibility(self.authorization, principal, self.index.workers)

    def url(self, request: IndexRequest) -> str:
        """Return the absolute URL of this index, with a slash at its end.

        It is the configured URL, or the socket's, never one that a client claims.
        """
        return self.public_url or local_url(request.getHost(), request.isSecure())
