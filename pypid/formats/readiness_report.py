"""The answer of ``/+ready``: what was looked at, and what was found, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum

from attrs import frozen

__all__ = ["Condition", "Finding", "ReadinessReport"]


class Condition(Enum):
    """The condition of one part of the daemon."""

    GOOD = "ok"
    """The part works."""
    DEGRADED = "degraded"
    """The part does not work, and the daemon can serve its clients without it."""
    FAILED = "failed"
    """The part does not work, and clients should be sent elsewhere."""


@frozen
class Finding:
    """What was found out about one part of the daemon."""

    part: str
    """The name of the part, such as ``storage``."""
    condition: Condition = Condition.GOOD
    """Its condition."""
    message: str = ""
    """One line for people about what is wrong, without paths or secrets, because strangers may read it."""


@frozen
class ReadinessReport:
    """What was found out about all parts."""

    findings: Sequence[Finding]
    """A finding for each part."""

    @property
    def condition(self) -> Condition:
        """The worst condition of a part."""
        found = {finding.condition for finding in self.findings}
        return next((one for one in (Condition.FAILED, Condition.DEGRADED) if one in found), Condition.GOOD)

    @property
    def is_ready(self) -> bool:
        """Whether clients should be sent here."""
        return self.condition is not Condition.FAILED

    def to_text(self) -> str:
        """Return a summary and one line for each part; each line ends with a line feed."""
        lines = [_SUMMARIES[self.condition], *(_line(finding) for finding in self.findings)]
        return "".join(f"{line}\n" for line in lines)

    def to_json(self) -> str:
        """Return a JSON object: ``ready``, ``condition``, and a list of ``parts``."""
        parts = [
            {"part": one.part, "condition": one.condition.value, "message": one.message}
            for one in self.findings
        ]
        return json.dumps({"ready": self.is_ready, "condition": self.condition.value, "parts": parts}) + "\n"

    @classmethod
    def from_json(cls, data: bytes) -> ReadinessReport:
        """Return the report that :meth:`to_json` has written.

        :raises ValueError: the data are no such report.
        """
        try:
            parts = json.loads(data)["parts"]
            findings = [
                Finding(_text(one["part"]), Condition(one["condition"]), _text(one["message"]))
                for one in parts
            ]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise ValueError("it is no report of a pypid daemon") from None
        return cls(findings)


_SUMMARIES = {
    Condition.GOOD: "ready",
    Condition.DEGRADED: "ready, but not everything works",
    Condition.FAILED: "not ready",
}


def _line(finding: Finding) -> str:
    """Return the line about a part. A message never breaks the line."""
    message = " ".join(finding.message.split())
    return f"{finding.part}: {finding.condition.value}" + (f": {message}" if message else "")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
