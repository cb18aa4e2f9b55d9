"""The routes of the Simple API."""

from __future__ import annotations

from pypid.index.publishing import Index
from pypid.model import Action, Redirect
from pypid.names import normalize
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import redirect, respond, text
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.visibility import Visibility
from pypid.web.routes.converters import NO_CACHE, app, query
from pypid.web.routes.page_cache import Representation, SimplePages, accepts_gzip
from pypid.web.routes.refresh import demands_refresh

__all__ = ["SimpleRoutes"]

_NOT_ACCEPTABLE = text(
    406, "this page is to be had as JSON or HTML of the Simple API, version 1", [(b"Vary", b"Accept")]
)


class SimpleRoutes:
    """Pages for machines (PEP 503, PEP 691)."""

    index: Index
    authorization: Authorization
    pages: SimplePages

    @app.route("/simple/", methods=["GET"])
    async def projects(self, request: IndexRequest) -> bytes:
        """List all projects that the client may see (PEP 503)."""
        principal = await self.authorization.check(request, Action.READ, None)
        wanted = _representation(request)
        if wanted is None:
            return respond(request, _NOT_ACCEPTABLE)
        view = Visibility(self.authorization, principal, self.index.workers)
        page = await self.pages.index(await self.index.projects(), wanted, view)
        return respond(request, page.response(self.authorization.is_public(None)))

    @app.route("/simple", methods=["GET"])
    async def projects_unslashed(self, request: IndexRequest) -> bytes:
        """Send on to the list."""
        return self._send_to_page(request, None, 301, "simple/")

    @app.route("/simple/<name:name>/", methods=["GET"])
    @app.route("/+simple/<name:name>/", methods=["GET"])
    async def project(self, request: IndexRequest, name: str) -> bytes:
        """List a project's files (PEP 503)."""
        return await self._project(request, name, "../../")

    @app.route("/legacy/+simple/<name:name>/", methods=["GET"])
    @app.route("/pypi/+simple/<name:name>/", methods=["GET"])
    async def project_beside_uploads(self, request: IndexRequest, name: str) -> bytes:
        """List a project's files where devpi has them, which is where Hatch looks before it uploads."""
        return await self._project(request, name, "../../../")

    async def _project(self, request: IndexRequest, name: str, up: str) -> bytes:
        normalized = normalize(name)
        await self.authorization.check(request, Action.READ, normalized)
        if name != normalized:
            return respond(request, redirect(301, f"../{normalized}/{query(request)}", NO_CACHE))
        wanted = _representation(request)
        if wanted is None:
            return respond(request, _NOT_ACCEPTABLE)
        refresh = demands_refresh(request.requestHeaders)
        project = await self.index.project(normalized, refresh=refresh)
        if isinstance(project, Redirect):
            # Never a permanent one: the project may be published here tomorrow.
            return respond(request, redirect(302, project.url, NO_CACHE))
        page = await self.pages.project(project, self.index.version_key(normalized), wanted, up)
        return respond(request, page.response(self.authorization.is_public(normalized)))

    @app.route("/simple/<name:name>", methods=["GET"])
    @app.route("/+simple/<name:name>", methods=["GET"])
    @app.route("/legacy/+simple/<name:name>", methods=["GET"])
    @app.route("/pypi/+simple/<name:name>", methods=["GET"])
    async def project_unslashed(self, request: IndexRequest, name: str) -> bytes:
        """Send on to the project's page."""
        return self._send_to_page(request, normalize(name), 301, f"{normalize(name)}/")

    @app.route("/packages/", methods=["GET"])
    async def files(self, request: IndexRequest) -> bytes:
        """List the files of all projects that the client may see, for ``--find-links``."""
        principal = await self.authorization.check(request, Action.READ, None)
        view = Visibility(self.authorization, principal, self.index.workers)
        gzipped = accepts_gzip(request.requestHeaders)
        page = await self.pages.files(await self.index.projects(), view, self.index.catalog, gzipped=gzipped)
        return respond(request, page.response(public=False))

    @app.route("/packages", methods=["GET"])
    async def files_unslashed(self, request: IndexRequest) -> bytes:
        """Send on to the list."""
        return self._send_to_page(request, None, 301, "packages/")

    @app.route("/<name:name>/", methods=["GET"])
    async def bare_name(self, request: IndexRequest, name: str) -> bytes:
        """Help clients that were pointed at the bare host."""
        return self._send_to_page(request, normalize(name), 303, f"../simple/{normalize(name)}/")

    @app.route("/<name:name>", methods=["GET"])
    async def bare_name_unslashed(self, request: IndexRequest, name: str) -> bytes:
        """Help clients that were pointed at the bare host."""
        return self._send_to_page(request, normalize(name), 303, f"simple/{normalize(name)}/")

    def _send_to_page(self, request: IndexRequest, project: str | None, status: int, location: str) -> bytes:
        """Send a client to the page of a project or of all, whether or not there is one that it may read."""
        request.anybody_may_read = self.authorization.is_public(project)
        return respond(request, redirect(status, location + query(request), NO_CACHE))


def _representation(request: IndexRequest) -> Representation | None:
    """Choose what the client likes best of what there is."""
    wanted = request.args.get(b"format", [None])[0]
    return Representation.chosen(
        request.requestHeaders, wanted.decode("latin-1") if wanted is not None else None
    )
