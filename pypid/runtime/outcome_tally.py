"""Counts of how something ended, for metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import define, field
from prometheus_client.core import CounterMetricFamily, Metric
from zope.interface import implementer

from pypid.interfaces import IMeasured

__all__ = ["OutcomeTally"]


@implementer(IMeasured)
@define(eq=False)
class OutcomeTally:
    """Counts outcomes, each one of a few words. For the reactor's thread."""

    name: str
    """The name of the metric, without ``_total``."""
    summary: str
    """What is counted, for the metric's help."""
    outcomes: Sequence[str]
    """All outcomes. Those that never happened are shown as 0, so that alerts can be about their rate."""
    counts: Counter[str] = field(factory=Counter, init=False)
    """How often each outcome happened."""

    def add(self, outcome: str) -> None:
        """Count an outcome. One that is not among :attr:`outcomes` is not counted."""
        if outcome in self.outcomes:
            self.counts[outcome] += 1

    def collect(self) -> Iterable[Metric]:
        """Return the counts as one family with the label ``outcome``."""
        family = CounterMetricFamily(self.name, self.summary, labels=["outcome"])
        for outcome in self.outcomes:
            family.add_metric([outcome], self.counts[outcome])
        yield family
