"""The form of an upload, parsed while its bytes arrive.

Clients such as twine and uv send ``multipart/form-data`` (RFC 7578) with text fields and
one file, the part ``content``. The fields are small and stay in memory; the file is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b, md5, sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote

from attrs import field, frozen
from multipart import (  # type: ignore[import-untyped]  # it has no annotations
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from pypid.errors import InvalidForm, InvalidUpload, TooLarge
from pypid.upload.line_ends import LineEnds

__all__ = ["FormReader", "UploadForm"]

MAX_PARTS = 1024  # each classifier and each requirement is a separate part
MAX_HEADERS = 8  # of a part; each up to MAX_HEADER, so 8 kB together
MAX_HEADER = 1024
MAX_FIELD = 1_000_000
MAX_FIELDS = 4_000_000
MAX_EPILOGUE = 1024

# RFC 2046 section 5.1.1: at most 70 characters; the last one is not a space.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
# RFC 9110 section 5.6.6, and also unquoted values if they are unambiguous.
_PARAMETER = re.compile(r';\s*([\w-]+)=("[^"]*"|[^\s";]*)\s*')
_PARAMETERS = re.compile(f"(?:{_PARAMETER.pattern})*")
# RFC 8187 section 3.2.1; only with UTF-8, the one mandatory encoding.
_EXTENDED_FILENAME = re.compile(
    r";\s*filename\*=utf-8'[A-Za-z0-9-]*'((?:[\w!#$&+.^`|~-]|%[0-9A-F]{2})+)\s*(?=;|$)",
    re.ASCII | re.IGNORECASE,
)
_IDENTITY_ENCODINGS = frozenset({"7bit", "8bit", "binary"})


@frozen
class UploadForm:
    """A complete upload form."""

    fields: Mapping[str, tuple[str, ...]] = field(hash=False)
    """The values of each text field, in order, without values that are empty or ``UNKNOWN``."""
    filename: str | None
    """The file's name as sent, not validated; ``None`` if there is no file, or no name."""
    size: int
    """The length of the file in bytes."""
    hashes: Mapping[str, str] = field(hash=False)
    """The file's digests ``sha256``, ``md5`` and ``blake2_256``, in lower-case hexadecimal."""

    def first(self, name: str) -> str | None:
        """Return the first value of a field, or ``None`` if it has none."""
        return next(iter(self.fields.get(name, ())), None)

    def check_digests(self) -> None:
        """Compare the file's digests with those in the form.

        :raises InvalidUpload: a digest differs, or the form has none.
        """
        announced = [
            (f"{algorithm}_digest", digest, value)
            for algorithm, digest in self.hashes.items()
            for value in self.fields.get(f"{algorithm}_digest", ())
        ]
        if not announced:
            raise InvalidUpload("the form has no sha256_digest, blake2_256_digest or md5_digest")
        for name, digest, value in announced:
            if not compare_digest(digest.encode(), value.lower().encode()):
                raise InvalidUpload(f"the file does not have the {name} that the form says: send it again")


