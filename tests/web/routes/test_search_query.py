"""Search queries in the notation of old clients."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any
from xmlrpc.client import dumps

import pytest

from pypid.testing.builds import wheel
from pypid.testing.fakes import HeldWorkers
from pypid.testing.web import MemorySite, basic, upload_form
from pypid.web.routes import release_summaries
from pypid.web.routes.release_summaries import MAX_SEARCHES
from pypid.web.routes.search_query import MAX_WORD, MAX_WORDS, make_query

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
    named, others = make_query(spec, operator).candidates(NAMES)
    assert named + others == candidates


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


@pytest.mark.parametrize("field", ["name", "summary"])
def test_fault_e6_words_are_few_and_short(field: str) -> None:
    """Each is looked for in all there is; the same one is looked for once."""
    make_query({field: [f"word{number}" for number in range(MAX_WORDS)]}, "or")
    make_query({field: ["x" * MAX_WORD, *["y"] * 5000]}, "or")
    for words in ([f"word{number}" for number in range(MAX_WORDS + 1)], "x" * (MAX_WORD + 1)):
        with pytest.raises(ValueError, match=f"{field} must be no more than 16 words of 100 characters"):
            make_query({field: words}, "or")


def test_fault_e6_the_longest_search_does_not_take_long() -> None:
    """Of a large index, in slices, none of which keeps others waiting."""
    names = [f"project-{number}-of-many" for number in range(20_000)]
    words = [f"word{number}" * 10 for number in range(MAX_WORDS)]
    query = make_query({"name": words, "summary": words}, "or")
    begun = time.thread_time()
    assert query.candidates(names) == ([], names)
    assert time.thread_time() - begun < 1


class CountingWorkers(HeldWorkers):
    """Remembers how many names each piece of work was for."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def run(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Note the size of the first argument."""
        if getattr(function, "__name__", "") in ("candidates", "_hits"):
            self.sizes.append(len(args[0]))
        return super().run(function, *args)


def test_fault_e6_one_search_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait are few, and each goes through what there is in slices."""
    monkeypatch.setattr(release_summaries, "SLICE", 2)
    site = MemorySite(workers=CountingWorkers())
    names = ("one", "two", "three", "four", "five")
    other = MemorySite(storage=site.storage)
    for name in names:
        headers, body = upload_form(*wheel(name, "1.0"), name, "1.0")
        assert other.request("POST", "/legacy/", headers | basic("ci", "secret"), body).status == 200
    call = dumps(({"name": ["e"], "summary": ["x"]}, "or"), "search").encode()
    lines = (
        "POST /RPC2 HTTP/1.1",
        "Host: localhost",
        "Content-Type: text/xml",
        f"Content-Length: {len(call)}",
    )
    head = "\r\n".join([*lines, "", ""])
    connections = [site.connect() for _ in range(MAX_SEARCHES + 3)]
    for connection in connections:
        connection.send(head.encode() + call)
    refused = [one for one in connections if one.received().startswith(b"HTTP/1.1 503")]
    assert len(refused) == 2
    connections[1].transport.loseConnection()
    site.workers.work_all()
    answered = [one for one in connections if one.received().startswith(b"HTTP/1.1 200")]
    assert len(answered) == MAX_SEARCHES
    assert all(b"three" in one.received() and b"two" not in one.received() for one in answered)
    assert max(site.workers.sizes) == 2
