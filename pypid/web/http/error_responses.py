"""Which status an error has."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from pypid import errors
from pypid.web.http.responses import Response, text

__all__ = ["error_response"]

RETRY_AFTER = (b"Retry-After", b"5")

_STATUS: dict[type, int] = {
    errors.InvalidForm: 400,
    errors.InvalidUpload: 400,
    errors.InvalidFilename: 400,
    errors.Unauthenticated: 401,
    errors.TooManyFailures: 429,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.FileExists: 409,
    errors.NotAsPublished: 410,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Withheld: 403,
    errors.UpstreamFailed: 502,
    errors.UpstreamTimedOut: 504,
    errors.StorageUnavailable: 503,
    # Clients send an upload again and again that was answered with anything of the 500s, and twine
    # takes a 409 for "is there already" if it may skip what is; nobody's credentials would help.
    errors.StorageRefused: 403,
    errors.OutOfSpace: 507,
}


def error_response(failure: Failure, realm: str) -> Response:
    """Give the response for a failure; what is not ours is a "500" that tells nothing.

    :param realm: what to sign in to (RFC 9110, section 11.5).
    """
    error = failure.value
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ())).encode("ascii")
        return text(405, "method not allowed here", [(b"Allow", allowed)])
    if isinstance(error, HTTPException) and error.code == 404:
        return text(404, "there is no such page")
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    message = str(error) if status != 500 else "something went wrong here; the log says what"
    return text(status, message, _headers(error, status, realm))


def _headers(error: BaseException | None, status: int, realm: str) -> Sequence[tuple[bytes, bytes]]:
    if isinstance(error, errors.TooManyFailures):
        return [(b"Retry-After", b"%d" % error.retry_after)]
    if status == 401:
        return [(b"WWW-Authenticate", b'Basic realm="%s", charset="UTF-8"' % realm.encode("ascii"))]
    return [RETRY_AFTER] if status == 503 else []
