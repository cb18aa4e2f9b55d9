"""Fetching a file from an upstream, in several goes if need be."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
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

__all__ = ["Fetch", "named"]

PAUSES = (0.0, 1.0, 4.0)
"""How long, in seconds, to wait before each further go."""
_CONTENT_RANGE = re.compile(rb"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


@define(eq=False)
class Fetch:
    """Gives the bytes of a file in order, and each once, though connections be lost.

    After an interruption it asks for the rest, and if it gets all again, leaves out what it had.
    Should the rest be that of other bytes, the digest of the whole will tell. Where no digest is
    known, only a rest will do that the upstream vouches for by a validator (RFC 9110, section
    13.1.5).
    """

    _origin: UpstreamClient
    _clock: Any
    _file: File
    _has_digest: bool
    _limit: int
    """How many bytes a file may have whose length nobody tells."""
    length: int | None = field(init=False)
    """How many bytes there are, as far as that is known."""
    received: int = field(default=0, init=False)
    """How many bytes there were so far."""
    _validator: str | None = field(default=None, init=False)

    @length.default
    def _size(self) -> int | None:
        return self._file.size

    async def into(self, sink: Callable[[bytes], Awaitable[None]]) -> None:
        """Hand the bytes to ``sink``, piece by piece; the first piece, when there is an answer, is empty.

        :raises NotFound: it is not there any more.
        :raises UpstreamTimedOut: the upstream does not answer, or not any more.
        :raises UpstreamFailed: it cannot be had, or not whole, or is not as was promised.
        """
        pauses = iter(PAUSES)
        while True:
            before = self.received
            try:
                await self._go(sink)
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
            return False  # who stalled once will do so again
        if not self.received:
            return isinstance(error, Interrupted)
        return self._has_digest or self._validator is not None

    async def _go(self, sink: Callable[[bytes], Awaitable[None]]) -> None:
        """Ask once, and hand on what is new of the answer."""
        headers = {}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
            if self._validator is not None:
                headers["If-Range"] = self._validator
        response = await self._origin.stream(self._file.url or "", headers)
        try:
            old = self._already_received(response)
        except UpstreamFailed:
            discard(response)
            raise
        intake = BodyStream(self._clock, named(self._file))
        response.deliverBody(intake)
        try:
            await sink(b"")
            while data := await intake.take():
                new = data[old:]
                old -= len(data) - len(new)
                if new:
                    self._count(len(new))
                    await sink(new)
        finally:
            intake.stop()
        if self.length is None and not self._has_digest and not intake.is_sure:
            raise self._unusable("neither its length nor a digest tells whether it is whole")
        if self.length is not None and self.received < self.length:
            raise Interrupted(f"{named(self._file)}: it ended early")

    def _count(self, number: int) -> None:
        self.received += number
        if self.received > (self._limit if self.length is None else self.length):
            raise self._unusable("it is longer than it should be")

    def _already_received(self, response: IResponse) -> int:
        """Say how many bytes of an answer there were before.

        :raises UnusableAnswer: it is not what was asked for.
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
        return UnusableAnswer(f"{named(self._file)}: {reason}")


def named(file: File) -> str:
    """Name a file and its host for messages."""
    return f"{Origin.of(file.url or '') or 'the upstream'}: {file.filename}"


def _validator(headers: Headers) -> str | None:
    """Give what tells whether a file is still the same: a strong entity tag, or else its date."""
    etag: str = headers.getRawHeaders("ETag", [""])[0].strip()
    if etag.startswith('"'):
        return etag
    date: str | None = headers.getRawHeaders("Last-Modified", [None])[0]
    return date
