"""Decompression of gzip, bzip2 and xz within bounds.

The readers of the standard library are not used: ``gzip`` reads the names in its headers byte by
byte, and none of the readers limits the number of consecutive streams.
"""

from __future__ import annotations

import io
import zlib
from bz2 import BZ2Decompressor
from collections.abc import Callable
from lzma import FORMAT_XZ, LZMADecompressor
from typing import Any, Protocol

from attrs import frozen

from pypid.archives.bounds import CHUNK, MAX_INFLATED, MAX_MEMBERS, Inflated, Source
from pypid.errors import InvalidArchive

__all__ = ["inflated"]

MAX_XZ_MEMORY = 128 << 20  # "xz -9" needs 65 MiB
MAX_STREAMS = MAX_MEMBERS
MAX_GZIP_HEADER = 8 << 10
"""The most bytes of a gzip that may inflate to nothing; a header and the tables of a block need less."""
MAX_SILENCE = 2 << 20
"""The same for the others; a block of bzip2 has up to 900 kB."""


class _Decompressor(Protocol):
    """A decompressor of the standard library, for one stream."""

    @property
    def eof(self) -> bool:
        """True if the stream is at its end."""

    @property
    def needs_input(self) -> bool:
        """True if it has used all its input."""

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Inflate some bytes, and return at most ``max_length`` bytes."""


class _Gzip:
    """A decompressor of gzip with the interface of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


@frozen
class _Codec:
    """A format of compression."""

    make: Callable[[], _Decompressor]
    """Makes a decompressor for one stream."""
    silence: int
    """The most bytes that may inflate to nothing."""


_GZIP = _Codec(_Gzip, MAX_GZIP_HEADER)
_CODECS = {
    ".tar.gz": _GZIP,
    ".tgz": _GZIP,
    ".tar.bz2": _Codec(BZ2Decompressor, MAX_SILENCE),
    ".tar.xz": _Codec(lambda: LZMADecompressor(FORMAT_XZ, MAX_XZ_MEMORY), MAX_SILENCE),
}


def inflated(source: Source, filename: str, limit: int = MAX_INFLATED) -> Inflated | None:
    """Return the tar in an archive, or ``None`` if the suffix is not one of a compressed tar.

    :param limit: the most bytes to which it may inflate.
    """
    for suffix, codec in _CODECS.items():
        if filename.endswith(suffix):
            return Inflated(io.BufferedReader(_Streams(source, codec), CHUNK), source, limit)
    return None


class _Streams(io.RawIOBase):
    """Inflates consecutive streams up to the end of the file; zeros may follow each stream."""

    def __init__(self, source: Source, codec: _Codec) -> None:
        self._source = source
        self._codec = codec
        self._decompressor = codec.make()
        self._count = 1
        self._silence = 0
        self._data = b""
        self._at = 0
        self._is_over = False

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Inflate the next bytes into ``buffer``, and return their number; 0 at the end.

        :raises EOFError: the file ends before the stream does.
        :raises InvalidArchive: there are too many streams, or too many bytes that inflate to nothing.
        """
        while not self._decompressor.eof or self._begin_next():
            piece = self._take() if self._decompressor.needs_input else b""
            data = self._decompressor.decompress(piece, len(buffer))
            if data:
                self._silence = 0
                buffer[: len(data)] = data
                return len(data)
            if self._decompressor.eof:
                continue
            if not piece:
                raise EOFError
            self._silence += len(piece)
            if self._silence >= self._codec.silence:
                raise InvalidArchive("the archive has a header of its compression that is too long")
        return 0

    def _begin_next(self) -> bool:
        """Begin the next stream, and return whether there is one."""
        if self._is_over:
            return False
        self._at -= len(self._decompressor.unused_data)
        while not (piece := self._take().lstrip(b"\0")):
            if not self._data:
                self._is_over = True
                return False
        self._at -= len(piece)
        self._count += 1
        if self._count > MAX_STREAMS:
            raise InvalidArchive(f"the archive is compressed in more than {MAX_STREAMS} pieces")
        self._decompressor = self._codec.make()
        self._silence = 0
        return True

    def _take(self) -> bytes:
        """Return the next bytes of the file: few at a time, since some may belong to the next stream."""
        if self._at == len(self._data):
            self._data, self._at = self._source.read(CHUNK), 0
        piece = self._data[self._at : self._at + MAX_GZIP_HEADER]
        self._at += len(piece)
        return piece
