"""All declared dependencies are needed."""

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pypid

PACKAGE = Path(pypid.__file__).parent


def imported() -> set[str]:
    """Return the top-level names that modules of pypid import, wherever in them."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found.add(node.module.partition(".")[0])
    return found


def test_fault_g_each_dependency_is_imported_somewhere() -> None:
    declared = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[>=<~! ]", one)[0].lower().replace("_", "-") for one in declared}
    modules = packages_distributions()
    used = {
        distribution.lower().replace("_", "-")
        for module in imported()
        for distribution in modules.get(module, ())
    }
    assert sorted(names - used) == []
