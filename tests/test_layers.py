"""The house has floors: who may import whom, read off the syntax trees."""

import ast
from pathlib import Path

import pytest

import pypid

PACKAGE = Path(pypid.__file__).parent
LAYERS = [
    {"errors", "names", "model", "principals"},
    # Pure: what is in bytes and texts.
    {"archives", "attestations", "companions", "form", "lineends", "lockfiles", "metadata"}
    | {"quantities", "ranges", "selection", "signatures", "simple", "tokens", "upload", "upstream_pages"}
    | {"feeds", "legacy", "rules", "xmlrpc", "xmltext", "command", "layout", "option_hints", "shorthands"},
    {"interfaces", "openfile", "sending", "tasks", "threaded_storage", "watching"},
    {"acceptance", "index", "changes", "project_changes", "sources"},
    {"catalog", "storage", "auth", "access", "upstream"},
    {"web"},
    {"announcement", "assembly", "cli", "config", "daemon", "descriptions", "plugins", "tap", "testing"}
    | {"verification", "workers"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
PROVIDERS = LAYERS[4]
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def part_of(module: Path) -> str:
    """Name the part of the house that a module stands in."""
    return module.parts[0].removesuffix(".py")


def imports(module: Path) -> list[str]:
    """List the dotted names that a module imports, wherever in it."""
    found = []
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def may_import(importer: str, imported: str) -> bool:
    """Tell whether one part of the house may import another."""
    low, high = LEVEL[imported], LEVEL[importer]
    if importer == imported or high == 6:
        return True
    if importer in PROVIDERS:
        return low <= 2
    if importer == "web":
        return low <= 3
    if low == high == 2:
        return importer != "interfaces"  # all else there may use the roles, and they use none of it
    return low < high or (low == high and low in (0, 1, 3))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_only_from_its_own_floor_or_below(module: Path) -> None:
    importer = part_of(module)
    if importer == "__init__":
        return
    for name in imports(module):
        parts = name.split(".")
        if parts[0] != "pypid" or parts[1] == "__version__":
            continue
        assert may_import(importer, parts[1]), f"{importer} must not import {name}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_the_lower_floors_are_pure(module: Path) -> None:
    if LEVEL.get(part_of(module), 9) > 1:
        return
    for name in imports(module):
        top = name.split(".")[0]
        assert top not in {"twisted", "klein", "treq", "zope", "asyncio", "socket", "threading"}, name


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_imports_the_reactor_when_it_is_imported(module: Path) -> None:
    for node in ast.parse((PACKAGE / module).read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module == "twisted.internet":
            assert "reactor" not in {alias.name for alias in node.names}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_is_longer_than_300_lines(module: Path) -> None:
    assert len((PACKAGE / module).read_text().splitlines()) <= 300


def test_every_part_has_a_floor() -> None:
    assert {part_of(module) for module in MODULES} - {"__init__"} <= set(LEVEL)


def test_the_rules_forbid_what_they_should() -> None:
    """The table itself is tested, so that this file cannot pass for nothing."""
    assert not may_import("storage", "index")
    assert not may_import("storage", "auth")
    assert not may_import("web", "storage")
    assert not may_import("names", "simple")
    assert not may_import("interfaces", "index")
    assert may_import("web", "index")
    assert may_import("tap", "web")
    assert may_import("upload", "form")
    assert may_import("index", "sources")
