"""Warnings of what was passed over, once for each place."""

from __future__ import annotations

from attrs import define, field
from twisted.logger import Logger

__all__ = ["Notices"]


@define(eq=False)
class Notices:
    """Tells the log what is amiss in a tree, but not again with each page that is made of it."""

    _told: set[str] = field(factory=set, init=False)
    _log = Logger()

    def passed_over(self, path: str, reason: object) -> None:
        """Say that something is not served."""
        if path not in self._told:
            self._told.add(path)
            # A name that was not vetted may hold anything: hence the quotes and escapes.
            self._log.warn("Passed over {path!r}: {reason}", path=path, reason=reason)
