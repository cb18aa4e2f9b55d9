"""Sizes, durations and dates in the notation of people."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import ConfigurationError
from pypid.formats.quantities import duration, moment, written_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30s", 30), ("10m", 600), ("12h", 43200), ("3d", 259200), ("1w", 604800)],
)
def test_duration(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "3", "d", "-3d", "3 d", "3D", "1.5h", "3days", "٣d", "1d2h", "100000w", "3d\n"]
)
def test_bad_duration(text: str) -> None:
    with pytest.raises(ConfigurationError, match="30s, 10m, 12h, 3d or 1w"):
        duration(text)


@given(st.integers(0, 9_999), st.sampled_from("smhdw"))
def test_durations_are_written_as_they_are_read(number: int, unit: str) -> None:
    assert duration(f"{number}{unit}") == duration(written_duration(duration(f"{number}{unit}")))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:30", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31T12:30:00Z", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31T12:30:00+02:00", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
    ],
)
def test_moment(text: str, time: datetime) -> None:
    assert moment(text) == time
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "31.1.2026", "2026-02-30", "0001-01-01T00:00:00+23:00"])
def test_bad_moment(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write it like 2026-01-31"):
        moment(text)
