"""The counts of everything that clients do, which outlive every change of the configuration."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from pypid.interfaces import IMeasured
from pypid.runtime.outcome_tally import OutcomeTally
from pypid.web.http.request_tally import RequestTally

__all__ = ["Tallies"]


def _uploads() -> OutcomeTally:
    return OutcomeTally(
        "pypid_uploads",
        "Uploads by their outcome; those of dry runs are tried.",
        ("published", "replaced", "unchanged", "tried", "refused", "failed"),
    )


def _sign_ins() -> OutcomeTally:
    return OutcomeTally(
        "pypid_sign_ins",
        "Passwords and tokens that were checked, by the outcome; remembered ones are not checked.",
        ("accepted", "wrong", "throttled", "busy", "malformed"),
    )


@define(eq=False)
class Tallies:
    """The counts of one process."""

    requests: RequestTally = field(factory=RequestTally)
    """Requests."""
    uploads: OutcomeTally = field(factory=_uploads)
    """Uploads."""
    sign_ins: OutcomeTally = field(factory=_sign_ins)
    """Sign-ins."""

    @property
    def all(self) -> Sequence[IMeasured]:
        """All of them."""
        return [self.requests, self.uploads, self.sign_ins]
