"""Rules for the whole suite: on a machine of continuous integration, a skipped test is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

MAY_BE_MISSING = "no Debian package has it"
"""Part of the reason of a skip that is accepted everywhere, since nobody can install the program."""
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

# Durations depend on the machine, so there is no deadline. CI tries the same examples in each run.
settings.register_profile(
    "suite", deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that gives the reason of the skip; expected failures stay."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        if MAY_BE_MISSING in str(reason):
            return
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped while CI is set in the environment\n{reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the skips of tests and of their fixtures."""
    report = yield
    fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skips of whole modules."""
    report = yield
    fail_if_skipped(report)
    return report
