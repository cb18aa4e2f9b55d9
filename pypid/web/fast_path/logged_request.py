"""Requests that were answered on the fast path, as the access log needs them."""

from __future__ import annotations

from attrs import frozen
from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

__all__ = ["LoggedRequest"]


@frozen
class LoggedRequest:
    """A request that was answered on the fast path, in the form that the access log needs."""

    method: bytes
    uri: bytes
    code: int
    sentLength: int
    _client: IAddress
    _headers: Headers
    clientproto: bytes = b"HTTP/1.1"

    def getClientAddress(self) -> IAddress:
        """Return the client's address."""
        return self._client

    def getHeader(self, name: bytes) -> bytes | None:
        """Return the last value of a header, or ``None`` if it is missing."""
        values = self._headers.getRawHeaders(name)
        return values[-1] if values is not None else None
