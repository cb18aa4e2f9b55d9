"""The house has floors: the imports, read from the syntax trees, lead only downwards."""

import ast
import importlib
import pkgutil
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pypid

PACKAGE = Path(pypid.__file__).parent
FLOORS = [
    {"errors", "names", "model", "principals"},
    {"formats", "archives", "upload", "interfaces"},
    {"runtime"},
    {"index"},
    {"storage", "catalog", "auth", "access", "upstream"},
    {"web"},
    {"daemon", "cli", "maintenance", "plugins", "testing", "tap"},
]
"""Each may import those below it. The providers of roles may not import the index."""
LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}
VOCABULARY, PURE, INDEX, PROVIDERS, ASSEMBLY = 0, {"formats", "archives", "upload"}, 3, FLOORS[4], 6
INNER = {
    "web": [
        {"http"},
        {"permissions"},
        {"routes"},
        {"admission", "fast_path"},
        {"site", "served_index", "metrics_site"},
    ],
    "upstream": [
        {"http", "counters", "release_policy", "statistics"},
        {"files"},
        {"pages"},
        {"options", "proxy", "redirect", "none", "memory"},
    ],
}
"""The floors inside of two large rooms."""
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
PARALLEL = {"access", "auth", "catalog", "cli", "interfaces", "plugins", "routes", "storage", "testing"}
"""Rooms whose modules may have the name of another's: providers of a role, commands, routes, contracts."""


def dotted(module: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(("pypid", *module.with_suffix("").parts)).removesuffix(".__init__")


NAMES = {dotted(module) for module in MODULES}


def part_of(name: str) -> str:
    """Return the part of the house that a dotted name stands in."""
    return [*name.split("."), "__init__"][1]


def imports(module: Path) -> list[str]:
    """List the dotted names that a module imports, wherever in it, also for type checkers alone."""
    found = []
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def own_imports(module: Path) -> set[str]:
    """Return the modules of the house that a module imports."""
    found = set()
    for name in imports(module):
        if name.split(".")[0] == "pypid" and name != "pypid.__version__":
            found.add(name if name in NAMES else name.rpartition(".")[0])
    return found - {dotted(module)}


def may_import(importer: str, imported: str) -> bool:
    """Return whether a module of the house may import another."""
    high, low = LEVEL[part_of(importer)], LEVEL[part_of(imported)]
    if part_of(importer) == part_of(imported):
        return inner_floor(imported) <= inner_floor(importer)
    if high == ASSEMBLY:
        return True
    if part_of(importer) in PROVIDERS:
        return low < INDEX
    if part_of(importer) == "web":
        return low <= INDEX
    if part_of(imported) == "interfaces":
        return part_of(importer) not in PURE and high >= 1
    return (
        low < high or (low == high == VOCABULARY) or (part_of(importer) in PURE and part_of(imported) in PURE)
    )


def inner_floor(name: str) -> int:
    """Return the floor inside of its room, or 0 where there is none."""
    part, *rest = name.split(".")[1:]
    floors = INNER.get(part, [])
    return next((level for level, names in enumerate(floors) if rest and rest[0] in names), 0)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_only_from_its_own_floor_or_below(module: Path) -> None:
    if dotted(module) == "pypid":
        return
    for name in own_imports(module):
        assert may_import(dotted(module), name), f"{dotted(module)} must not import {name}"


def test_there_is_no_circle() -> None:
    """What stands under ``if TYPE_CHECKING`` counts; a package does not depend on what it passes on."""
    packages = {dotted(module) for module in MODULES if module.name == "__init__.py"}
    graph = {
        dotted(module): own_imports(module) - packages for module in MODULES if module.name != "__init__.py"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_the_lower_floors_are_pure(module: Path) -> None:
    if LEVEL.get(part_of(dotted(module)), 9) != VOCABULARY and part_of(dotted(module)) not in PURE:
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


def test_no_folder_has_more_than_24_modules() -> None:
    folders = defaultdict(list)
    for module in MODULES:
        if module.name != "__init__.py":
            folders[module.parent].append(module.name)
    assert {str(folder): len(names) for folder, names in folders.items() if len(names) > 24} == {}


def test_a_name_leads_to_one_module() -> None:
    """Whoever looks for a module by its name finds one, or one in each of several parallel rooms."""
    places = defaultdict(list)
    for module in MODULES:
        if module.name != "__init__.py" and module.parent.name not in PARALLEL:
            places[module.name].append(str(module))
    assert [found for found in places.values() if len(found) > 1] == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_names_are_imported_only_from_modules_that_list_them(module: Path) -> None:
    """What ``__all__`` does not list is private: whoever changes the module looks for no users elsewhere."""
    for name in imports(module):
        imported, _, one = name.rpartition(".")
        if imported in NAMES and name not in NAMES and (imported, name) != ("pypid", "pypid.__version__"):
            assert one in importlib.import_module(imported).__all__, f"{imported} does not list {one}"


@pytest.mark.parametrize("module", [one for one in MODULES if one.name != "__init__.py"], ids=str)
def test_modules_list_what_they_define(module: Path) -> None:
    """``__all__`` has every public class and function, none twice, and nothing that is not there.

    Verbs of the command are reached through their groups.
    """
    tree = ast.parse((PACKAGE / module).read_text())
    listed = importlib.import_module(dotted(module)).__all__ if module.stem != "__main__" else []
    assert sorted(set(listed)) == sorted(listed)
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, kinds) and not node.name.startswith("_") and not is_verb(node)
    }
    assert defined <= set(listed)
    for one in listed:
        assert hasattr(importlib.import_module(dotted(module)), one), one


def is_verb(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function is a verb of the command, as its decorator says."""
    return any(".command(" in ast.unparse(decorator) for decorator in node.decorator_list)


def test_the_interfaces_are_all_at_one_door() -> None:
    package = importlib.import_module("pypid.interfaces")
    modules = [
        importlib.import_module(f"pypid.interfaces.{one.name}")
        for one in pkgutil.iter_modules(package.__path__)
    ]
    assert {one for module in modules for one in module.__all__} == set(package.__all__)


def test_every_part_has_a_floor() -> None:
    assert {part_of(dotted(module)) for module in MODULES} - {"__init__"} <= set(LEVEL)


def test_the_rules_forbid_what_they_should() -> None:
    """The table itself is tested, so that this file cannot pass for nothing."""
    assert not may_import("pypid.storage.tree", "pypid.index.publishing")
    assert not may_import("pypid.storage.tree", "pypid.auth.hashes")
    assert not may_import("pypid.web.site", "pypid.storage.tree")
    assert not may_import("pypid.names", "pypid.formats.simple_api")
    assert not may_import("pypid.interfaces.storage", "pypid.index.publishing")
    assert not may_import("pypid.interfaces.storage", "pypid.formats.quantities")
    assert not may_import("pypid.formats.simple_api", "pypid.interfaces.storage")
    assert not may_import("pypid.web.http.channel", "pypid.web.site")
    assert not may_import("pypid.upstream.files.store", "pypid.upstream.pages.parse")
    assert may_import("pypid.web.site", "pypid.index.publishing")
    assert may_import("pypid.tap", "pypid.web.site")
    assert may_import("pypid.upload.form_checks", "pypid.upload.form")
    assert may_import("pypid.index.publishing", "pypid.index.resolution")
    assert may_import("pypid.upstream.pages.freshness", "pypid.upstream.files.fetch")
