"""Errors of requests to an upstream, in words for people and without secrets."""

from __future__ import annotations

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.web.client import ResponseFailed

from pypid.errors import UpstreamFailed, UpstreamTimedOut

__all__ = ["BusyAnswer", "CircuitOpen", "FailedAnswer", "Unreachable", "UnusableAnswer", "to_upstream_error"]

_CONNECTING = (error.TimeoutError, error.TCPTimedOutError)
_WORDS: list[tuple[type[BaseException], str]] = [
    (error.DNSLookupError, "its name cannot be looked up"),
    (error.ConnectionRefusedError, "it refuses connections"),
    (error.ConnectError, "it cannot be connected to"),
    (VerificationError, "its certificate is for another name"),
]


class Unreachable(UpstreamFailed):
    """No connection to the host can be made, whatever the resource."""


class _ConnectingTimedOut(Unreachable, UpstreamTimedOut):
    """The host did not answer a connection attempt in time."""


class CircuitOpen(Unreachable):
    """The host gets no requests now, because it failed repeatedly."""


class FailedAnswer(UpstreamFailed):
    """The host answered with an error about this resource; other resources may be fine."""


class BusyAnswer(UpstreamFailed):
    """The host answered that it is busy: it, or the server behind it, may be down as a whole."""


class UnusableAnswer(UpstreamFailed):
    """The upstream can be reached, but its answer cannot be used."""


def to_upstream_error(host: str, reason: BaseException) -> UpstreamFailed | CancelledError:
    """Return the error of pypid for an exception that Twisted raised in a request to ``host``.

    A cancellation stays a cancellation.
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
        # Its only argument is a list of triples: library, function, reason.
        reasons = ", ".join(str(entry[-1]) for entry in cause.args[0]) if cause.args else ""
        return Unreachable(f"{host}: TLS failed: {reasons or 'it closed the connection'}")
    for kind, words in _WORDS:
        if isinstance(cause, kind):
            return Unreachable(f"{host}: {words}")
    if isinstance(cause, error.ConnectionClosed):
        return UpstreamFailed(f"{host}: it closed the connection")
    return UpstreamFailed(f"{host}: its answer is not HTTP as it should be ({type(cause).__name__})")


def _cause(reason: BaseException) -> BaseException:
    """Return the innermost cause of ``ResponseFailed`` and similar errors; one of TLS comes first."""
    while isinstance(reason, ResponseFailed) and reason.reasons:
        causes = [failure.value for failure in reason.reasons]
        tls = [cause for cause in causes if isinstance(cause, TLSError | VerificationError | UpstreamFailed)]
        reason = (tls or causes)[0]
    return reason
