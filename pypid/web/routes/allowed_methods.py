"""The allowed methods of a page: the response to ``OPTIONS`` (RFC 9110, section 9.3.7).

Load balancers send such requests as health checks. Browsers send them before a page of another site may
read something with an unusual request (Fetch, "CORS-preflight request").
"""

from __future__ import annotations

from klein.interfaces import IKleinRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response
from pypid.web.permissions.authorization import Authorization

__all__ = ["options_response"]

_PREFLIGHT = (
    (b"Access-Control-Allow-Methods", b"GET, HEAD"),
    (
        b"Access-Control-Allow-Headers",
        b"Accept, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range,"
        b" If-Unmodified-Since, Pragma, Range",
    ),
    (b"Access-Control-Max-Age", b"86400"),
)
"""The permissions of other sites' pages, where anybody may read.

They may read, but without anybody's credentials.
"""


def options_response(
    request: IndexRequest, refused: MethodNotAllowed, authorization: Authorization
) -> Response:
    """Return the allowed methods of a URL that has a route, whether or not the project or file exists.

    :param request: an ``OPTIONS`` request. Its ``anybody_may_read`` is set, if the URL has a GET route.
    :param refused: the error with the methods of the page's routes.
    """
    methods = sorted({*(refused.valid_methods or ()), "OPTIONS"})
    headers = [(b"Allow", ", ".join(methods).encode("ascii"))]
    try:
        _, arguments = IKleinRequest(request).mapper.match(method="GET")
    except HTTPException:
        return Response(204, headers=headers)
    name = arguments.get("name")
    request.anybody_may_read = authorization.is_public(name.normalized if name is not None else None)
    return Response(204, headers=[*headers, *(_PREFLIGHT if request.anybody_may_read else ())])
