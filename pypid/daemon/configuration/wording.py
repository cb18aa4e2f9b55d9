"""Messages that are about flags, in the words of the place in which the value stands."""

from __future__ import annotations

import re
import shlex

from pypid.daemon.configuration.origin import Source

__all__ = ["worded"]

_WORD = r"(?:'[^']*'|[^\s;,()'`]*[^\s;,.:()'`])"
_FLAGS = re.compile(
    rf"--(?P<name>[a-z][a-z-]*[a-z])(?P<values>(?: {_WORD})?(?: --(?P=name) {_WORD})*)(?=[\s;,.:()`]|$)"
)
_IS_VALUE = re.compile(r"['A-Z0-9/\[.*]|[a-z-]+[:*./]")
"""The beginning of a value. Any other word behind a flag is the next word of the sentence."""


def worded(message: str, source: Source) -> str:
    """Return a message with the flags in it written as a key of the file, or as a variable.

    ``write --listen 127.0.0.1:80`` becomes ``write listen = "127.0.0.1:80"``.
    """
    if source not in (Source.FILE, Source.VARIABLE):
        return message
    return _FLAGS.sub(lambda match: _written(match, source), message)


def _written(match: re.Match[str], source: Source) -> str:
    name, rest = match["name"], match["values"].strip()
    words: list[str] = [] if not rest else shlex.split(rest.replace(f"--{name} ", ""))
    trailing = ""
    if words and len(words) == 1 and not _IS_VALUE.match(rest):
        trailing, words = f" {rest}", []
    if source is Source.VARIABLE:
        name = f"PYPID_{name.upper().replace('-', '_')}"
        return f"{name}={shlex.quote(' '.join(words))}" if words else f"{name}{trailing}"
    quoted = [f'"{word}"' for word in words]
    if not quoted:
        return f"{name}{trailing}"
    return f"{name} = {quoted[0] if len(quoted) == 1 else '[' + ', '.join(quoted) + ']'}"
