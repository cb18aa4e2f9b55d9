"""What is searched for, as old clients put it."""

from __future__ import annotations

import pytest

from pypid.web.search import make_query

NAMES = ["acme-lib", "hammer", "nail"]


@pytest.mark.parametrize(
    ("spec", "operator", "candidates"),
    [
        ({"name": "Acme_L"}, "or", ["acme-lib"]),
        ({"name": ["ham", "il"]}, "and", ["hammer", "nail"]),
        ({"summary": "x"}, "and", NAMES),
        ({"name": "nail", "summary": "x"}, "or", ["nail", "acme-lib", "hammer"]),
        ({"name": "nail", "summary": "x"}, "and", ["nail"]),
        ({"name": "", "summary": ["x", ""]}, "and", NAMES),
        ({"name": "", "author": "x"}, "or", []),
    ],
)
def test_candidates(spec: dict[str, object], operator: str, candidates: list[str]) -> None:
    """Those found by name come first; others only where their summary counts."""
    assert make_query(spec, operator).candidates(NAMES) == candidates


@pytest.mark.parametrize(
    ("operator", "name", "summary", "matches"),
    [
        ("or", "hammer", "Häufig USED", True),
        ("or", "hammer", "", True),
        ("or", "nail", "it is used", True),
        ("or", "nail", "", False),
        ("and", "hammer", "Used", True),
        ("and", "hammer", "", False),
        ("and", "nail", "used", False),
    ],
)
def test_name_and_summary(operator: str, name: str, summary: str, matches: bool) -> None:
    """Both must match, or one of them; case does not count."""
    assert make_query({"name": "HAM", "summary": "uSed"}, operator).matches(name, summary) is matches


@pytest.mark.parametrize(
    ("spec", "operator"),
    [
        (None, "or"),
        ("a", "or"),
        ({"name": 1}, "or"),
        ({"summary": [None]}, "or"),
        ({}, "xor"),
        ({}, None),
        ({}, []),
    ],
)
def test_malformed(spec: object, operator: object) -> None:
    """It is said how."""
    with pytest.raises(ValueError, match="must be"):
        make_query(spec, operator)
