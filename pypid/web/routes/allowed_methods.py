"""What may be done with a page: the answer to ``OPTIONS`` (RFC 9110, section 9.3.7).

Load balancers ask it to see whether anybody is there. Browsers ask it before they let a page
of another site read something in an unusual way (Fetch, "CORS-preflight request").
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
"""What other sites' pages may do where anybody may read: read, but with nobody's credentials."""


def options_response(
    request: IndexRequest, refused: MethodNotAllowed, authorization: Authorization
) -> Response:
    """Return what may be done with a page that there is, without looking whether it shows anything.

    :param request: of the method ``OPTIONS``; it is noted in it whether anybody may read the page.
    :param refused: with the methods that the page's routes know.
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
