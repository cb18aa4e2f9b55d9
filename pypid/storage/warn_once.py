"""Warnings about faults in a tree, once for each place."""

from __future__ import annotations

from attrs import define, field
from twisted.logger import Logger

from pypid.errors import StorageUnavailable
from pypid.storage.failures import Meaning, advice, meaning

__all__ = ["WarnOnce"]


@define(eq=False)
class WarnOnce:
    """Logs each fault in a tree once, and not again with each page.

    Any thread may call it.
    """

    _warned: set[str] = field(factory=set, init=False)
    _failing: dict[str, set[str]] = field(factory=dict, init=False)
    """The logged reasons, by the project or file that cannot be read."""
    _log = Logger()

    def passed_over(self, path: str, reason: object) -> None:
        """Log that something is not served, once for each path."""
        if path not in self._warned:
            self._warned.add(path)
            # An unvalidated name may hold any characters: hence the quotes and escapes.
            self._log.warn("Passed over {path!r}: {reason}", path=path, reason=reason)

    def unreadable(self, what: str, path: str, error: OSError) -> StorageUnavailable:
        """Log that something cannot be read, once until it can be, and return the exception to raise.

        :param what: the project, or the file of a project; the same as for :meth:`readable`.
        :param path: the path of the failure.
        """
        lasting = meaning(error) is Meaning.LASTING
        reason = f"{path!r}: {error.strerror or error}{advice(error)}"
        warned = self._failing.setdefault(what, set())
        if reason not in warned:
            warned.add(reason)
            self._log.error("Cannot read {reason}", reason=reason)
        until = "until the administrator of this index has mended that" if lasting else "now; try again later"
        return StorageUnavailable(f"the storage cannot read {what} {until}", lasting=lasting)

    def readable(self, what: str) -> None:
        """Log that something can be read again, if it could not be before."""
        if self._failing and self._failing.pop(what, None) is not None:
            self._log.info("{what} can be read again", what=what)
