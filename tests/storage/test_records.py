"""Tests of records as files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import InvalidFilename
from pypid.model import FileRecord, ProjectRecord, Publication, Status
from pypid.storage.records import from_json, project_from_json, project_to_json, published_as, to_json

PUBLICATION = Publication("foo", "foo-1.0.tar.gz", datetime(2026, 1, 1, tzinfo=UTC), "alice", "ab" * 32, None)
RECORD = FileRecord(PUBLICATION.upload_time, "alice", 5, 1_700_000_000_123_456_789, "ab" * 32)
FIELDS = json.loads(to_json(RECORD, "foo", PUBLICATION.filename))


@given(
    st.builds(
        FileRecord,
        upload_time=st.datetimes(timezones=st.just(UTC)),
        uploader=st.none() | st.text(),
        size=st.integers(min_value=0),
        modified_ns=st.integers(),
        sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        founder=st.none() | st.text(),
    )
)
def test_round_trip(record: FileRecord) -> None:
    """What is written is read again, whatever the uploader's name is made of."""
    data = to_json(record, "foo", PUBLICATION.filename)
    assert from_json(data) == record
    assert data.isascii()
    assert published_as(data) == ("foo", "foo-1.0.tar.gz")


NAMES = st.lists(st.text()).map(tuple)


@given(
    st.builds(
        ProjectRecord,
        status=st.sampled_from(Status),
        reason=st.none() | st.text(),
        owners=st.none() | NAMES,
        maintainers=NAMES,
    )
)
def test_round_trip_of_projects(record: ProjectRecord) -> None:
    assert project_from_json(project_to_json(record)) == record


def test_records_of_before_there_were_owners() -> None:
    """They are read, and what did not change is written as it was."""
    data = b'{"status": "archived", "reason": null}'
    assert project_from_json(data) == ProjectRecord(Status.ARCHIVED)
    assert json.loads(project_to_json(ProjectRecord(Status.ARCHIVED))) == json.loads(data)
    assert "founder" not in FIELDS


@pytest.mark.parametrize(
    "change",
    [{"owners": "ann"}, {"owners": [1]}, {"owners": [None]}, {"maintainers": {"ann": 1}}, {"maintainers": 1}],
)
def test_nonsense_of_projects(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        project_from_json(json.dumps({"status": "active"} | change).encode())


def test_readable() -> None:
    """People may read it, too."""
    assert FIELDS["upload_time"] == "2026-01-01T00:00:00+00:00"
    assert FIELDS["filename"] == "foo-1.0.tar.gz"


def test_later_fields() -> None:
    """What a later version added is passed over."""
    assert from_json(json.dumps(FIELDS | {"later": {"reason": ""}}).encode()) == RECORD


def test_other_time_zone() -> None:
    """Times are given in UTC."""
    there = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    record = from_json(json.dumps(FIELDS | {"upload_time": there.isoformat()}).encode())
    assert record.upload_time == RECORD.upload_time
    assert record.upload_time.tzinfo is UTC


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{",
        b"[]",
        b"null",
        b"[" * 60_000,
        *(
            json.dumps(FIELDS | change).encode()
            for change in (
                {"upload_time": None},
                {"upload_time": 1},
                {"upload_time": "yesterday"},
                {"upload_time": "2026-01-01T00:00:00"},
                {"uploader": 1},
                {"founder": 1},
                {"founder": "\ud800"},
                {"size": None},
                {"size": "5"},
                {"size": True},
                {"modified_ns": 1.5},
                {"sha256": None},
                {"sha256": "AB" * 32},
                {"sha256": "ab" * 32 + "\n"},
            )
        ),
    ],
)
def test_nonsense(data: bytes) -> None:
    """What is no record is refused, and in no other way than with a ValueError."""
    with pytest.raises(ValueError):
        from_json(data)


@pytest.mark.parametrize(
    ("project", "filename"),
    [("..", "foo-1.0.tar.gz"), ("foo", "../foo-1.0.tar.gz"), ("foo", "bar-1.0.tar.gz"), ("foo", "foo")],
)
def test_published_as_is_vetted(project: str, filename: str) -> None:
    """T12: no path is made of names in a record that nothing is published under."""
    data = json.dumps(FIELDS | {"project": project, "filename": filename}).encode()
    with pytest.raises(InvalidFilename):
        published_as(data)
