"""The application: all routes over one index, and what becomes of errors."""

from __future__ import annotations

from typing import ClassVar

from attrs import define
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import MethodNotAllowed

from pypid.changes import Changes
from pypid.index import Index
from pypid.web.authorization import Authorization
from pypid.web.change_routes import ChangeRoutes
from pypid.web.errors import error_response
from pypid.web.file_routes import FileRoutes
from pypid.web.home import HomePage
from pypid.web.legacy_routes import LegacyRoutes
from pypid.web.options import options_response
from pypid.web.pages import SimplePages
from pypid.web.people_routes import PeopleRoutes
from pypid.web.releases import Releases
from pypid.web.request import IndexRequest
from pypid.web.responses import respond, take_back
from pypid.web.rights import Rights
from pypid.web.routing import app
from pypid.web.simple_routes import SimpleRoutes
from pypid.web.upload_routes import UploadRoutes
from pypid.web.uploads import Uploads

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
    rights: Rights
    """Who may change it."""
    releases: Releases
    """Its releases, for old clients."""
    home: HomePage
    """Its page for people."""
    uploads: Uploads
    """Its way in."""
    changes: Changes
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
            request.channel.cut()
            return None
        take_back(request)
        return respond(request, response)
