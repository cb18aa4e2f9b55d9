"""All routes of an index on one screen: method, path, permission, function.

:mod:`pypid.web.routes.app` asks for the permission, and only then calls the function, so that no route can
forget to ask. Among different paths the more specific one wins, wherever it stands; among rows of one method
and path, the first whose condition holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import SmallBody
from pypid.web.routes import administration, files, front, legacy, simple, uploads
from pypid.web.routes.classifiers import asks_for_classifiers
from pypid.web.routes.converters import ProjectName
from pypid.web.routes.needs import Needs

__all__ = ["REDIRECTS", "ROUTES", "UPLOAD_PATHS", "XML_RPC_PATHS", "PathRedirect", "Route", "route_label"]

_SEGMENT = re.compile(r"<(?:[a-z]+:)?([a-z]+)>")


def _named_project(segments: Mapping[str, Any]) -> str:
    """Return the normalized name of the project whose name is a segment of the path."""
    name: ProjectName = segments["name"]
    return name.normalized


@frozen
class Route:
    """The answer to one method on one path."""

    method: str
    """The HTTP method; ``GET`` answers ``HEAD`` too."""
    path: str
    """The path, with variable segments as Werkzeug writes them."""
    needs: Needs
    """The permission that is asked for before the function is called."""
    function: Callable[..., Coroutine[Deferred[Any], Any, bytes]]
    """Answers. It gets the services, the request, the value that ``needs`` documents, and the variable
    segments other than the project's name as keyword arguments."""
    when: Callable[[IndexRequest], bool] = lambda _: True
    """Whether this route is for a request; if not, the next one of that method and path is."""
    project: Callable[[Mapping[str, Any]], str] = _named_project
    """Returns the normalized name of the project that a path is about, from its variable segments."""
    one_spelling: bool = False
    """Whether clients that spell the project's name otherwise are redirected to the normalized name."""


@frozen
class PathRedirect:
    """A redirect of GET and HEAD that tells nothing but how a path should be spelled."""

    path: str
    """The path, with variable segments as Werkzeug writes them."""
    status: int
    """The status code."""
    location: str
    """The relative target. ``{name}`` stands for the normalized name; the query string is kept."""


def route_label(path: str) -> str:
    """Return the path of a route as metrics and logs show it, such as ``/simple/{name}/``."""
    return _SEGMENT.sub(r"{\1}", path)


def _is_small(request: IndexRequest) -> bool:
    """Return whether a body was admitted as that of an XML-RPC call, not of an upload."""
    return isinstance(request.body, SmallBody)


