"""Core metadata: the ``METADATA`` of a wheel, the ``PKG-INFO`` of an sdist."""

from __future__ import annotations

import re
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32

from attrs import field, frozen

from pypid.errors import InvalidMetadata
from pypid.names import is_name

__all__ = ["CoreMetadata", "parse"]

MAX_SIZE = 2_000_000
MAX_HEADERS = 2_000

_END_OF_HEADERS = re.compile(r"(?:\r\n|\n|\r(?!\n)){2}")
_HEADER_START = re.compile(r"(?:^|[\r\n])[^ \t\r\n]")
_LINE_ENDS = re.compile(r"[\r\n]+")
_FOLD = re.compile(r"^(?: {8}| {7}\|)", re.MULTILINE)
_PROMISING = re.compile(r"2\.(?:[2-9]|[1-9][0-9]+)")
_RESOLVED = {"name", "version", "requires-dist", "requires-python", "provides-extra"}


@frozen
class CoreMetadata:
    """What core metadata says, as far as pypid shows or compares it."""

    metadata_version: str
    """Which version of the specification it follows, such as ``2.4``."""
    name: str
    """The project's name as its authors spell it; a valid one."""
    version: str
    """The version as its authors spell it; old projects may have one that PEP 440 does not know."""
    requires_python: str | None
    """``Requires-Python``, letter for letter but for line breaks."""
    summary: str | None
    """The one-line description."""
    dynamic: frozenset[str] = frozenset()
    """Fields, in lower case, that a build may fill in otherwise (PEP 643)."""
    requires_dist: tuple[str, ...] = ()
    """``Requires-Dist``, each letter for letter but for line breaks."""
    license_files: tuple[str, ...] = ()
    """``License-File``, each with slashes."""
    _headers: Message = field(factory=Message, eq=False, repr=False)
    _body: str = field(default="", eq=False, repr=False)

    @property
    def binding(self) -> bool:
        """Tell whether name, version and requirements are those of all that is built of it (PEP 643)."""
        return _PROMISING.fullmatch(self.metadata_version) is not None and not self.dynamic & _RESOLVED

    @property
    def description(self) -> str:
        """The long description, with its lines: the body, or in old metadata a header with marked lines."""
        if self._body.strip():
            return self._body
        described = str(self._headers.get("Description", "")).strip()
        return "" if described == "UNKNOWN" else _FOLD.sub("", described)

    def text(self, header: str) -> str:
        """Return the value of a header as one line; ``""`` if it is not there, or the ``UNKNOWN`` of old."""
        text = _one_line(str(self._headers.get(header, "")))
        return "" if text == "UNKNOWN" else text

    def texts(self, header: str) -> tuple[str, ...]:
        """Return the values of a header that may be there many times, each as one line."""
        return _all(self._headers, header)


def parse(data: bytes) -> CoreMetadata:
    """Parse core metadata of any version, as leniently as it has to be for old archives.

    :raises InvalidMetadata: it is not UTF-8, is too long, or does not have exactly one valid
        name, one version and one version of the specification that it follows.
    """
    if len(data) > MAX_SIZE:
        raise InvalidMetadata(f"the metadata is longer than {MAX_SIZE} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InvalidMetadata("the metadata is not UTF-8") from None
    end = _END_OF_HEADERS.search(text)
    head, rest = (text[: end.end()], text[end.end() :]) if end is not None else (text, "")
    if sum(1 for _ in _HEADER_START.finditer(head)) > MAX_HEADERS:
        raise InvalidMetadata(f"the metadata has more than {MAX_HEADERS} lines of headers")
    # The full parser takes minutes for some: it follows a Content-Type into nested bodies.
    headers = HeaderParser(policy=compat32).parsestr(head)
    name = _required(headers, "Name")
    if not is_name(name):
        raise InvalidMetadata("the metadata has a Name that is not valid")
    return CoreMetadata(
        _required(headers, "Metadata-Version"),
        name,
        _required(headers, "Version"),
        _single(headers, "Requires-Python"),
        _single(headers, "Summary"),
        frozenset(value.lower() for value in _all(headers, "Dynamic")),
        _all(headers, "Requires-Dist"),
        _all(headers, "License-File"),
        headers,
        # What comes after a line that is no header is body already.
        str(headers.get_payload()) + rest,
    )


def _required(headers: Message, header: str) -> str:
    """Return the value of a header that core metadata always has."""
    value = _single(headers, header)
    if value is None:
        raise InvalidMetadata(f"the metadata has no {header}")
    return value


def _single(headers: Message, header: str) -> str | None:
    """Return the value of a header; ``None`` stands for none, and for the ``UNKNOWN`` of old setuptools."""
    values = _all(headers, header) or ("",)
    if len(values) > 1:
        raise InvalidMetadata(f"the metadata has more than one {header}")
    return None if values[0] in ("", "UNKNOWN") else values[0]


def _all(headers: Message, header: str) -> tuple[str, ...]:
    return tuple(_one_line(str(value)) for value in headers.get_all(header, []))


def _one_line(value: str) -> str:
    """Return a value that may be folded (RFC 5322, section 2.2.3) without its line breaks."""
    return " ".join(filter(None, map(str.strip, _LINE_ENDS.split(value))))
