"""Checks of single fields that forms and core metadata share (PEP 440, PEP 508)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from pypid.errors import InvalidUpload

__all__ = ["check_metadata_version", "requirements", "specifiers"]

MAX_SPECIFIERS = 1_000
MAX_REQUIREMENT = 4_000
MAX_REQUIREMENTS = 400_000
"""The most characters of all requirements together; parsing may take 3 ms for each thousand characters."""
_KNOWN = frozenset({"1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"})
_COMPATIBLE = re.compile(r"2\.[0-9]{1,3}")


def check_metadata_version(version: str | None) -> Iterator[str]:
    """Check the version of the core metadata specification, unless it is missing.

    :returns: objections: reasons for a strict refusal, or for a warning.
    :raises InvalidUpload: the version is of an unknown major version, which may change all meanings.
    """
    if version is None or version in _KNOWN:
        return
    if _COMPATIBLE.fullmatch(version) is None:
        raise InvalidUpload("metadata_version: only versions 1.0 to 1.2 and 2.x are understood here")
    yield "metadata_version: it is none of those that are known here, up to 2.6"


def specifiers(text: str | None) -> SpecifierSet:
    """Parse a ``Requires-Python``.

    :raises InvalidUpload: the text is not a list of version specifiers by PEP 440, or too long.
    """
    try:
        if text is None or len(text) <= MAX_SPECIFIERS:
            return SpecifierSet(text or "")
    except InvalidSpecifier:
        pass
    raise InvalidUpload("requires_python: not a list of version specifiers by PEP 440")


def requirements(texts: Iterable[str]) -> frozenset[Requirement]:
    """Parse the values of ``Requires-Dist``.

    :raises InvalidUpload: a value is not a requirement by PEP 508, or they are too long.
    """
    different = frozenset(texts)
    if sum(map(len, different)) > MAX_REQUIREMENTS:
        raise InvalidUpload(f"requires_dist: all together are longer than {MAX_REQUIREMENTS} characters")
    return frozenset(map(_requirement, different))


def _requirement(text: str) -> Requirement:
    try:
        if len(text) <= MAX_REQUIREMENT:
            return Requirement(text)
    except (InvalidRequirement, RecursionError):  # markers may be nested
        pass
    raise InvalidUpload(f"requires_dist: not a requirement by PEP 508: {ascii(text[:60])[:60]}")
