"""The response for each kind of error."""

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
    # This is a 403, because no credentials would help. After any 5xx status clients repeat an upload again
    # and again. If twine may skip existing files, it takes a 409 for one of those.
    errors.StorageRefused: 403,
    errors.OutOfSpace: 507,
}


def error_response(failure: Failure, realm: str) -> Response:
    """Return the response for a failure. An unknown error becomes a 500 without any details.

    :param realm: the realm that users sign in to (RFC 9110, section 11.5).
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
