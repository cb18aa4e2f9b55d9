"""The routes for people, and for programs that watch the daemon."""

from __future__ import annotations

from pypid.model import Principal
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import respond, text
from pypid.web.routes.classifiers import list_of_classifiers
from pypid.web.routes.services import Services

__all__ = ["classifiers", "favicon", "front", "health", "robots"]


async def front(services: Services, request: IndexRequest, principal: Principal | None) -> bytes:
    """Show the page for people."""
    projects = await services.visibility(principal).projects(await services.index.projects())
    return respond(request, services.home.response(request, len(projects)))


async def classifiers(_: Services, request: IndexRequest) -> bytes:
    """List the trove classifiers, for ``setup.py register --list-classifiers``."""
    return respond(request, list_of_classifiers())


async def health(_: Services, request: IndexRequest) -> bytes:
    """Say that the daemon answers."""
    return respond(request, text(200, "ok", [(b"Cache-Control", b"no-store")]))


async def robots(_: Services, request: IndexRequest) -> bytes:
    """Keep search engines away."""
    return respond(request, text(200, "User-agent: *\nDisallow: /"))


async def favicon(_: Services, request: IndexRequest) -> bytes:
    """Have no icon, and do not take it for a project."""
    return respond(request, text(404, "there is no icon"))
