"""What is searched for, as old clients put it: words in names, or in summaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from pypid.names import normalize

__all__ = ["Query", "make_query"]

MAX_WORDS = 16
"""How many words may be looked for in names, and as many in summaries: each is, in all of them."""
MAX_WORD = 100
"""How many characters a word may have; no name has more."""


@frozen
class Query:
    """Words of which a name, or a summary, must have one in it."""

    names: Sequence[str]
    """Words looked for in names, spelled as they are in normalized ones; none if the name does not count."""
    summaries: Sequence[str]
    """Words looked for in summaries, in lower case; none if the summary does not count."""
    both: bool
    """Whether name and summary must both have one."""

    def candidates(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return those of some normalized names that match by themselves, and those whose summaries may."""
        named: list[str] = []
        others: list[str] = []
        for name in names:
            (named if _has(name, self.names) else others).append(name)
        return named, others if self.summaries and not self.both else []

    def matches(self, name: str, summary: str) -> bool:
        """Tell whether a project matches."""
        outcomes = _has(name, self.names), _has(summary.lower(), self.summaries)
        return all(outcomes) if self.both else any(outcomes)


def make_query(spec: object, operator: object) -> Query:
    """Understand a search of PyPI's old API; fields other than name and summary do not count.

    :param spec: maps ``name`` and ``summary`` to a word or a list of words.
    :param operator: ``and`` or ``or``, between the two.
    :raises ValueError: it is malformed, and how.
    """
    if operator not in ("and", "or"):
        raise ValueError("the operator must be 'and' or 'or'")
    if not isinstance(spec, dict):
        raise ValueError("what is searched for must be a struct")
    names = [normalize(word) for word in _words(spec, "name")]
    summaries = [word.lower() for word in _words(spec, "summary")]
    return Query(names, summaries, both=operator == "and" and bool(names) and bool(summaries))


def _words(spec: dict[str, object], field: str) -> list[str]:
    words = spec.get(field, [])
    if isinstance(words, str):
        words = [words]
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{field} must be a string or an array of strings")
    found = list(dict.fromkeys(word for word in words if word))
    if len(found) > MAX_WORDS or any(len(word) > MAX_WORD for word in found):
        raise ValueError(f"{field} must be no more than {MAX_WORDS} words of {MAX_WORD} characters")
    return found


def _has(text: str, words: Sequence[str]) -> bool:
    return any(word in text for word in words)
