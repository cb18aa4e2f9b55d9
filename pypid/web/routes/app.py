"""The application: every route of the table, the permission it needs, and the answers to errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import define
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import MethodNotAllowed

from pypid.model import Action
from pypid.web.http.error_responses import error_response
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import clear_head, respond
from pypid.web.routes.allowed_methods import options_response
from pypid.web.routes.converters import ProjectName, new_app, redirect_to_normalized, redirect_to_page
from pypid.web.routes.needs import Needs, permitted_change, require_upload
from pypid.web.routes.services import Services
from pypid.web.routes.table import REDIRECTS, ROUTES, PathRedirect, Route, route_label

__all__ = ["IndexApplication"]


@define(eq=False, slots=False)
class IndexApplication(Services):
    """An index over HTTP."""

    _log = Logger()
    app: ClassVar[Klein] = new_app()

    # klein expects a function, and calls this one with the application, as it does with routes.
    @app.handle_errors(Exception)  # type: ignore[arg-type]
    def failed(self, request: IndexRequest, failure: Failure) -> bytes | None:
        """Answer a request that raised an error."""
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


async def _answer(services: Services, request: IndexRequest, route: Route, segments: dict[str, Any]) -> bytes:
    """Ask for the permission that a route needs, and call its function.

    :param segments: the variable segments of the path, by name.
    """
    match route.needs:
        case Needs.NOTHING:
            return await route.function(services, request)
        case Needs.UPLOAD:
            await require_upload(services, request)
            return await route.function(services, request)
        case Needs.METRICS:
            await services.authorization.check_metrics(request)
            return await route.function(services, request)
        case Needs.INDEX:
            principal = await services.authorization.check(request, Action.READ, None)
            return await route.function(services, request, principal)
        case Needs.PROJECT:
            project = route.project(segments)
            name: ProjectName | None = segments.pop("name", None)
            await services.authorization.check(request, Action.READ, project)
            if name is not None and route.one_spelling and not name.is_normalized:
                return respond(request, redirect_to_normalized(request, route.path, name, segments))
            return await route.function(services, request, project, **segments)
        case Needs.YANK | Needs.DELETE | Needs.ADMINISTER as needs:
            change = await permitted_change(services, request, needs.value, route.project(segments))
            del segments["name"]
            return await route.function(services, request, change, **segments)


def _add_routes(routes: Sequence[Route]) -> None:
    """Add the answer to one method on one path.

    :param routes: those of that method and path; the first one whose condition holds answers.
    """
    method, path = routes[0].method, routes[0].path

    label = route_label(path)

    async def answer(application: IndexApplication, request: IndexRequest, **segments: Any) -> bytes:
        request.route = label
        route = next(route for route in routes if route.when(request))
        return await _answer(application, request, route, segments)

    IndexApplication.app.route(path, methods=[method], endpoint=f"{method} {path}")(answer)


def _add_redirect(redirect: PathRedirect) -> None:
    """Add a redirect, which is the same whether or not a project is here and the client may read it."""
    label = route_label(redirect.path)

    def answer(
        application: IndexApplication, request: IndexRequest, name: ProjectName | None = None
    ) -> bytes:
        request.route = label
        project = name.normalized if name is not None else None
        request.anybody_may_read = application.authorization.is_public(project)
        return respond(request, redirect_to_page(request, redirect.status, redirect.location, name))

    IndexApplication.app.route(redirect.path, methods=["GET"], endpoint=f"GET {redirect.path}")(answer)


_rows = defaultdict[tuple[str, str], list[Route]](list)
for _route in ROUTES:
    _rows[_route.method, _route.path].append(_route)
for _same_place in _rows.values():
    _add_routes(_same_place)
for _redirect in REDIRECTS:
    _add_redirect(_redirect)
