"""The routes for people, and for what watches the daemon."""

from __future__ import annotations

from pypid.index.publishing import Index
from pypid.model import Action
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import respond, text
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.visibility import Visibility
from pypid.web.routes.classifiers import asks_for_classifiers, list_of_classifiers
from pypid.web.routes.converters import app
from pypid.web.routes.home_page import HomePage

__all__ = ["PeopleRoutes"]


class PeopleRoutes:
    """The front page, and small answers."""

    index: Index
    authorization: Authorization
    home: HomePage

    @app.route("/", methods=["GET"])
    async def front(self, request: IndexRequest) -> bytes:
        """Show the page for people."""
        if asks_for_classifiers(request):
            return respond(request, list_of_classifiers())
        principal = await self.authorization.check(request, Action.READ, None)
        view = Visibility(self.authorization, principal, self.index.workers)
        projects = await view.projects(await self.index.projects())
        return respond(request, self.home.response(request, len(projects)))

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
