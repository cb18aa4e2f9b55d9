"""Warnings of what is amiss in a tree, once for each place."""

from __future__ import annotations

from attrs import define, field
from twisted.logger import Logger

from pypid.errors import StorageUnavailable
from pypid.storage.failures import Meaning, advice, meaning

__all__ = ["WarnOnce"]


@define(eq=False)
class WarnOnce:
    """Tells the log what is amiss in a tree, but not again with each page that is made of it.

    Any thread may call it.
    """

    _warned: set[str] = field(factory=set, init=False)
    _failing: dict[str, set[str]] = field(factory=dict, init=False)
    """What was said of what cannot be read, by what was to be read."""
    _log = Logger()

    def passed_over(self, path: str, reason: object) -> None:
        """Say that something is not served."""
        if path not in self._warned:
            self._warned.add(path)
            # A name that was not validated may hold anything: hence the quotes and escapes.
            self._log.warn("Passed over {path!r}: {reason}", path=path, reason=reason)

    def unreadable(self, what: str, path: str, error: OSError) -> StorageUnavailable:
        """Say that something cannot be read, once until it can be, and return what is to be raised.

        :param what: what was to be read, a project or a file of one; :meth:`readable` is told the same.
        :param path: where it failed.
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
        """Say that something can be read, if it could not be before."""
        if self._failing and self._failing.pop(what, None) is not None:
            self._log.info("{what} can be read again", what=what)
