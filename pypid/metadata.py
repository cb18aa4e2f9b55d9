"""Core metadata: the ``METADATA`` of a wheel, the ``PKG-INFO`` of an sdist."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from pypid.errors import InvalidMetadata
from pypid.names import is_name

__all__ = ["CoreMetadata", "parse"]

MAX_SIZE = 2_000_000
MAX_HEADERS = 2_000

_END_OF_HEADERS = re.compile(r"\r\n\r\n|\n\n|\r\r")
# A header with its further lines (RFC 5322, section 2.2.3), or what stands for none in their place.
_FIELD = re.compile(
    r"(?:([!-9;-~]+):|[: \t]|From )([^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*)(?:\r\n|\r|\n|\Z)"
)
_HEADER_START = re.compile(r"(?:^|[\r\n])[^ \t\r\n]")
_PROMISING = re.compile(r"2\.(?:[2-9]|[1-9][0-9]+)")
_RESOLVED = {"name", "version", "requires-dist", "requires-python", "provides-extra"}

_Fields = Mapping[str, Sequence[str]]
"""The values of headers, by name in lower case."""


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
    """``Requires-Python``, letter for letter."""
    summary: str | None
    """The one-line description."""
    dynamic: frozenset[str] = frozenset()
    """Fields, in lower case, that a build may fill in otherwise (PEP 643)."""
    requires_dist: tuple[str, ...] = ()
    """``Requires-Dist``, each letter for letter."""

    @property
    def binding(self) -> bool:
        """Tell whether name, version and requirements are those of all that is built of it (PEP 643)."""
        return _PROMISING.fullmatch(self.metadata_version) is not None and not self.dynamic & _RESOLVED


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
    headers = _END_OF_HEADERS.split(text, maxsplit=1)[0]
    if sum(1 for _ in _HEADER_START.finditer(headers)) > MAX_HEADERS:
        raise InvalidMetadata(f"the metadata has more than {MAX_HEADERS} lines of headers")
    fields = _fields(headers)
    name = _required(fields, "Name")
    if not is_name(name):
        raise InvalidMetadata("the metadata has a Name that is not valid")
    return CoreMetadata(
        _required(fields, "Metadata-Version"),
        name,
        _required(fields, "Version"),
        _single(fields, "Requires-Python"),
        _single(fields, "Summary"),
        frozenset(value.lower() for value in fields.get("dynamic", [])),
        tuple(fields.get("requires-dist", [])),
    )


def _fields(headers: str) -> _Fields:
    """Take headers apart, and end where there is no more, as :mod:`email.parser` does in ten times the time.

    Its full parser takes minutes for some: it follows a Content-Type into nested bodies.
    """
    fields: dict[str, list[str]] = {}
    end = 0
    while (found := _FIELD.match(headers, end)) is not None:
        name, value = found.groups()
        if name is not None:
            fields.setdefault(name.lower(), []).append(value.strip())
        end = found.end()
    return fields


def _required(fields: _Fields, header: str) -> str:
    """Give the value of a header that core metadata always has."""
    value = _single(fields, header)
    if value is None:
        raise InvalidMetadata(f"the metadata has no {header}")
    return value


def _single(fields: _Fields, header: str) -> str | None:
    """Give the value of a header; ``None`` stands for none, and for the ``UNKNOWN`` of old setuptools."""
    values = fields.get(header.lower(), [""])
    if len(values) > 1:
        raise InvalidMetadata(f"the metadata has more than one {header}")
    return None if values[0] in ("", "UNKNOWN") else values[0]
