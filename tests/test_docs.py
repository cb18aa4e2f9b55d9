"""The manual is true: its links work, its names exist, and its lines are short."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted({*ROOT.glob("*.md"), *DOCS.glob("*.md")} - {ROOT / "NEWS.md"})
"""All pages but the news, which towncrier writes, and which name what there once was."""
WIDTH = 100

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)")
_PATH = re.compile(r"`((?:pypid|tests|etc|benchmarks|newsfragments)/[\w./-]*)`")
_NAME = re.compile(r"`(pypid(?:\.[A-Za-z_]\w*)+)`")
_NOT_MODULES = ("pypid.toml", "pypid.log", "pypid.pid", "pypid.conf", "pypid.service", "pypid.socket")


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def defined(module: Path) -> set[str]:
    """Return the names that a module defines, those in classes with the name of the class before them."""
    found: set[str] = set()
    for node in ast.parse(module.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                found.add(name)
                methods = (ast.FunctionDef, ast.AsyncFunctionDef)
                found |= {f"{name}.{each.name}" for each in body if isinstance(each, methods)}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_are_short(page: Path) -> None:
    """Prose is wrapped; tables, headings, indented and fenced code, and what has no blank, cannot be."""
    for line in prose(page).splitlines():
        is_code_or_table = line.startswith(("|", "#", "    "))
        assert len(line) < WIDTH or is_code_or_table or " " not in line.strip(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in _LINK.findall(prose(page)):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {path}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_and_names_exist(page: Path) -> None:
    text = page.read_text()
    for path in _PATH.findall(text):
        if path != "pypid/plugins/acme.py":  # the example of a plugin
            assert (ROOT / path).exists(), f"{page.name} names {path}"
    for name in _NAME.findall(text):
        if name not in _NOT_MODULES and not name.startswith("pypid.plugins.acme"):
            assert is_importable(name), f"{page.name} names {name}"


def is_importable(dotted: str) -> bool:
    """True if a dotted name is that of a module, or of something in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def test_the_manual_lists_every_page_once() -> None:
    linked = [path for path, _ in _LINK.findall((DOCS / "README.md").read_text())]
    for page in DOCS.glob("*.md"):
        assert linked.count(page.name) == (page.name != "README.md"), page.name


def test_questions_are_answered_in_the_code() -> None:
    """Every row of the table names a file, and what it names of it is defined there."""
    text = (DOCS / "architecture.md").read_text().partition("## Ten questions")[2]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert sum(len(row) == 3 for row in rows[1:]) >= 10
    named = 0
    for *_, path, answer in rows[1:]:
        module = ROOT / path.strip("`| ")
        names = re.findall(r"`([A-Za-z_.]+)`", answer)
        modules = [module] if module.is_file() else [*module.rglob("*.py")]
        known = set().union(*(defined(one) for one in modules))
        assert set(names) <= known, f"{path}: {set(names) - known}"
        named += len(names)
    assert named >= 15


@pytest.mark.slow
def test_the_reference_is_made_without_warnings(tmp_path: Path) -> None:
    """pydoctor understands every docstring, and finds what it refers to."""
    made = tmp_path / "api"
    done = subprocess.run(
        [sys.executable, "-m", "pydoctor", "--warnings-as-errors", "--quiet", f"--html-output={made}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (made / "pypid.interfaces.html").exists()
