"""The access log: a line for each request, in the Combined Log Format."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pypid.formats.api_tokens import redacted

__all__ = ["AccessLog"]

INTERVAL = 0.1
"""After how many seconds at most a line is handed on."""

_log = Logger(namespace="pypid.access")


@define(eq=False)
class AccessLog:
    """Hands lines on to the log a few at a time: an event for each would take longer than a page."""

    _reactor: IReactorTime
    _lines: list[str] = field(factory=list, init=False)
    _call: IDelayedCall | None = field(default=None, init=False)

    def write(self, line: str) -> None:
        """Take a line, with its line end."""
        self._lines.append(line.rstrip("\n"))
        if self._call is None:
            self._call = self._reactor.callLater(INTERVAL, self._flush)

    def close(self) -> None:
        """Hand on what was not yet."""
        if self._call is not None:
            self._call.cancel()
            self._flush()

    def _flush(self) -> None:
        lines, self._lines, self._call = self._lines, [], None
        _log.info("{lines}", lines=redacted("\n".join(lines)))
