"""Requests that were answered on the fast path, as the access log needs them."""

from __future__ import annotations

from attrs import define
from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

__all__ = ["LoggedRequest"]


@define(eq=False)  # quicker to make than a frozen one
class LoggedRequest:
    """A request that was answered on the fast path, in the form that the access log needs."""

    method: bytes
    uri: bytes
    code: int
    sentLength: int
    _client: IAddress
    _headers: Headers
    request_id: str = ""
    user_name: str = ""
    cache: str = "hit"
    clientproto: bytes = b"HTTP/1.1"
    body_received: int = 0
    duration: float = 0.0
    """The seconds from its arrival to the end of its answer; nothing, if it was answered at once."""

    @property
    def route(self) -> str:
        """The route that would have answered."""
        if self.uri == b"/simple/":
            return "/simple/"
        top = "/packages" if self.uri.startswith(b"/packages/") else "/simple"
        return f"{top}/{{name}}/" if self.uri.endswith(b"/") else f"{top}/{{name}}/{{filename}}"

    def getClientAddress(self) -> IAddress:
        """Return the client's address."""
        return self._client

    def getHeader(self, name: bytes) -> bytes | None:
        """Return the last value of a header, or ``None`` if it is missing."""
        values = self._headers.getRawHeaders(name)
        return values[-1] if values is not None else None
