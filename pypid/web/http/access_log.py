"""The access log: one line for each request."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pypid.formats.api_tokens import redacted

__all__ = ["AccessLog"]

INTERVAL = 0.1
"""Longest time in seconds before a line is passed to the log."""

_log = Logger(namespace="pypid.access")


@define(eq=False)
class AccessLog:
    """Passes lines to the log in batches, because one event for each line would take longer than a page."""

    _reactor: IReactorTime
    _lines: list[str] = field(factory=list, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)

    def write(self, line: str) -> None:
        """Add a line, including its line end."""
        self._lines.append(line.rstrip("\n"))
        if self._call is None:
            self._call = self._reactor.callLater(INTERVAL, self._flush)

    def close(self) -> None:
        """Pass the remaining lines to the log."""
        if self._call is not None:
            self._call.cancel()
            self._flush()

    def _flush(self) -> None:
        lines, self._lines, self._call = self._lines, [], None
        text = redacted("\n".join(lines))
        # Observers that know access lines write each as a line of its own.
        _log.info("{lines}", lines=text, access_lines=text.split("\n"))
