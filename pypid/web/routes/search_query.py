"""The search queries of old clients: words in names or summaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from pypid.names import normalize

__all__ = ["Query", "make_query"]

MAX_WORDS = 16
"""Largest number of words for names, and also for summaries.

Each word is searched for in all names or summaries.
"""
MAX_WORD = 100
"""Largest length of a word, in characters; no name is longer."""


@frozen
class Query:
    """A search for words. A name, or a summary, matches if it contains one of its words."""

    names: Sequence[str]
    """The words for names, in their normalized spelling; empty if names are not searched."""
    summaries: Sequence[str]
    """The words for summaries, in lower case; empty if summaries are not searched."""
    both: bool
    """True if both name and summary must match."""

    def candidates(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return two lists of normalized names: matches by name, and possible matches by summary."""
        named: list[str] = []
        others: list[str] = []
        for name in names:
            (named if _has(name, self.names) else others).append(name)
        return named, others if self.summaries and not self.both else []

    def matches(self, name: str, summary: str) -> bool:
        """Return whether a project matches.

        :param name: the project's normalized name.
        """
        outcomes = _has(name, self.names), _has(summary.lower(), self.summaries)
        return all(outcomes) if self.both else any(outcomes)


def make_query(spec: object, operator: object) -> Query:
    """Parse a search of PyPI's old API; fields other than ``name`` and ``summary`` are ignored.

    :param spec: a mapping of ``name`` and ``summary`` to a word or a list of words.
    :param operator: ``and`` or ``or``, between name and summary.
    :raises ValueError: the search is malformed; the message says how.
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
