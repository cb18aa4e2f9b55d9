"""A fake client of another index, which answers immediately, on command, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from pypid.errors import NotFound, UpstreamFailed
from pypid.upstream.http.client import Answer
from pypid.upstream.http.web_proxies import WebProxy

__all__ = ["JSON", "MemoryClient"]

JSON = "application/vnd.pypi.simple.v1+json"


@define(eq=False)
class MemoryClient:
    """Stands in for :class:`pypid.upstream.http.client.UpstreamClient`, without any network."""

    url: str = "https://index.example.org/simple/"
    failure: UpstreamFailed | None = None
    """The error of every request while it is set."""
    with_tags: bool = True
    """Whether answers have entity tags, so that requests can be conditional."""
    held: bool = False
    """Whether answers wait for :meth:`release`."""
    status: int | None = None
    """The status of all answers, instead of the right one."""
    last_modified: str | None = None
    """The ``Last-Modified`` header of all answers."""
    web_proxy: WebProxy | None = None
    """The web proxy that it claims to use."""
    moved: str | None = None
    """The final URL of all answers, as after redirects."""
    asked: list[str] = field(factory=list)
    """The paths of the requests."""
    headers: list[Mapping[str, str]] = field(factory=list)
    """The headers of the requests."""
    files: dict[str, bytes] = field(factory=dict)
    """The bytes of files, by URL."""
    _pages: dict[str, tuple[bytes, str]] = field(factory=dict, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def put(self, path: str, body: bytes, content_type: str = JSON) -> None:
        """Set the page at a path."""
        self._pages[path] = body, content_type

    def put_project(self, name: str, *entries: Mapping[str, object], **page: Any) -> None:
        """Set a project's page in JSON."""
        document = {"meta": {"api-version": "1.4"}, "name": name, "files": entries, **page}
        self.put(f"/simple/{name}/", json.dumps(document).encode())

    def remove(self, path: str) -> None:
        """Remove the page at a path."""
        del self._pages[path]

    def release(self) -> None:
        """Answer the waiting requests from the present state."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def page(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        """Return the answer to a request. :raises UpstreamFailed: :attr:`failure` is set."""
        path = url.removeprefix("https://index.example.org")
        self.asked.append(path)
        self.headers.append(headers)
        if self.held:
            self._waiting.append(Deferred())
            await self._waiting[-1]
        if self.failure is not None:
            raise self.failure
        body, content_type = self._pages.get(path, (None, ""))
        if body is None or self.status is not None:
            return Answer(self.status or 404, Headers(), b"", url)
        assert len(body) <= limit
        answered = Headers({"Content-Type": [content_type]})
        if self.last_modified is not None:
            answered.setRawHeaders("Last-Modified", [self.last_modified])
        if self.with_tags:
            tag = f'"{sha256(body).hexdigest()}"'
            answered.setRawHeaders("ETag", [tag])
            if headers.get("If-None-Match") == tag:
                return Answer(304, answered, b"", url)
        return Answer(200, answered, body, self.moved or url)

    async def stream(self, url: str, headers: Mapping[str, str]) -> IResponse:  # noqa: ARG002
        """Return the answer with a whole file.

        :raises NotFound: there is no such file.
        :raises UpstreamFailed: :attr:`failure` is set.
        """
        if self.failure is not None:
            raise self.failure
        if url not in self.files:
            raise NotFound("the upstream does not have that file any more")
        # It has only the part of a response that downloads use.
        return cast(IResponse, _Streamed(self.files[url]))


@define(eq=False)
class _Streamed:
    """The used part of an ``IResponse``, with an immediate body."""

    _body: bytes
    code: int = 200
    headers: Headers = field(factory=Headers)

    @property
    def length(self) -> int:
        return len(self._body)

    def deliverBody(self, protocol: Protocol) -> None:
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(self._body)
        protocol.connectionLost(Failure(ResponseDone()))
