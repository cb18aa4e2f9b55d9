"""Tests for :mod:`pypid.catalog.journal_events`, beyond the contract of all catalogs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from pypid.catalog.journal_events import journal_events
from pypid.catalog.rows import Content, Description, Row
from pypid.model import FileRecord, ProjectRecord, Status
from pypid.names import parse_filename

TIME = datetime(2026, 3, 1, tzinfo=UTC)
READ = Description("0" * 64, None, None, "foo")


def row(filename: str, hours: int = 0, yanked: str | None = None, read: Description | None = READ) -> Row:
    parsed = parse_filename(filename, "foo")
    return Row(filename, parsed.version, parsed.kind, "", TIME + timedelta(hours=hours), yanked, read)


def content(*rows: Row, status: Status = Status.ACTIVE) -> Content:
    return Content(ProjectRecord(status), {row.filename: row for row in rows})


def actions(before: Content | None, after: Content | None, **tombstones: FileRecord) -> list[str]:
    return [event.action for event in journal_events("foo", before, after, tombstones)]


@pytest.mark.parametrize(
    ("filename", "built_for"),
    [
        ("foo-1.0-py2.py3-none-any.whl", "py2.py3"),
        ("foo-1.0-1-cp311-abi3-linux_x86_64.whl", "cp311"),
        ("foo-1.0.tar.bz2", "source"),
        ("foo-1.0-py2.7.egg", "2.7"),
        ("foo-1.0-py3.6-linux-x86_64.egg", "3.6"),
        ("foo-1.0.win32-py2.7.exe", "2.7"),
        ("foo-1.0.win32.exe", "any"),
        ("foo-1.0.egg", "any"),
    ],
)
def test_what_a_file_was_built_for(filename: str, built_for: str) -> None:
    assert actions(content(), content(row(filename)))[1:] == [f"add {built_for} file {filename}"]


def test_new_files_in_the_order_of_their_publication() -> None:
    after = content(row("foo-1.zip", 3), row("foo-2.zip", 2), row("foo-1.tar.gz", 1))
    assert [
        (event.time - TIME, event.version, event.action) for event in journal_events("foo", None, after, {})
    ] == [
        (timedelta(hours=1), None, "create"),
        (timedelta(hours=1), "1", "new release"),
        (timedelta(hours=1), "1", "add source file foo-1.tar.gz"),
        (timedelta(hours=2), "2", "new release"),
        (timedelta(hours=2), "2", "add source file foo-2.zip"),
        (timedelta(hours=3), "1", "add source file foo-1.zip"),
    ]


def test_status_of_a_new_project() -> None:
    after = content(row("foo-1.zip", 1), status=Status.ARCHIVED)
    *_, last = journal_events("foo", None, after, {})
    assert (last.time, last.version, last.action) == (
        TIME + timedelta(hours=1),
        None,
        "change status to archived",
    )


def test_removed_before_there_was_a_journal() -> None:
    """A tombstone is told of where the project is new, and only there."""
    gone = FileRecord(TIME, None, 1, 1, "0" * 64, removed=TIME + timedelta(hours=1))
    tombstones = {"foo-1.zip": gone}
    assert [
        event.action for event in journal_events("foo", None, content(row("foo-2.zip", 2)), tombstones)
    ] == [
        "create",
        "remove file foo-1.zip",
        "new release",
        "add source file foo-2.zip",
    ]
    assert journal_events("foo", content(), content(), tombstones) == []


def test_nothing_to_tell() -> None:
    """What pages do not show is no news, and neither is the first reading of a file."""
    one = row("foo-1.zip")
    assert actions(None, None) == []
    assert actions(content(one), content(evolve(one, fingerprint="touched"))) == []
    assert actions(content(evolve(one, description=None)), content(one)) == []


@pytest.mark.parametrize(
    "other",
    [
        evolve(row("foo-1.zip"), description=evolve(READ, sha256="1" * 64)),
        evolve(row("foo-1.zip"), description=evolve(READ, requires_python=">=3")),
        row("foo-1.zip", hours=1),
    ],
)
def test_another_file_of_the_same_name(other: Row) -> None:
    """It takes the place of the first, and the release stays."""
    before, after = content(row("foo-1.zip")), content(other)
    assert actions(before, after) == ["remove file foo-1.zip", "add source file foo-1.zip"]
    yanked = content(evolve(other, yanked=""))
    assert actions(before, yanked)[2:] == ["yank release"]


def test_project_gone() -> None:
    assert actions(content(row("foo-1.zip")), None) == ["remove project"]


def test_mixed_yanks() -> None:
    """Where a release's files are not all treated alike, each is told of; so is another reason."""
    before = content(row("foo-1.zip", yanked="a"), row("foo-1.tar.gz"), row("foo-2.zip", yanked="b"))
    after = content(row("foo-1.zip"), row("foo-1.tar.gz", yanked="a"), row("foo-2.zip", yanked="c"))
    assert actions(before, after) == ["yank file foo-1.tar.gz", "unyank file foo-1.zip", "yank release"]
