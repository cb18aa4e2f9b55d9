"""The steps of a release in CONTRIBUTING.md work: one version, and NEWS.md from the newsfragments."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pypid import __version__

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
TYPES = {kind["directory"] for kind in SETTINGS["tool"]["towncrier"]["type"]}
FRAGMENTS = sorted((ROOT / "newsfragments").glob("*.md"))


def towncrier(root: Path, *arguments: str) -> str:
    """Run towncrier in a checkout, and return its output."""
    command = [sys.executable, "-m", "towncrier", "build", "--dir", str(root), *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def words(text: str) -> str:
    """Return a text without line breaks and indentation."""
    return " ".join(text.split())


def first_words(fragment: Path) -> str:
    """Return the beginning of a fragment, enough to find it in the news."""
    return words(fragment.read_text())[:60]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda fragment: fragment.name)
def test_a_fragment_has_a_type_and_a_text(fragment: Path) -> None:
    assert fragment.name.startswith("+"), "there are no issue numbers in the news"
    _, kind, _ = fragment.name.split(".")
    assert kind in TYPES
    assert len(words(fragment.read_text())) > 20


def test_the_draft_has_the_version_and_every_fragment() -> None:
    draft = towncrier(ROOT, "--draft")
    assert re.search(rf"^# pypid {re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)$", draft, re.MULTILINE)
    for fragment in FRAGMENTS:
        assert first_words(fragment) in words(draft), fragment.name


def test_news_are_built_from_the_fragments_newest_first(tmp_path: Path) -> None:
    (tmp_path / "pypid").mkdir()
    for name in ("pyproject.toml", "pypid/__init__.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "newsfragments", tmp_path / "newsfragments")
    towncrier(tmp_path, "--yes")
    assert [*(tmp_path / "newsfragments").glob("*.md")] == []
    (tmp_path / "newsfragments" / "+next.bugfix.md").write_text("The next release mends this.\n")
    towncrier(tmp_path, "--yes", "--version", "99.0")
    news = (tmp_path / "NEWS.md").read_text()
    assert news.startswith("# pypid 99.0 (")
    for fragment in FRAGMENTS:
        assert first_words(fragment) in words(news), fragment.name
    assert news.index("The next release") < news.index(f"# pypid {__version__}")


def test_the_version_stands_in_one_place() -> None:
    project = SETTINGS["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
    assert SETTINGS["tool"]["hatch"]["version"]["path"] == "pypid/__init__.py"
    assert (ROOT / "pypid/__init__.py").read_text().count(__version__) == 1
