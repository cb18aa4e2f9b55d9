"""What an index takes, as its owner decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from attrs import frozen

from pypid.errors import InvalidUpload
from pypid.names import suffix_of

__all__ = ["USUAL_ARCHIVES", "UploadRules"]

USUAL_ARCHIVES = frozenset({".whl", ".tar.gz"})
"""What everybody takes: wheels, and sdists as PEP 625 has them."""


@frozen
class UploadRules:
    """How strict the checks of an upload are, and which published files may be replaced."""

    strict: bool = False
    """Whether all is refused that PyPI refuses; else that is taken, with a warning."""
    old_archives: frozenset[str] = frozenset()
    """The suffixes of old kinds of archives that are taken besides :data:`USUAL_ARCHIVES`."""
    overwrite: Sequence[str] = ()
    """Patterns of versions whose files may be replaced by others of the same name."""

    def takes_archive(self, filename: str) -> bool:
        """Tell whether files with such a suffix are taken."""
        return suffix_of(filename) in USUAL_ARCHIVES | self.old_archives

    def may_replace(self, version: str) -> bool:
        """Tell whether the files of a version may be replaced, given as it is in PEP 440's spelling."""
        return any(fnmatchcase(version, pattern) for pattern in self.overwrite)

    def weigh(self, objections: Iterable[str]) -> tuple[str, ...]:
        """Give what PyPI would refuse an upload for as warnings, each once.

        :raises InvalidUpload: there is something, and these rules are as strict.
        """
        warnings = tuple(dict.fromkeys(objections))
        if self.strict and warnings:
            raise InvalidUpload(warnings[0])
        return warnings
