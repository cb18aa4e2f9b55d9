"""The configuration file: its bytes, within bounds, and its content with the line of each key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from pypid.daemon.configuration.origin import Origin, Problem, Source, WrongConfiguration
from pypid.daemon.configuration.toml_positions import KeyPath, positions
from pypid.runtime.watched_file import read_regular

__all__ = ["MAX_SIZE", "Document", "parse", "read"]

MAX_SIZE = 1024 * 1024
"""The largest size of a configuration file, in bytes."""

_PLACE = re.compile(
    r"(?P<reason>.*) \(at (?:line (?P<line>[0-9]+), column [0-9]+|end of document)\)", re.DOTALL
)
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00": "UTF-32"}


@frozen
class Document:
    """The content of a configuration file."""

    path: Path
    """The file's absolute path."""
    data: Mapping[str, Any]
    """Its keys and values."""
    lines: Mapping[KeyPath, int]
    """The line of each key and each item of an array."""

    def origin(self, *path: str | int) -> Origin:
        """Return the place of a value. Where the value itself is unknown, it is that of what is around it."""
        known = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in self.lines), ())
        name = ".".join(str(part) for part in path if isinstance(part, str))
        return Origin(Source.FILE, name, self.path, self.lines.get(known, 0))


def read(path: Path) -> Document:
    """Return the content of a file. Blocks.

    :raises WrongConfiguration: it cannot be read, is too large, or is not TOML.
    """
    path = path.absolute()
    try:
        length = path.stat().st_size
        if length > MAX_SIZE:
            raise _wrong(path, f"{length:,} bytes are too much: a configuration has at most {MAX_SIZE:,}")
        data = read_regular(path)
    except FileNotFoundError:
        raise _wrong(path, "there is no such file") from None
    except IsADirectoryError:
        raise _wrong(path, "it is a directory; name the file in it") from None
    except OSError as error:
        hint = "; name the file in it" if path.is_dir() else ""
        raise _wrong(path, f"{error.strerror or error}{hint}") from None
    return parse(data, path)


def parse(data: bytes, path: Path) -> Document:
    """Return the content of a file that has been read.

    :raises WrongConfiguration: it is not TOML in UTF-8; the message has the line.
    """
    text = _decoded(data.removeprefix(b"\xef\xbb\xbf"), path)
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise _wrong(path, "there is a NUL character: the file is damaged, or is not a text", number)
    try:
        content = tomllib.loads(text)
        return Document(path, content, positions(text.replace("\r\n", "\n")))
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(str(error), text, path) from None
    except RecursionError:
        raise _wrong(path, "brackets within brackets, too many of them") from None


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = next(
            (f"; it seems to be {kind}" for mark, kind in _MARKS.items() if data.startswith(mark)), ""
        )
        number = data.count(b"\n", 0, error.start) + 1
        raise _wrong(path, f"it is not UTF-8{kind}: save it in that encoding", number) from None


def _no_toml(message: str, text: str, path: Path) -> WrongConfiguration:
    """Return the error for what ``tomllib`` says."""
    match = _PLACE.fullmatch(message)
    reason = match["reason"] if match is not None else message
    lines = text.split("\n")
    number = int(match["line"]) if match is not None and match["line"] else len(lines)
    line = lines[number - 1] if number <= len(lines) else ""
    if reason == "Cannot overwrite a value" or reason.startswith("Cannot declare"):
        key = line.partition("=")[0].strip().strip("[]").strip()
        earlier = _first(key, lines[: number - 1], reason.startswith("Cannot declare"))
        also = f", first in line {earlier}" if earlier else ""
        return _wrong(path, f"{key} is there twice{also}: leave one out", number)
    return _wrong(path, f"no TOML: {_explained(reason, line)}", number)


def _first(key: str, lines: list[str], is_table: bool) -> int:
    """Return the number of the first of some lines that has a key or a table, or 0."""
    start = rf"\s*\[+\s*{re.escape(key)}\s*\]" if is_table else rf"\s*{re.escape(key)}\s*="
    found = (number for number, line in enumerate(lines, 1) if re.match(start, line))
    return next(found, 0)


def _explained(reason: str, line: str) -> str:
    """Return what is wrong with a line, and what it lacks if that can be seen."""
    key, equals, value = (part.strip() for part in line.partition("="))
    if reason == "Invalid value" and equals and value and value[0] not in "\"'[{":
        word = value.partition("#")[0].strip()
        if word.lower() in ("true", "false"):
            return f"write {key} = {word.lower()}"
        return f'a text stands in quotation marks: {key} = "{word[:80]}"'
    if not equals and line.strip():
        return f'{line.strip()[:80]!r} is no KEY = "VALUE"'
    return reason[:1].lower() + reason[1:]


def _wrong(path: Path, message: str, line: int = 0) -> WrongConfiguration:
    return WrongConfiguration([Problem(Origin(Source.FILE, "", path, line), message)])
