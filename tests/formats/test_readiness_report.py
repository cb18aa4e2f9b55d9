"""The report at ``/+ready``: what it says in both forms, and that a form is read as it was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.formats.readiness_report import Condition, Finding, ReadinessReport

GOOD, DEGRADED, FAILED = Condition.GOOD, Condition.DEGRADED, Condition.FAILED
FINDING = st.builds(Finding, st.text(), st.sampled_from(Condition), st.text())


@given(st.lists(FINDING, max_size=5))
def test_json_is_read_as_it_was_written(findings: list[Finding]) -> None:
    report = ReadinessReport(findings)
    assert ReadinessReport.from_json(report.to_json().encode()) == report
    assert json.loads(report.to_json())["ready"] is report.is_ready


@given(st.lists(FINDING, max_size=5))
def test_each_part_has_one_line(findings: list[Finding]) -> None:
    findings = [Finding("part", one.condition, one.message) for one in findings]
    assert len(ReadinessReport(findings).to_text().splitlines()) == 1 + len(findings)


@pytest.mark.parametrize(
    ("conditions", "ready", "summary"),
    [
        ([], True, "ready"),
        ([GOOD, GOOD], True, "ready"),
        ([GOOD, DEGRADED], True, "ready, but not everything works"),
        ([DEGRADED, FAILED, GOOD], False, "not ready"),
    ],
)
def test_the_worst_part_decides(conditions: list[Condition], ready: bool, summary: str) -> None:
    report = ReadinessReport([Finding("part", one) for one in conditions])
    assert (report.is_ready, report.to_text().splitlines()[0]) == (ready, summary)


@pytest.mark.parametrize(
    "data",
    [b"", b"ok\n", b"[]", b"{}", b'{"parts": 1}', b'{"parts": [{}]}', b"\xff", b"[" * 100_000,
     b'{"parts": [{"part": 1, "condition": "ok", "message": ""}]}',
     b'{"parts": [{"part": "", "condition": "splendid", "message": ""}]}'],
)  # fmt: skip
def test_anything_else_is_no_report(data: bytes) -> None:
    with pytest.raises(ValueError, match="no report"):
        ReadinessReport.from_json(data)
