"""The paths below a root never change, since trees and caches outlive versions."""

from __future__ import annotations

from pathlib import Path

from pypid.runtime.layout import Layout


def test_fault_g_one_layout() -> None:
    layout = Layout(Path("/srv"))
    assert layout.projects == Path("/srv/simple")
    assert layout.users == Path("/srv/htpasswd")
    assert layout.tokens == Path("/srv/tokens")
    assert layout.catalog == Path("/srv/.pypid/catalog.sqlite")
    assert layout.staging == Path("/srv/.pypid/staging")
    assert layout.cache("index.example.org") == Path("/srv/.pypid/cache/index.example.org")


def test_fault_g_nobody_else_spells_it_out() -> None:
    """So that it can be changed, or moved, in one place."""
    package = Path(__file__).parents[2] / "pypid"
    spelled = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.name != "layout.py" and '"testing' not in str(path) and '/ ".pypid"' in path.read_text()
    ]
    assert spelled == []
