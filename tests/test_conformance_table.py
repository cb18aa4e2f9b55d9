"""The table of conformance agrees with the tests."""

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_table_is_made_of_the_tests() -> None:
    """Every statement is tested or left out with a reason, and the page in the documentation says so."""
    command = [sys.executable, DOCS / "make_conformance.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
