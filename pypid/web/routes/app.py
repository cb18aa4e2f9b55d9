"""The application: all routes over one index, and what becomes of errors."""

from __future__ import annotations

from typing import ClassVar

from attrs import define
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import MethodNotAllowed

from pypid.index.administration import ProjectAdministration
from pypid.index.publishing import Index
from pypid.web.http.error_responses import error_response
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import clear_head, respond
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.project_permissions import ProjectPermissions
from pypid.web.routes.administration import ChangeRoutes
from pypid.web.routes.allowed_methods import options_response
from pypid.web.routes.converters import app
from pypid.web.routes.files import FileRoutes
from pypid.web.routes.front import PeopleRoutes
from pypid.web.routes.home_page import HomePage
from pypid.web.routes.legacy import LegacyRoutes
from pypid.web.routes.page_cache import SimplePages
from pypid.web.routes.release_summaries import Releases
from pypid.web.routes.simple import SimpleRoutes
from pypid.web.routes.upload_actions import Uploads
from pypid.web.routes.uploads import UploadRoutes

__all__ = ["IndexApplication"]


@define(eq=False, slots=False)
class IndexApplication(SimpleRoutes, FileRoutes, LegacyRoutes, UploadRoutes, ChangeRoutes, PeopleRoutes):
    """An index over HTTP. The routes translate between HTTP and the index, and leave the rest to others."""

    index: Index
    """What is served."""
    authorization: Authorization
    """Who may see it."""
    pages: SimplePages
    """Its pages for machines."""
    rights: ProjectPermissions
    """Who may change it."""
    releases: Releases
    """Its releases, for old clients."""
    home: HomePage
    """Its page for people."""
    uploads: Uploads
    """Its way in."""
    changes: ProjectAdministration
    """What changes that is in it."""
    public_url: str | None
    """The URL that clients use, if it is not that of the socket."""
    realm: str
    """What users sign in to."""

    _log = Logger()
    app: ClassVar[Klein] = app

    @app.handle_errors(Exception)  # type: ignore[arg-type]
    def failed(self, request: IndexRequest, failure: Failure) -> bytes | None:
        """Answer with what went wrong."""
        if request.method == b"OPTIONS" and isinstance(failure.value, MethodNotAllowed):
            return respond(request, options_response(request, failure.value, self.authorization))
        response = error_response(failure, self.realm)
        if response.status == 500 and not failure.check(CancelledError):
            self._log.failure("{method} {uri} failed", failure, method=request.method, uri=request.uri)
        if request.startedWriting:
            # Half of another answer is out; only a broken connection says that it is wrong.
            request.link.cut()
            return None
        clear_head(request)
        return respond(request, response)
