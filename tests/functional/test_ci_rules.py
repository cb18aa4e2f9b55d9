"""The rules that keep continuous integration honest."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from harness.processes import run

TESTS = Path(__file__).parents[1]

SKIPS = {
    "call": "import pytest\ndef test_it():\n    pytest.skip('reason: call')\n",
    "mark": "import pytest\n@pytest.mark.skip('reason: mark')\ndef test_it():\n    pass\n",
    "module": "import pytest\npytest.skip('reason: module', allow_module_level=True)\n",
    "fixture": (
        "import pytest\n@pytest.fixture\ndef tool():\n    pytest.skip('reason: fixture')\n"
        "def test_it(tool):\n    pass\n"
    ),
}
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert False\n"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Return a suite with this one's rules, that skips in every way there is."""
    shutil.copy(TESTS / "conftest.py", tmp_path)
    for where, text in SKIPS.items():
        (tmp_path / f"test_{where}.py").write_text(text)
    (tmp_path / "test_expected.py").write_text(EXPECTED_FAILURE)
    return tmp_path


def run_suite(suite: Path, status: int, **environment: str) -> str:
    """Run a suite in a process of its own, with ``environment`` alone to tell it where it is."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CI", "PYTEST"))}
    command = [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider"]
    return run(
        [*command, "--continue-on-collection-errors", "."],
        directory=suite,
        environment={**clean, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        status=status,
    )


def test_skips_are_fine_elsewhere(suite: Path) -> None:
    assert "4 skipped, 1 xfailed" in run_suite(suite, 0)


def test_every_skip_fails_where_ci_is_set(suite: Path) -> None:
    """The failure gives the reason of the skip; an expected failure stays one."""
    said = run_suite(suite, 1, CI="true")
    assert "1 failed, 1 xfailed, 3 errors" in said
    assert said.count("nothing may be skipped") >= len(SKIPS)
    assert [where for where in SKIPS if f"reason: {where}" not in said] == []
