"""Which status an error has."""

from __future__ import annotations

from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from pypid import errors
from pypid.web.responses import Response, text

__all__ = ["CHALLENGE", "error_response"]

# "setup.py register" sends a password to this realm alone.
CHALLENGE = (b"WWW-Authenticate", b'Basic realm="pypi", charset="UTF-8"')
RETRY_AFTER = (b"Retry-After", b"5")

_STATUS: dict[type, int] = {
    errors.InvalidForm: 400,
    errors.InvalidUpload: 400,
    errors.InvalidFilename: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.FileExists: 409,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Withheld: 403,
    errors.UpstreamFailed: 502,
    errors.UpstreamTimedOut: 504,
    errors.StorageUnavailable: 503,
    errors.OutOfSpace: 507,
}
_HEADERS = {401: [CHALLENGE], 503: [RETRY_AFTER]}


def error_response(failure: Failure) -> Response:
    """Give the response for a failure; what is not ours is a "500" that tells nothing."""
    error = failure.value
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ())).encode("ascii")
        return text(405, "method not allowed here", [(b"Allow", allowed)])
    if isinstance(error, HTTPException) and error.code == 404:
        return text(404, "there is no such page")
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    message = str(error) if status != 500 else "something went wrong here; the log says what"
    return text(status, message, _HEADERS.get(status, ()))
