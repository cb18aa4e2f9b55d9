"""Tests for :mod:`pypid.catalog.rows`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pypid.catalog.rows import Description, Row
from pypid.model import StoredFile


@pytest.mark.parametrize(
    ("modified_ns", "time"),
    [
        (-(10**25), datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_767_225_600_999_999_999, datetime(2026, 1, 1, tzinfo=UTC)),
        (10**25, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_any_time_of_a_file_system(modified_ns: int, time: datetime) -> None:
    """Absurd times are shown as well as they can be, and go through the table and back."""
    stored = StoredFile("foo-1.0.zip", 2**70, modified_ns, 2**64, signed=True, provenance="5 1 2")
    read = Description("0" * 64, ">=3", "1" * 64, "Foo", "2" * 64)
    row = Row.of("foo", stored, None, read, 0)
    assert Row.from_columns(row.to_columns()) == row
    row = Row.of("foo", StoredFile("foo-1.0.zip", 2**70, modified_ns, 2**64), None, None, 0)
    assert row.upload_time == time
    assert Row.from_columns(row.to_columns()) == row
