"""Core metadata: the ``METADATA`` of a wheel, the ``PKG-INFO`` of an sdist."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    """Parsed core metadata, with the fields that pypid shows or compares."""

    metadata_version: str
    """The version of its specification, such as ``2.4``."""
    name: str
    """The project's name in the spelling of its authors; a valid name."""
    version: str
    """The version in the spelling of the authors; in old projects it may be invalid by PEP 440."""
    requires_python: str | None
    """``Requires-Python``, letter for letter except line breaks."""
    summary: str | None
    """The one-line description."""
    dynamic: frozenset[str] = frozenset()
    """Names of fields, in lower case, whose values a build may change (PEP 643)."""
    requires_dist: tuple[str, ...] = ()
    """The values of ``Requires-Dist``, letter for letter except line breaks."""
    license_files: tuple[str, ...] = ()
    """The values of ``License-File``, paths with slashes."""
    _headers: Message = field(factory=Message, eq=False, repr=False)
    _body: str = field(default="", eq=False, repr=False)

    @property
    def binding(self) -> bool:
        """True if everything built from the sdist has the same name, version and requirements (PEP 643)."""
        return _PROMISING.fullmatch(self.metadata_version) is not None and not self.dynamic & _RESOLVED

    @property
    def description(self) -> str:
        """The long description, with line breaks: the body, or in old metadata a header with marked lines."""
        if self._body.strip():
            return self._body
        described = str(self._headers.get("Description", "")).strip()
        return "" if described == "UNKNOWN" else _FOLD.sub("", described)

    def text(self, header: str) -> str:
        """Return the value of a header as one line; ``""`` if it is missing, or the old ``UNKNOWN``."""
        text = _one_line(str(self._headers.get(header, "")))
        return "" if text == "UNKNOWN" else text

    def texts(self, header: str) -> tuple[str, ...]:
        """Return the values of a header that may be repeated, each as one line."""
        return tuple(_one_line(str(value)) for value in self._headers.get_all(header, []))


def parse(data: bytes) -> CoreMetadata:
    """Parse core metadata of any version, leniently enough for old archives.

    :raises InvalidMetadata: the metadata is not UTF-8, is too long, or does not have exactly one valid
        name, one version and one metadata version.
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
    # The full parser may take minutes: it follows a Content-Type into nested bodies.
    headers = HeaderParser(policy=compat32).parsestr(head)
    values: dict[str, list[str]] = {}
    for header, value in headers.items():
        values.setdefault(header.lower(), []).append(str(value))
    name = _required(values, "Name")
    if not is_name(name):
        raise InvalidMetadata("the metadata has a Name that is not valid")
    return CoreMetadata(
        _required(values, "Metadata-Version"),
        name,
        _required(values, "Version"),
        _single(values, "Requires-Python"),
        _single(values, "Summary"),
        frozenset(value.lower() for value in _all(values, "Dynamic")),
        _all(values, "Requires-Dist"),
        _all(values, "License-File"),
        headers,
        # The first line that is not a header begins the body.
        str(headers.get_payload()) + rest,
    )


def _required(headers: Mapping[str, Sequence[str]], header: str) -> str:
    """Return the value of a mandatory header."""
    value = _single(headers, header)
    if value is None:
        raise InvalidMetadata(f"the metadata has no {header}")
    return value


def _single(headers: Mapping[str, Sequence[str]], header: str) -> str | None:
    """Return the value of a header; ``None`` if it is missing, or ``UNKNOWN`` as from old setuptools."""
    values = _all(headers, header) or ("",)
    if len(values) > 1:
        raise InvalidMetadata(f"the metadata has more than one {header}")
    return None if values[0] in ("", "UNKNOWN") else values[0]


def _all(headers: Mapping[str, Sequence[str]], header: str) -> tuple[str, ...]:
    return tuple(map(_one_line, headers.get(header.lower(), ())))


def _one_line(value: str) -> str:
    """Return a value, which may be folded (RFC 5322, section 2.2.3), without line breaks."""
    return " ".join(filter(None, map(str.strip, _LINE_ENDS.split(value))))
