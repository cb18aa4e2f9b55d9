"""The share of the archives that a check reads."""

from __future__ import annotations

import pytest

from pypid.errors import ConfigurationError
from pypid.maintenance.archive_sample import parse_share, sampler


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("100%", 1.0), ("0.5%", 0.005)])
def test_shares(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "5", "%", "0%", "101%", "-5%", "5 %", "five%", "1e1%", "\u0665%"])
def test_other_texts_are_no_shares(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no share; write one as in 5%"):
        parse_share(text)


def test_all_are_read_by_default() -> None:
    reads = sampler(1.0, lambda: 0.999)
    assert all(reads(str(number)) for number in range(100))


def test_a_decision_stays() -> None:
    """A file that looks damaged is checked twice."""
    numbers = iter([0.01, 0.99])
    reads = sampler(0.05, lambda: next(numbers))
    assert [reads("a"), reads("b"), reads("a"), reads("b")] == [True, False, True, False]
