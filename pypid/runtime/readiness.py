"""Whether the daemon can serve clients: the checks of its parts, run at most once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pypid.errors import PypidError
from pypid.formats.readiness_report import Condition, Finding, ReadinessReport
from pypid.runtime.single_flight import SingleFlight

__all__ = ["CheckPart", "Readiness"]

PATIENCE = 5.0
"""How long a part may take to answer, in seconds."""
LIFETIME = 1.0
"""How long a report is repeated before the parts are checked again, in seconds."""

CheckPart = Callable[[str], Coroutine[Deferred[Any], Any, Finding]]
"""Checks a part, whose name is the argument. A :exc:`PypidError` means that the part failed."""


@define(eq=False)
class Readiness:
    """Checks all parts when somebody asks, but never a part twice at the same time.

    So it costs little however often strangers ask, and a disk that hangs takes one thread and not many.
    All methods are called in the reactor's thread.
    """

    _checks: Mapping[str, CheckPart]
    """The checks by the names of the parts."""
    _clock: IReactorTime
    _seconds: Callable[[], float] = time.monotonic
    """A clock that nobody sets back."""
    is_stopping: bool = False
    """Whether the daemon is about to end. Set by the daemon."""
    _report: ReadinessReport | None = field(default=None, init=False)
    _made: float = field(default=0.0, init=False)
    _running: SingleFlight[Finding] = field(factory=SingleFlight, init=False)
    _reports: SingleFlight[ReadinessReport] = field(factory=SingleFlight, init=False)
    _log = Logger()

    def replace(self, checks: Mapping[str, CheckPart]) -> None:
        """Check other parts from now on, because the configuration has changed."""
        self._checks, self._report = checks, None

    async def report(self) -> ReadinessReport:
        """Return what is known of all parts, at most :data:`LIFETIME` seconds old."""
        if self.is_stopping:
            return ReadinessReport([Finding("daemon", Condition.FAILED, "it is stopping")])
        if self._report is None or self._seconds() - self._made >= LIFETIME:
            self._report = await self._reports.run("report", self._look)
        return self._report

    async def _look(self) -> ReadinessReport:
        findings = await gatherResults([Deferred.fromCoroutine(self._finding(part)) for part in self._checks])
        self._made = self._seconds()
        return ReadinessReport(findings)

    async def _finding(self, part: str) -> Finding:
        """Return the finding about a part, within :data:`PATIENCE` seconds."""
        # Joins a check that was begun earlier and has not ended yet.
        waiting = self._running.run(part, lambda: self._checked(part))
        try:
            return await waiting.addTimeout(PATIENCE, self._clock)
        except TimedOut:
            return Finding(part, Condition.FAILED, f"it has not answered for {PATIENCE:.0f} seconds")

    async def _checked(self, part: str) -> Finding:
        try:
            return await self._checks[part](part)
        except PypidError as error:
            return Finding(part, Condition.FAILED, str(error))
        except CancelledError:
            return Finding(part, Condition.FAILED, "the check was given up")
        except Exception:
            self._log.failure("The check of {part} failed", part=part)
            return Finding(part, Condition.FAILED, "its check failed; the log says how")
