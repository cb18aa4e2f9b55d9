"""Why an upstream did not answer, in words for a person and without secrets."""

from __future__ import annotations

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.web.client import ResponseFailed

from pypid.errors import UpstreamFailed, UpstreamTimedOut

__all__ = ["BusyAnswer", "FailedAnswer", "LeftAlone", "Unreachable", "UnusableAnswer", "told"]

_CONNECTING = (error.TimeoutError, error.TCPTimedOutError)
_WORDS: list[tuple[type[BaseException], str]] = [
    (error.DNSLookupError, "its name cannot be looked up"),
    (error.ConnectionRefusedError, "it refuses connections"),
    (error.ConnectError, "it cannot be connected to"),
    (VerificationError, "its certificate is for another name"),
]


class Unreachable(UpstreamFailed):
    """A host cannot be connected to, whatever it is asked for."""


class _ConnectingTimedOut(Unreachable, UpstreamTimedOut):
    """A host does not even answer that it does not take connections."""


class LeftAlone(Unreachable):
    """A host is not asked for now, as it failed again and again."""


class FailedAnswer(UpstreamFailed):
    """A host answered that it cannot make what it was asked for; it may well have something else."""


class BusyAnswer(UpstreamFailed):
    """A host answered that it cannot answer now: it, or what it stands before, may be down as a whole."""


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
    if isinstance(cause, _CONNECTING):
        return _ConnectingTimedOut(f"{host}: it did not answer in time")
    if isinstance(cause, DeferredTimeoutError):
        return UpstreamTimedOut(f"{host}: it did not answer in time")
    if isinstance(cause, TLSError):
        # Its only argument lists a library, a function and a reason each.
        reasons = ", ".join(str(entry[-1]) for entry in cause.args[0]) if cause.args else ""
        return Unreachable(f"{host}: TLS failed: {reasons or 'it closed the connection'}")
    for kind, words in _WORDS:
        if isinstance(cause, kind):
            return Unreachable(f"{host}: {words}")
    if isinstance(cause, error.ConnectionClosed):
        return UpstreamFailed(f"{host}: it closed the connection")
    return UpstreamFailed(f"{host}: its answer is not HTTP as it should be ({type(cause).__name__})")


def _cause(reason: BaseException) -> BaseException:
    """Dig for what is behind ``ResponseFailed`` and its kin, of which TLS knows best."""
    while isinstance(reason, ResponseFailed) and reason.reasons:
        causes = [failure.value for failure in reason.reasons]
        tls = [cause for cause in causes if isinstance(cause, TLSError | VerificationError | UpstreamFailed)]
        reason = (tls or causes)[0]
    return reason
