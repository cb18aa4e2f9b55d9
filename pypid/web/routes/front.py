"""The routes for people, and for programs that watch the daemon."""

from __future__ import annotations

from pypid.formats import simple_api
from pypid.model import Principal
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response, respond, text
from pypid.web.routes.classifiers import list_of_classifiers
from pypid.web.routes.services import Services

__all__ = ["classifiers", "favicon", "front", "health", "ready", "robots"]

_JSON = "application/json"


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


async def ready(services: Services, request: IndexRequest) -> bytes:
    """Say whether clients should be sent here, with the condition of each part; 503 if they should not."""
    report = await services.readiness.report()
    wants_json = simple_api.accepted(_accept(request), ("text/plain", _JSON)) == _JSON
    return respond(
        request,
        Response(
            200 if report.is_ready else 503,
            (report.to_json() if wants_json else report.to_text()).encode(),
            _JSON.encode() if wants_json else b"text/plain; charset=utf-8",
            [(b"Cache-Control", b"no-store"), (b"Vary", b"Accept")],
        ),
    )


async def robots(_: Services, request: IndexRequest) -> bytes:
    """Keep search engines away."""
    return respond(request, text(200, "User-agent: *\nDisallow: /"))


async def favicon(_: Services, request: IndexRequest) -> bytes:
    """Have no icon, and do not take it for a project."""
    return respond(request, text(404, "there is no icon"))


def _accept(request: IndexRequest) -> str:
    return ",".join(request.requestHeaders.getRawHeaders("Accept") or ())
