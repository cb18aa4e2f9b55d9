"""Why an upstream did not answer, in words for a person and without secrets."""

from __future__ import annotations

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.web.client import ResponseFailed

from pypid.errors import UpstreamFailed, UpstreamTimedOut

__all__ = ["UnusableAnswer", "told"]

_WORDS: list[tuple[type[BaseException], str]] = [
    (error.DNSLookupError, "its name cannot be looked up"),
    (error.ConnectionRefusedError, "it refuses connections"),
    (error.ConnectError, "it cannot be connected to"),
    (VerificationError, "its certificate is for another name"),
    (error.ConnectionClosed, "it closed the connection"),
]
_TIMEOUTS = (error.TimeoutError, error.TCPTimedOutError, DeferredTimeoutError)


class UnusableAnswer(UpstreamFailed):
    """An upstream answered, and its answer is of no use: it is not one that cannot be reached."""


def told(host: str, reason: BaseException) -> UpstreamFailed | CancelledError:
    """Make an error of pypid out of what Twisted raised when ``host`` was asked.

    That the question was given up stays what it is.
    """
    cause = _cause(reason)
    if isinstance(cause, CancelledError | error.ConnectingCancelledError):
        return CancelledError()
    if isinstance(cause, UpstreamFailed):
        text = str(cause)
        return cause if text.startswith(host) else type(cause)(f"{host}: {text}")
    if isinstance(cause, _TIMEOUTS):
        return UpstreamTimedOut(f"{host}: it did not answer in time")
    if isinstance(cause, TLSError):
        # Its only argument lists a library, a function and a reason each.
        reasons = ", ".join(str(entry[-1]) for entry in cause.args[0]) if cause.args else ""
        return UpstreamFailed(f"{host}: TLS failed: {reasons or 'it closed the connection'}")
    for kind, words in _WORDS:
        if isinstance(cause, kind):
            return UpstreamFailed(f"{host}: {words}")
    return UpstreamFailed(f"{host}: its answer is not HTTP as it should be ({type(cause).__name__})")


def _cause(reason: BaseException) -> BaseException:
    """Dig for what is behind ``ResponseFailed`` and its kin, of which TLS knows best."""
    while isinstance(reason, ResponseFailed) and reason.reasons:
        causes = [failure.value for failure in reason.reasons]
        tls = [cause for cause in causes if isinstance(cause, TLSError | VerificationError | UpstreamFailed)]
        reason = (tls or causes)[0]
    return reason
