"""One file fetched from an upstream, with several requests if connections are lost."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from pypid.errors import UpstreamFailed, UpstreamTimedOut
from pypid.model import File
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.body_stream import BodyStream, Interrupted
from pypid.upstream.http.client import UpstreamClient
from pypid.upstream.http.response_bodies import discard
from pypid.upstream.http.upstream_failures import UnusableAnswer

__all__ = ["Fetch", "describe"]

PAUSES = (0.0, 1.0, 4.0)
"""Pauses before each further attempt, in seconds."""
_CONTENT_RANGE = re.compile(rb"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


@define(eq=False)
class Fetch:
    """Fetches the bytes of a file in order and each once, even if connections are lost.

    After an interruption it requests the rest; if the upstream sends the whole file again, it skips
    the bytes it already has. If the rest belongs to a changed file, the digest of the whole file
    will not match. If no digest is known, the rest is accepted only with a validator (``If-Range``,
    RFC 9110, section 13.1.5).
    """

    _client: UpstreamClient
    _clock: IReactorTime
    _file: File
    _has_digest: bool
    _limit: int
    """Largest size in bytes of a file whose length is unknown."""
    length: int | None = field(init=False)
    """Size of the file in bytes, or ``None`` as long as it is unknown."""
    received: int = field(default=0, init=False)
    """Number of bytes received so far."""
    _validator: str | None = field(default=None, init=False)

    @length.default
    def _size(self) -> int | None:
        return self._file.size

    async def into(self, sink: Callable[[bytes], Awaitable[None]]) -> None:
        """Write the bytes to ``sink``, piece by piece; an empty piece at first says that an answer is there.

        :raises NotFound: the upstream does not have the file any more.
        :raises UpstreamTimedOut: the upstream did not answer, or stalled.
        :raises UpstreamFailed: the file cannot be fetched whole, or differs from its page.
        """
        pauses = iter(PAUSES)
        while True:
            before = self.received
            try:
                await self._attempt(sink)
            except UnusableAnswer:
                raise
            except UpstreamFailed as error:
                pause = next(pauses, None)
                if pause is None or not self._is_worth_another_go(error, before):
                    raise
                await deferLater(self._clock, pause)
            else:
                return

    def _is_worth_another_go(self, error: UpstreamFailed, before: int) -> bool:
        if isinstance(error, UpstreamTimedOut) and self.received == before:
            return False  # an upstream that stalled once will do so again
        if not self.received:
            return isinstance(error, Interrupted)
        return self._has_digest or self._validator is not None

    async def _attempt(self, sink: Callable[[bytes], Awaitable[None]]) -> None:
        """Send one request, and write the new bytes of the answer to ``sink``."""
        headers = {}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
            if self._validator is not None:
                headers["If-Range"] = self._validator
        response = await self._client.stream(self._file.url or "", headers)
        try:
            old = self._already_received(response)
        except UpstreamFailed:
            discard(response)
            raise
        body = BodyStream(self._clock, describe(self._file))
        response.deliverBody(body)
        try:
            await sink(b"")
            while data := await body.read():
                new = data[old:]
                old -= len(data) - len(new)
                if new:
                    self._count(len(new))
                    await sink(new)
        finally:
            body.stop()
        if self.length is None and not self._has_digest and not body.is_sure:
            raise self._unusable("neither its length nor a digest tells whether it is whole")
        if self.length is not None and self.received < self.length:
            raise Interrupted(f"{describe(self._file)}: it ended early")

    def _count(self, number: int) -> None:
        self.received += number
        if self.received > (self._limit if self.length is None else self.length):
            raise self._unusable("it is longer than it should be")

    def _already_received(self, response: IResponse) -> int:
        """Return the number of bytes at the start of a response that were received before.

        :raises UnusableAnswer: the response is for another range, or for a changed file.
        """
        total = response.length if isinstance(response.length, int) else None
        if response.code == 206:
            match = _CONTENT_RANGE.fullmatch(response.headers.getRawHeaders(b"Content-Range", [b""])[0])
            if match is None or not self.received or int(match[1]) != self.received:
                raise self._unusable("another part was sent than was asked for")
            total = None if match[2] == b"*" else int(match[2])
        elif self.received and not self._has_digest:
            raise self._unusable("it changed while it was fetched")
        else:
            self._validator = self._validator or _validator(response.headers)
        if self.length is None:
            self.length = total
        elif total is not None and total != self.length:
            raise self._unusable(f"it has {total} bytes, and should have {self.length}")
        return 0 if response.code == 206 else self.received

    def _unusable(self, reason: str) -> UnusableAnswer:
        return UnusableAnswer(f"{describe(self._file)}: {reason}")


def describe(file: File) -> str:
    """Return the names of a file and its host for messages."""
    return f"{Origin.of(file.url or '') or 'the upstream'}: {file.filename}"


def _validator(headers: Headers) -> str | None:
    """Return the validator for ``If-Range``: a strong entity tag, or else the modification date."""
    etag: str = headers.getRawHeaders("ETag", [""])[0].strip()
    if etag.startswith('"'):
        return etag
    date: str | None = headers.getRawHeaders("Last-Modified", [None])[0]
    return date