class FormReader:
    """Parses an upload form piece by piece; keeps only the text fields in memory.

    It may be used in any thread, by one at a time. After an error it must not be used further.

    :param content_type: the value of the request's ``Content-Type`` header.
    :param write: is called with the bytes of the file, in order, in the thread that calls :meth:`feed`.
    :raises InvalidForm: the type is not ``multipart/form-data``, or has no valid boundary.
    """

    def __init__(self, content_type: str, write: Callable[[bytes], None]) -> None:
        boundary = _boundary(content_type)
        self._parser = PushMultipartParser(
            boundary,
            max_header_size=MAX_HEADER,
            max_header_count=MAX_HEADERS,
            max_segment_count=MAX_PARTS,
            strict=True,
        )
        self._write = write
        self._line_ends = LineEnds(boundary)
        self._terminator = b"\r\n--" + boundary + b"--"
        self._overlap = b"\r\n"  # the first delimiter may begin the form, without a line end before it
        self._ended = False
        self._epilogue = 0
        self._name: str | None = None
        self._value = bytearray()
        self._fields: dict[str, list[str]] = {}
        self._fields_size = 0
        self._has_content = False
        self._filename: str | None = None
        self._size = 0
        self._hashes: dict[str, Any] = {
            "sha256": sha256(),
            "md5": md5(usedforsecurity=False),
            "blake2_256": blake2b(digest_size=32),
        }

    def feed(self, data: bytes) -> None:
        """Parse the next bytes of the body.

        :param data: the bytes; blocks of 64 kB and more are parsed fastest.
        :raises InvalidForm: the form is malformed.
        :raises TooLarge: a text field is too long, or all text fields together are.
        """
        data = self._line_ends.convert(data)
        if not self._ended:
            data = self._parse_to_terminator(data)
        if self._ended:
            self._epilogue += len(data)
            if self._epilogue > MAX_EPILOGUE:
                raise InvalidForm("the form goes on after its closing boundary")

    def finish(self) -> UploadForm:
        """Return the form, after the last call of :meth:`feed`.

        :raises InvalidForm: the form is not complete.
        """
        try:
            self._parser.close()
        except MultipartError:
            raise InvalidForm("the form ends before its closing boundary: send it again") from None
        return UploadForm(
            {name: tuple(values) for name, values in self._fields.items()},
            self._filename,
            self._size,
            {algorithm: digest.hexdigest() for algorithm, digest in self._hashes.items()},
        )

    def _parse_to_terminator(self, data: bytes) -> bytes:
        """Parse up to and including the closing boundary; return the bytes after it.

        The parser would drop or refuse these bytes depending on the division into blocks, so it
        never gets them.
        """
        window = self._overlap + data
        at = window.find(self._terminator)
        rest = b""
        if at >= 0:
            self._ended = True
            stop = at + len(self._terminator) - len(self._overlap)
            data, rest = data[:stop], data[stop:]
        self._overlap = window[1 - len(self._terminator) :]
        if data:
            self._parse(data)
        return rest

    def _parse(self, data: bytes) -> None:
        try:
            for event in self._parser.parse(data):
                if isinstance(event, MultipartSegment):
                    self._begin_part(event)
                elif event is None:
                    self._end_part()
                elif self._name is None:
                    self._add_content(event)
                else:
                    self._add_text(event)
        except MultipartError as error:
            # The first argument is a fixed text; the others may contain bytes of the request.
            raise InvalidForm(f"the form cannot be read: {error.args[0]}") from error

    def _begin_part(self, part: MultipartSegment) -> None:
        names = [name for name, _ in part.headerlist]
        if len(set(names)) != len(names):
            raise InvalidForm("a part of the form has the same header twice")
        encoding = part.header("Content-Transfer-Encoding", "binary").strip().lower()
        if encoding not in _IDENTITY_ENCODINGS:
            raise InvalidForm("a part of the form is encoded: send it without Content-Transfer-Encoding")
        if "*" in part.header("Content-Disposition"):
            _check_extended(part.header("Content-Disposition"), part.filename)
        if part.name != "content":
            self._name = part.name
            return
        if "\\" in part.header("Content-Disposition"):
            # The parser takes this for a Windows path, and drops all before the last backslash.
            raise InvalidForm("content: the file name has a backslash")
        if self._has_content:
            raise InvalidForm("the form has two files: upload them one by one")
        self._has_content = True
        self._filename = part.filename

    def _add_content(self, data: bytes) -> None:
        for digest in self._hashes.values():
            digest.update(data)
        self._size += len(data)
        self._write(data)

    def _add_text(self, data: bytes) -> None:
        self._value += data
        self._fields_size += len(data)
        if len(self._value) > MAX_FIELD:
            raise TooLarge(f"the field {_shown(self._name)} is longer than {MAX_FIELD} bytes")
        if self._fields_size > MAX_FIELDS:
            raise TooLarge(f"the text fields of the form are longer than {MAX_FIELDS} bytes together")

    def _end_part(self) -> None:
        if self._name is None:
            return
        try:
            text = self._value.decode()
        except UnicodeDecodeError:
            raise InvalidForm(f"the field {_shown(self._name)} is not UTF-8") from None
        if text not in ("", "UNKNOWN"):
            self._fields.setdefault(self._name, []).append(text)
        self._name = None
        self._value = bytearray()


def _boundary(content_type: str) -> bytes:
    """Return the boundary of a ``Content-Type`` header. :raises InvalidForm: there is no valid one."""
    media_type, semicolon, rest = content_type.partition(";")
    if media_type.strip().lower() != "multipart/form-data":
        raise InvalidForm("an upload is a form of the type multipart/form-data")
    parameters = semicolon + rest
    values = [value for name, value in _PARAMETER.findall(parameters) if name.lower() == "boundary"]
    boundary = values[0].strip('"') if len(values) == 1 else ""
    if _PARAMETERS.fullmatch(parameters) is None or _BOUNDARY.fullmatch(boundary) is None:
        raise InvalidForm("the Content-Type header of the form has no proper boundary")
    return boundary.encode()


def _check_extended(disposition: str, filename: str | None) -> None:
    """Check that ``filename*`` (RFC 8187), which .NET and PowerShell also send, equals ``filename``.

    RFC 7578 section 4.2 forbids ``filename*``, and readers disagree on which of the two counts.

    :raises InvalidForm: it differs, is malformed, or there is another parameter of that kind.
    """
    rest, count = _EXTENDED_FILENAME.subn("", disposition)
    found = _EXTENDED_FILENAME.search(disposition)
    if found is None or count > 1 or "*" in rest:
        raise InvalidForm("a part of the form has a parameter like filename*: send plain UTF-8 names")
    try:
        extended = unquote(found[1], errors="strict")
    except UnicodeDecodeError:
        extended = None
    if extended is None or extended != filename:
        raise InvalidForm(
            "a part of the form has a filename* that differs from its filename: send one of them"
        )


def _shown(name: str | None) -> str:
    """Return the name of a field, shortened and escaped for a message."""
    return ascii(name[:32] if name else "")
