"""The routes. They translate between HTTP and the index, and leave the rest to others."""

from __future__ import annotations

from typing import ClassVar

from attrs import define
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypid.errors import InvalidForm
from pypid.index import Index
from pypid.model import Action, Principal, Redirect
from pypid.names import normalize
from pypid.simple import MediaType, negotiate
from pypid.tasks import shield
from pypid.web.admission import UPLOAD_PATHS
from pypid.web.authorization import Authorization
from pypid.web.bodies import UploadBody
from pypid.web.errors import error_response
from pypid.web.files import metadata_response, send_file
from pypid.web.home import HomePage
from pypid.web.pages import SimplePages
from pypid.web.request import IndexRequest
from pypid.web.responses import redirect, respond, text
from pypid.web.routing import new_app
from pypid.web.uploads import Uploads

__all__ = ["IndexApplication"]

_NO_CACHE = [(b"Cache-Control", b"no-cache")]
_METADATA = ".metadata"


@define(eq=False, slots=False)
class IndexApplication:
    """An index over HTTP."""

    index: Index
    """What is served."""
    authorization: Authorization
    """Who may see it."""
    pages: SimplePages
    """Its pages for machines."""
    home: HomePage
    """Its page for people."""
    uploads: Uploads
    """Its way in."""

    _log = Logger()
    app: ClassVar[Klein] = new_app()

    async def _authorize(
        self, request: IndexRequest, action: Action, project: str | None
    ) -> Principal | None:
        """Check that whoever sent this request may do this; every route begins here."""
        principal = await self.authorization.principal(request.requestHeaders)
        self.authorization.require(principal, action, project)
        return principal

    @app.route("/", methods=["GET"])
    async def front(self, request: IndexRequest) -> bytes:
        """Show the page for people."""
        await self._authorize(request, Action.READ, None)
        projects = await self.index.projects()
        return respond(request, self.home.response(request, len(projects)))

    @app.route("/simple/", methods=["GET"])
    async def projects(self, request: IndexRequest) -> bytes:
        """List all projects (PEP 503)."""
        await self._authorize(request, Action.READ, None)
        media = _media(request)
        if media is None:
            return respond(request, _NOT_ACCEPTABLE)
        projects = await self.index.projects()
        public = self.authorization.is_public(None)
        return respond(request, await self.pages.index(projects, media, public))

    @app.route("/simple", methods=["GET"])
    async def projects_unslashed(self, request: IndexRequest) -> bytes:
        """Send on to the list."""
        return respond(request, redirect(301, "simple/" + _query(request), _NO_CACHE))

    @app.route("/simple/<name:name>/", methods=["GET"])
    async def project(self, request: IndexRequest, name: str) -> bytes:
        """List a project's files (PEP 503)."""
        normalized = normalize(name)
        await self._authorize(request, Action.READ, normalized)
        if name != normalized:
            return respond(request, redirect(301, f"../{normalized}/{_query(request)}", _NO_CACHE))
        media = _media(request)
        if media is None:
            return respond(request, _NOT_ACCEPTABLE)
        project = await self.index.project(normalized)
        if isinstance(project, Redirect):
            # Never a permanent one: the project may be published here tomorrow.
            return respond(request, redirect(302, project.url, _NO_CACHE))
        public = self.authorization.is_public(normalized)
        return respond(request, await self.pages.project(project, media, public))

    @app.route("/simple/<name:name>", methods=["GET"])
    async def project_unslashed(self, request: IndexRequest, name: str) -> bytes:
        """Send on to the project's page."""
        return respond(request, redirect(301, f"{normalize(name)}/{_query(request)}", _NO_CACHE))

    @app.route("/packages/<name:name>/<filename:filename>", methods=["GET"])
    @app.route("/simple/<name:name>/<filename:filename>", methods=["GET"])
    async def file(self, request: IndexRequest, name: str, filename: str) -> bytes:
        """Send a file, or with ``.metadata`` at the end of its name, its core metadata (PEP 658)."""
        normalized = normalize(name)
        await self._authorize(request, Action.READ, normalized)
        public = self.authorization.is_public(normalized)
        if filename.endswith(_METADATA):
            file, metadata = await self.index.core_metadata(normalized, filename.removesuffix(_METADATA))
            return respond(request, metadata_response(metadata, file.core_metadata or "", public))
        file, content = await self.index.open_file(normalized, filename)
        return await send_file(request, file, content, public)

    async def upload(self, request: IndexRequest) -> bytes:
        """Take an upload, whose body was admitted and staged already."""
        if not isinstance(request.body, UploadBody):
            await self._authorize(request, Action.UPLOAD, None)
            raise InvalidForm("an upload is a form of type multipart/form-data, and this has no body")
        action = request.args.get(b":action", [b""])[0].decode("latin-1")
        return respond(request, await shield(self.uploads.receive(request.body, action)))

    for _path in UPLOAD_PATHS:
        app.route(_path, methods=["POST"], endpoint=f"upload {_path}")(upload)

    @app.route("/legacy/", methods=["GET"])
    @app.route("/legacy", methods=["GET"])
    @app.route("/pypi", methods=["GET"])
    @app.route("/pypi/", methods=["GET"])
    async def upload_page(self, request: IndexRequest) -> bytes:
        """Say what the upload URL is for."""
        return respond(
            request, text(200, "this is where files are uploaded to, with twine, uv publish and their like")
        )

    @app.route("/+health", methods=["GET"])
    @app.route("/health", methods=["GET"])
    async def health(self, request: IndexRequest) -> bytes:
        """Say that the daemon answers."""
        return respond(request, text(200, "ok", [(b"Cache-Control", b"no-store")]))

    @app.route("/robots.txt", methods=["GET"])
    async def robots(self, request: IndexRequest) -> bytes:
        """Keep search engines away."""
        return respond(request, text(200, "User-agent: *\nDisallow: /"))

    @app.route("/favicon.ico", methods=["GET"])
    async def favicon(self, request: IndexRequest) -> bytes:
        """Have no icon, and do not take it for a project."""
        return respond(request, text(404, "there is no icon"))

    @app.route("/<name:name>/", methods=["GET"])
    async def bare_name(self, request: IndexRequest, name: str) -> bytes:
        """Help clients that were pointed at the bare host."""
        return respond(request, redirect(303, f"../simple/{normalize(name)}/{_query(request)}", _NO_CACHE))

    @app.route("/<name:name>", methods=["GET"])
    async def bare_name_unslashed(self, request: IndexRequest, name: str) -> bytes:
        """Help clients that were pointed at the bare host."""
        return respond(request, redirect(303, f"simple/{normalize(name)}/{_query(request)}", _NO_CACHE))

    @app.handle_errors(Exception)  # type: ignore[arg-type]
    def failed(self, request: IndexRequest, failure: Failure) -> bytes | None:
        """Answer with what went wrong."""
        response = error_response(failure)
        if response.status == 500 and not failure.check(CancelledError):
            self._log.failure("{method} {uri} failed", failure, method=request.method, uri=request.uri)
        if request.startedWriting:
            # Half of another answer is out; only a broken connection says that it is wrong.
            request.channel.cut()
            return None
        return respond(request, response)


_NOT_ACCEPTABLE = text(
    406, "this page is to be had as JSON or HTML of the Simple API, version 1", [(b"Vary", b"Accept")]
)


def _media(request: IndexRequest) -> MediaType | None:
    """Choose what the client likes best of what there is."""
    accept = request.requestHeaders.getRawHeaders("Accept")
    wanted = request.args.get(b"format", [None])[0]
    return negotiate(
        ",".join(accept) if accept is not None else None,
        wanted.decode("latin-1") if wanted is not None else None,
    )


def _query(request: IndexRequest) -> str:
    """Give the query string with its question mark, for a redirect that must keep it."""
    _, mark, query = request.uri.partition(b"?")
    return (mark + query).decode("ascii")
