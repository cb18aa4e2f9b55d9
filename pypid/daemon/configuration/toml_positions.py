"""The lines at which the keys of a TOML document stand, which ``tomllib`` does not tell.

It reads documents that ``tomllib`` has accepted, and so it need not find mistakes itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import define, field

__all__ = ["KeyPath", "positions"]

KeyPath = tuple[str | int, ...]
"""The path to a value: names of keys, and indexes in arrays counted from 0."""

_TOKEN = re.compile(
    r'(?P<text>"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*')"
    r"|(?P<blank>[ \t\r]+|\#[^\n]*)"
    r"|(?P<sign>[\[\]{}=,.\n])"
    r"|(?P<word>[^\s\[\]{}=,.\#\"']+)",
    re.DOTALL,
)
_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[btnfre"\\])')
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def positions(text: str) -> dict[KeyPath, int]:
    """Return the line of each key, each table and each item of an array, counted from 1.

    :param text: a valid TOML document.
    """
    return _Scanner(list(_tokens(text))).document()


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield kind, text and line of each token, without blanks and comments."""
    line = 1
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup or "", match[0]
        if kind != "blank":
            yield kind, token, line
        line += token.count("\n")


@define
class _Scanner:
    """Walks through the tokens of a document once."""

    _tokens: list[tuple[str, str, int]]
    _next: int = 0
    _lines: dict[KeyPath, int] = field(factory=dict)
    _tables: dict[KeyPath, int] = field(factory=dict)
    """The number of tables of each array of tables."""

    def document(self) -> dict[KeyPath, int]:
        """Read the whole document, and return the line of each path."""
        table: KeyPath = ()
        while self._next < len(self._tokens):
            sign = self._peek()
            if sign == "\n":
                self._next += 1
            elif sign == "[":
                table = self._header()
            else:
                self._statement(table)
        return self._lines

    def _header(self) -> KeyPath:
        """Read ``[table]`` or ``[[table]]``, and return the path of the table."""
        line = self._line()
        is_array = self._next + 1 < len(self._tokens) and self._tokens[self._next + 1][1] == "["
        self._next += 2 if is_array else 1
        path = self._within_arrays(self._key(), is_array)
        self._next += 2 if is_array else 1
        self._lines.setdefault(path[:-1] if is_array else path, line)
        self._lines.setdefault(path, line)
        return path

    def _within_arrays(self, names: KeyPath, is_array: bool) -> KeyPath:
        """Return the path of a table's header, with the index of the last table of each array in it."""
        path: KeyPath = ()
        for place, name in enumerate(names):
            path = (*path, name)
            if is_array and place == len(names) - 1:
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path = (*path, self._tables[path])
        return path

    def _statement(self, table: KeyPath) -> None:
        """Read ``key = value``."""
        line = self._line()
        path = (*table, *self._key())
        for end in range(len(table) + 1, len(path) + 1):
            self._lines.setdefault(path[:end], line)
        self._next += 1  # the equals sign
        self._value(path)

    def _key(self) -> KeyPath:
        """Read a key, which may be dotted."""
        names: list[str] = []
        while self._next < len(self._tokens):
            kind, word, _ = self._tokens[self._next]
            if kind == "sign" and word != ".":
                break
            self._next += 1
            if kind != "sign":
                names.append(_unquoted(word) if kind == "text" else word)
        return tuple(names)

    def _value(self, path: KeyPath) -> None:
        """Read a value: an array, an inline table, or anything up to the next sign."""
        sign = self._peek()
        if sign == "[":
            self._items(path, "]")
        elif sign == "{":
            self._items(path, "}")
        else:  # a string, a number with its decimal point, a date, a truth
            while self._next < len(self._tokens) and self._peek() in ("", "."):
                self._next += 1

    def _items(self, path: KeyPath, end: str) -> None:
        """Read the items of an array, or the statements of an inline table."""
        self._next += 1
        number = 0
        while self._next < len(self._tokens) and self._peek() != end:
            if self._peek() in (",", "\n"):
                self._next += 1
            elif end == "}":
                self._statement(path)
            else:
                self._lines[(*path, number)] = self._line()
                self._value((*path, number))
                number += 1
        self._next += 1

    def _peek(self) -> str:
        """Return the next token if it is a sign, or else an empty text."""
        kind, token, _ = self._tokens[self._next]
        return token if kind == "sign" else ""

    def _line(self) -> int:
        return self._tokens[self._next][2]


def _unquoted(token: str) -> str:
    """Return the name of a quoted key."""
    if token.startswith("'"):
        return token[1:-1]
    return _ESCAPE.sub(
        lambda match: _SHORT[match[1]] if match[1] in _SHORT else chr(int(match[1][1:], 16)), token[1:-1]
    )
