"""The rules of an index for uploads, as its administrator sets them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from attrs import frozen

from pypid.errors import InvalidUpload
from pypid.names import suffix_of

__all__ = ["USUAL_ARCHIVES", "UploadRules"]

USUAL_ARCHIVES = frozenset({".whl", ".tar.gz"})
"""The suffixes that are always accepted: wheels, and sdists by PEP 625."""


@frozen
class UploadRules:
    """How strict the checks of an upload are, and which published files may be replaced."""

    strict: bool = False
    """Whether everything is refused that PyPI refuses; otherwise it is accepted with a warning."""
    old_archives: frozenset[str] = frozenset()
    """The suffixes of old kinds of archives that are accepted besides :data:`USUAL_ARCHIVES`."""
    overwrite: Sequence[str] = ()
    """Patterns of versions whose files may be replaced by other files of the same name."""

    def takes_archive(self, filename: str) -> bool:
        """Return whether files with the suffix of ``filename`` are accepted."""
        return suffix_of(filename) in USUAL_ARCHIVES | self.old_archives

    def may_replace(self, version: str) -> bool:
        """Return whether the files of a version, in canonical spelling (PEP 440), may be replaced."""
        return any(fnmatchcase(version, pattern) for pattern in self.overwrite)

    def to_warnings(self, objections: Iterable[str]) -> tuple[str, ...]:
        """Return objections, reasons for which PyPI would refuse an upload, as warnings without duplicates.

        :raises InvalidUpload: the rules are strict, and there is an objection.
        """
        warnings = tuple(dict.fromkeys(objections))
        if self.strict and warnings:
            raise InvalidUpload(warnings[0])
        return warnings
