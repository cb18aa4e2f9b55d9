"""Core metadata: the ``METADATA`` of a wheel, the ``PKG-INFO`` of an sdist."""

from __future__ import annotations

import re
from email.message import Message
from email.parser import HeaderParser
from email.policy import compat32

from attrs import frozen

from pypid.errors import InvalidMetadata
from pypid.names import is_name

__all__ = ["CoreMetadata", "parse"]

MAX_SIZE = 2_000_000
MAX_HEADERS = 2_000

_END_OF_HEADERS = re.compile(r"\r\n\r\n|\n\n|\r\r")
_HEADER_START = re.compile(r"(?:^|[\r\n])[^ \t\r\n]")
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
    # Of the headers alone, because the full parser follows a Content-Type into nested bodies,
    # and takes minutes for one with many quotes.
    message = HeaderParser(policy=compat32).parsestr(headers)
    name = _required(message, "Name")
    if not is_name(name):
        raise InvalidMetadata("the metadata has a Name that is not valid")
    return CoreMetadata(
        _required(message, "Metadata-Version"),
        name,
        _required(message, "Version"),
        _single(message, "Requires-Python"),
        _single(message, "Summary"),
        frozenset(value.strip().lower() for value in message.get_all("Dynamic", [])),
        tuple(str(value).strip() for value in message.get_all("Requires-Dist", [])),
    )


def _required(message: Message, header: str) -> str:
    """Give the value of a header that core metadata always has."""
    value = _single(message, header)
    if value is None:
        raise InvalidMetadata(f"the metadata has no {header}")
    return value


def _single(message: Message, header: str) -> str | None:
    """Give the value of a header; ``None`` stands for none, and for the ``UNKNOWN`` of old setuptools."""
    values = message.get_all(header, [""])
    if len(values) > 1:
        raise InvalidMetadata(f"the metadata has more than one {header}")
    value = values[0].strip()
    return None if value in ("", "UNKNOWN") else value