_N, _F = "<name:name>", "<filename:filename>"
_ASKED = asks_for_classifiers
# fmt: off
ROUTES = (
    # Pages for people, and for programs that watch the daemon
    Route("GET", "/", Needs.NOTHING, front.classifiers, when=_ASKED),
    Route("GET", "/", Needs.INDEX, front.front),
    Route("GET", "/+health", Needs.NOTHING, front.health),
    Route("GET", "/health", Needs.NOTHING, front.health),
    Route("GET", "/+ready", Needs.NOTHING, front.ready),
    Route("GET", "/+metrics", Needs.METRICS, front.metrics),
    Route("GET", "/robots.txt", Needs.NOTHING, front.robots),
    Route("GET", "/favicon.ico", Needs.NOTHING, front.favicon),
    # The Simple API
    Route("GET", "/simple/", Needs.INDEX, simple.projects),
    Route("GET", f"/simple/{_N}/", Needs.PROJECT, simple.project, one_spelling=True),
    Route("GET", f"/+simple/{_N}/", Needs.PROJECT, simple.project, one_spelling=True),
    Route("GET", f"/legacy/+simple/{_N}/", Needs.PROJECT, simple.project_beside_uploads, one_spelling=True),
    Route("GET", f"/pypi/+simple/{_N}/", Needs.PROJECT, simple.project_beside_uploads, one_spelling=True),
    # Files, and their sidecar files
    Route("GET", "/packages/", Needs.INDEX, simple.files),
    Route("GET", f"/packages/{_N}/{_F}", Needs.PROJECT, files.file),
    Route("GET", f"/simple/{_N}/{_F}", Needs.PROJECT, files.file),
    Route("GET", f"/integrity/{_N}/<version>/{_F}/provenance", Needs.PROJECT, files.provenance),
    Route("GET", f"/packages/{_F}", Needs.PROJECT, files.file_elsewhere, project=files.project_of_file),
    Route("GET", f"/packages/<first>/<second>/<third>/{_F}", Needs.PROJECT, files.file_elsewhere,
          project=files.project_of_pypi_path),
    # JSON, RSS and XML-RPC, for old clients and mirrors
    Route("GET", f"/pypi/{_N}/json", Needs.PROJECT, legacy.project_json, one_spelling=True),
    Route("GET", f"/pypi/{_N}/json/", Needs.PROJECT, legacy.project_json, one_spelling=True),
    Route("GET", f"/pypi/{_N}/<version>/json", Needs.PROJECT, legacy.release_json, one_spelling=True),
    Route("GET", f"/pypi/{_N}/<version>/json/", Needs.PROJECT, legacy.release_json, one_spelling=True),
    Route("GET", "/rss/updates.xml", Needs.INDEX, legacy.newest_releases),
    Route("GET", "/rss/packages.xml", Needs.INDEX, legacy.newest_projects),
    Route("POST", "/RPC2", Needs.INDEX, legacy.call),
    Route("POST", "/pypi", Needs.INDEX, legacy.call, when=_is_small),
    Route("POST", "/pypi/", Needs.INDEX, legacy.call, when=_is_small),
    # Uploads, wherever any old .pypirc sends them
    Route("POST", "/", Needs.UPLOAD, uploads.upload),
    Route("POST", "/legacy/", Needs.UPLOAD, uploads.upload),
    Route("POST", "/legacy", Needs.UPLOAD, uploads.upload),
    Route("POST", "/simple/", Needs.UPLOAD, uploads.upload),
    Route("POST", "/simple", Needs.UPLOAD, uploads.upload),
    Route("POST", "/pypi", Needs.UPLOAD, uploads.upload),
    Route("POST", "/pypi/", Needs.UPLOAD, uploads.upload),
    *(
        route
        for path in ("/legacy/", "/legacy", "/pypi", "/pypi/")
        for route in (
            Route("GET", path, Needs.NOTHING, front.classifiers, when=_ASKED),
            Route("GET", path, Needs.NOTHING, uploads.upload_page),
        )
    ),
    # Changes of published projects
    Route("POST", f"/project/{_N}/<version>/yank", Needs.YANK, administration.yank),
    Route("POST", f"/project/{_N}/<version>/unyank", Needs.YANK, administration.unyank),
    Route("POST", f"/project/{_N}/status", Needs.ADMINISTER, administration.set_status),
    Route("POST", f"/project/{_N}/people", Needs.ADMINISTER, administration.change_people),
    Route("DELETE", f"/project/{_N}/<version>/", Needs.DELETE, administration.remove_release),
    Route("DELETE", f"/project/{_N}/<version>", Needs.DELETE, administration.remove_release),
    Route("DELETE", f"/packages/{_N}/{_F}", Needs.DELETE, administration.remove_file),
)
REDIRECTS = (
    PathRedirect("/simple", 301, "simple/"),
    PathRedirect("/packages", 301, "packages/"),
    PathRedirect(f"/simple/{_N}", 301, "{name}/"),
    PathRedirect(f"/+simple/{_N}", 301, "{name}/"),
    PathRedirect(f"/legacy/+simple/{_N}", 301, "{name}/"),
    PathRedirect(f"/pypi/+simple/{_N}", 301, "{name}/"),
    # For clients that were pointed at the bare host
    PathRedirect(f"/{_N}/", 303, "../simple/{name}/"),
    PathRedirect(f"/{_N}", 303, "simple/{name}/"),
)
# fmt: on

UPLOAD_PATHS = frozenset(route.path for route in ROUTES if route.needs is Needs.UPLOAD)
"""The paths that take uploads."""
XML_RPC_PATHS = frozenset(route.path for route in ROUTES if route.function is legacy.call)
"""The paths that take XML-RPC calls, if the body is XML."""
