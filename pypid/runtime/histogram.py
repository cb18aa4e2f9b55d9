"""Counts of durations by size, for metrics: plain numbers that cost little to add to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from attrs import define, field

__all__ = ["Histogram"]


@define(eq=False)
class Histogram:
    """Counts values below bounds, as Prometheus' histograms do. For one thread."""

    bounds: Sequence[float]
    """The upper bounds of the buckets, in growing order; the last bucket has none."""
    _counts: list[int] = field(init=False)
    total: float = field(default=0.0, init=False)
    """The sum of all values."""

    def __attrs_post_init__(self) -> None:
        self._counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """The bound of each bucket as text, and how many values are not above it."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))
