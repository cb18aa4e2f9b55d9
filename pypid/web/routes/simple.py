"""The routes of the Simple API (PEP 503, PEP 691)."""

from __future__ import annotations

from pypid.model import Principal, Redirect
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import redirect, respond, text
from pypid.web.routes.converters import NO_CACHE
from pypid.web.routes.page_cache import Representation, accepts_gzip
from pypid.web.routes.refresh import demands_refresh
from pypid.web.routes.services import Services

__all__ = ["files", "project", "project_beside_uploads", "projects"]

_NOT_ACCEPTABLE = text(
    406, "this page is to be had as JSON or HTML of the Simple API, version 1", [(b"Vary", b"Accept")]
)


async def projects(services: Services, request: IndexRequest, principal: Principal | None) -> bytes:
    """Send the list of all projects that the client may see (PEP 503)."""
    wanted = _representation(request)
    if wanted is None:
        return respond(request, _NOT_ACCEPTABLE)
    visibility = services.visibility(principal)
    page = await services.pages.index(await services.index.projects(), wanted, visibility)
    return respond(request, page.response(request.anybody_may_read))


async def project(services: Services, request: IndexRequest, project: str) -> bytes:
    """Send the page of a project, with its files (PEP 503)."""
    return await _project(services, request, project, "../../")


async def project_beside_uploads(services: Services, request: IndexRequest, project: str) -> bytes:
    """Send the page of a project at devpi's URL, where Hatch looks before it uploads."""
    return await _project(services, request, project, "../../../")


async def _project(services: Services, request: IndexRequest, name: str, up: str) -> bytes:
    wanted = _representation(request)
    if wanted is None:
        return respond(request, _NOT_ACCEPTABLE)
    refresh = demands_refresh(request.requestHeaders)
    project = await services.index.project(name, refresh=refresh)
    if isinstance(project, Redirect):
        # Never a permanent one: the project may be published here tomorrow.
        return respond(request, redirect(302, project.url, NO_CACHE))
    validator = services.index.validator(name, project)
    before = services.pages.cached_project(name, wanted)
    page = await services.pages.project(project, validator, wanted, up)
    if project.stale_since is not None:
        request.cache = "stale"
    else:
        request.cache = "hit" if page is before else "miss"
    return respond(request, page.response(request.anybody_may_read))


async def files(services: Services, request: IndexRequest, principal: Principal | None) -> bytes:
    """Send the list of the files of all projects that the client may see, for ``--find-links``."""
    visibility = services.visibility(principal)
    gzipped = accepts_gzip(request.requestHeaders)
    page = await services.pages.files(
        await services.index.projects(), visibility, services.index.catalog, gzipped=gzipped
    )
    return respond(request, page.response(public=False))


def _representation(request: IndexRequest) -> Representation | None:
    """Return the representation that the client likes best, or ``None`` if it accepts none of them."""
    wanted = request.args.get(b"format", [None])[0]
    return Representation.chosen(
        request.requestHeaders, wanted.decode("latin-1") if wanted is not None else None
    )
