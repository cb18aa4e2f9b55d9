"""The linters and the type checker accept the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "tool",
    [["ruff", "check"], ["ruff", "format", "--check"], pytest.param(["mypy"], marks=pytest.mark.slow)],
    ids=["ruff-lint", "ruff-format", "mypy-strict"],
)
def test_clean(tool: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_type_checker_is_told_has_a_reason() -> None:
    """Each ``type: ignore`` has a code, and each of them and each cast a comment beside or above it."""
    for module in sorted((ROOT / "pypid").rglob("*.py")):
        above = ""
        for number, line in enumerate(module.read_text().splitlines(), 1):
            where = f"{module.relative_to(ROOT)}:{number}: {line.strip()}"
            if (ignored := re.search(r"# type: ignore(\[[a-z, -]+\])?(  # .+)?", line)) is not None:
                assert ignored[1], where
                assert ignored[2] or above.startswith("# "), where
            elif re.search(r"\bcast\((?!\))", line) is not None:
                assert "  # " in line or above.startswith("# "), where
            above = line.strip()
