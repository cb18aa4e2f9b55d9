"""The routes for people, and for programs that watch the daemon."""

from __future__ import annotations

from pypid.errors import NotFound
from pypid.formats import simple_api
from pypid.model import Principal
from pypid.runtime.readiness import Readiness
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response, respond, text
from pypid.web.routes.classifiers import list_of_classifiers
from pypid.web.routes.services import Services

__all__ = [
    "METRICS_TYPE",
    "classifiers",
    "favicon",
    "front",
    "health",
    "metrics",
    "ready",
    "ready_response",
    "robots",
]

METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
"""The media type of Prometheus' text format."""
_JSON = "application/json"


async def front(services: Services, request: IndexRequest, principal: Principal | None) -> bytes:
    """Show the page for people."""
    projects = await services.visibility(principal).projects(await services.index.projects())
    return respond(request, services.home.response(request, len(projects)))


async def classifiers(_: Services, request: IndexRequest) -> bytes:
    """Send the list of trove classifiers, for ``setup.py register --list-classifiers``."""
    return respond(request, list_of_classifiers())


async def health(_: Services, request: IndexRequest) -> bytes:
    """Answer with ``ok``: the daemon works so far that it answers."""
    return respond(request, text(200, "ok", [(b"Cache-Control", b"no-store")]))


async def ready(services: Services, request: IndexRequest) -> bytes:
    """Send the condition of each part; with status 503 if clients should not be sent here."""
    return respond(request, await ready_response(request, services.readiness))


async def ready_response(request: IndexRequest, readiness: Readiness) -> Response:
    """Return the answer about whether clients should be sent here, as text or JSON."""
    report = await readiness.report()
    accept = ",".join(request.requestHeaders.getRawHeaders("Accept") or ())
    wants_json = simple_api.accepted(accept, ("text/plain", _JSON)) == _JSON
    return Response(
        200 if report.is_ready else 503,
        (report.to_json() if wants_json else report.to_text()).encode(),
        _JSON.encode() if wants_json else b"text/plain; charset=utf-8",
        [(b"Cache-Control", b"no-store"), (b"Vary", b"Accept")],
    )


async def metrics(services: Services, request: IndexRequest) -> bytes:
    """Show what the daemon does, in Prometheus' text format."""
    if services.metrics is None:
        raise NotFound("there is no such page")
    body = await services.metrics()
    return respond(request, Response(200, body, METRICS_TYPE, [(b"Cache-Control", b"no-store")]))


async def robots(_: Services, request: IndexRequest) -> bytes:
    """Keep search engines away."""
    return respond(request, text(200, "User-agent: *\nDisallow: /"))


async def favicon(_: Services, request: IndexRequest) -> bytes:
    """Answer with 404. Without this route, the name would be taken for a project's."""
    return respond(request, text(404, "there is no icon"))
