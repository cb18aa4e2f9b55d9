"""The answers of the fast path: the access checks, and what is sent."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.interfaces import IAddress
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers

from pypid.index.publishing import Index
from pypid.interfaces import ISendableContent
from pypid.model import Action
from pypid.runtime.request_id import new_request_id
from pypid.runtime.result_now import result_now
from pypid.web.fast_path.header_blocks import Block, HeaderBlocks
from pypid.web.fast_path.logged_request import LoggedRequest
from pypid.web.http.channel import ChannelServer
from pypid.web.http.offload import Offload
from pypid.web.http.open_connections import OpenConnections
from pypid.web.http.parsed_request import ParsedRequest
from pypid.web.http.plain_socket import write_now
from pypid.web.http.responses import Response
from pypid.web.permissions.authorization import Authorization
from pypid.web.routes.kept_files import KeptFile, KeptFiles, KeptSidecar, validator
from pypid.web.routes.page_cache import SimplePages

__all__ = ["FastChannel", "FastPath", "FastPathServer"]


class FastPathServer(ChannelServer, Protocol):
    """The server's attributes and methods that the fast path uses."""

    fast_path: FastPath
    connections: OpenConnections

    def log(self, request: Any) -> None:
        """Write a line to the access log."""

    def aborted(self, request: Any) -> None:
        """Count a request whose client left before the answer was complete, and write it to the log."""

    def hold(self, answer: object) -> None:
        """Keep track of an answer that is being sent, until it is released."""

    def release(self, answer: object) -> None:
        """Forget an answer that is sent."""


class FastChannel(Protocol):
    """The connection's attributes and methods that an answer uses."""

    transport: Any
    site: FastPathServer

    @property
    def is_trusted(self) -> bool:
        """Whether the peer is a trusted proxy."""

    def getPeer(self) -> IAddress:
        """Return the address of the peer."""

    def send_content(
        self, head: bytes, content: ISendableContent, start: int, stop: int, logged: LoggedRequest
    ) -> None:
        """Send a head and a part of a file, close the file, and write to the access log."""


@define(eq=False)  # quicker to make than a frozen one
class _Answer:
    """What is sent."""

    response: Response
    content: ISendableContent | None = None
    """The open file of which a part is sent, if any; whoever sends it closes it."""
    start: int = 0
    stop: int = 0
    user_name: str = ""
    """The name of the user; empty for a stranger."""


@define(eq=False)
class FastPath:
    """Answers requests with what is kept."""

    _index: Index
    _authorization: Authorization
    _pages: SimplePages
    _kept_files: KeptFiles
    _blocks: HeaderBlocks = field(factory=HeaderBlocks, init=False)
    _second: int = field(default=0, init=False)
    _date: bytes = field(default=b"", init=False)

    def remember(self, segment: bytes, headers: Headers, trusted: bool) -> None:
        """Remember the meaning of a request's header lines. See :meth:`HeaderBlocks.remember`."""
        self._blocks.remember(segment, headers, trusted)

    def answer(self, segment: bytes, channel: FastChannel) -> bool:
        """Answer a request if this is possible without waiting. Return whether it was answered."""
        trusted = channel.is_trusted
        found = self._blocks.find(segment, trusted)
        if found is None:
            return False
        request, block = found
        try:
            if request.filename:
                answer = self._file(request, block, channel.site.offload if trusted else None)
            else:
                answer = self._page(request, block)
        except Exception:  # the route reports the error
            return False
        if answer is None:
            return False
        peer = channel.site.proxies.client(channel.getPeer(), request.x_forwarded_for, request.forwarded)
        if channel.site.limits.request(peer) is not None:
            if answer.content is not None:
                answer.content.close()
            return False  # the normal path refuses it
        self._blocks.used(segment, request, trusted)
        response = answer.response
        body = response.body if request.method == b"GET" else b""
        before_date, after_date = response.head
        request_id = new_request_id()
        id_line = b"\r\nX-Request-Id: " + request_id.encode("ascii")
        data = b"".join((before_date, self._now(), id_line, after_date, body))
        length = len(body) or answer.stop - answer.start
        logged = LoggedRequest(
            request.method,
            request.path,
            response.status,
            length,
            peer,
            block.headers,
            request_id,
            answer.user_name,
        )
        if answer.content is None:
            write_now(channel.transport, data)
            channel.site.log(logged)
        else:
            channel.send_content(data, answer.content, answer.start, answer.stop, logged)
        return True

    def _page(self, request: ParsedRequest, block: Block) -> _Answer | None:
        """Return the cached page of a project or the index, if the client may read it and it is still valid.

        :raises Exception: the client may not read the page, or the answer requires waiting.
        """
        if block.representation is None:
            return None
        check, project = self._authorization.check_header, request.name or None
        if project is None:
            principal = result_now(check(request.credentials, Action.READ, None))
            key = self._authorization.visibility_key(principal)
            page = self._pages.cached_index(block.representation, key)
            current: Hashable = self._pages.list_validator(result_now(self._index.projects()))
        else:
            page = self._pages.cached_project(project, block.representation)
            if page is None:
                return None
            principal = result_now(check(request.credentials, Action.READ, project))
            current = validator(self._index, project)
        if page is None or page.validator != current:
            return None
        response = page.response(self._authorization.is_shareable(principal, project))
        return _Answer(
            response.for_tags(request.conditions.none_match),
            user_name=principal.name if principal is not None else "",
        )

    def _file(self, request: ParsedRequest, block: Block, offload: Offload | None) -> _Answer | None:
        """Return a file or sidecar file, if the client may read it and what is kept of it is still valid.

        :param offload: how the file may be handed over to the proxy that has forwarded the request.
        :raises Exception: the client may not read the file, or the answer requires waiting.
        """
        check = self._authorization.check_header(request.credentials, Action.READ, request.name)
        principal = result_now(check)
        public = self._authorization.is_shareable(principal, request.name)
        kept = self._kept_files.find(request.name, request.filename)
        if kept is None:
            return None
        if isinstance(kept, KeptFile):
            answer = self._whole_or_part(request, kept, offload, public)
        else:
            answer = self._sidecar(request, block, kept, public)
        if answer is not None and principal is not None:
            answer.user_name = principal.name
        return answer

    def _whole_or_part(
        self, request: ParsedRequest, kept: KeptFile, offload: Offload | None, public: bool
    ) -> _Answer | None:
        changing = self._index.rules.may_replace(kept.file.version)
        content = kept.content.reopen()
        if content is None:
            return None
        try:
            found = kept.response(content, request.conditions, offload, public=public, changing=changing)
        except BaseException:
            content.close()
            raise
        if request.method == b"HEAD" or found.start == found.stop:
            content.close()
            return _Answer(found.response)
        return _Answer(found.response, content, found.start, found.stop)

    def _sidecar(
        self, request: ParsedRequest, block: Block, kept: KeptSidecar, public: bool
    ) -> _Answer | None:
        changing = self._index.rules.may_replace(kept.version)
        response = kept.response(block.headers, public=public, changing=changing)
        if response is None:
            return None
        return _Answer(response.for_tags(request.conditions.none_match))

    def _now(self) -> bytes:
        """Return the current time in the format of the ``Date`` header."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, datetimeToString(second)
        return self._date
