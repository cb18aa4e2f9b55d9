"""Plugins' descriptions that are written as tables in the configuration file.

``{type = "proxy", url = "https://index.example.org/simple/", min-age = "3d"}`` becomes
``proxy:https://index.example.org/simple/:min-age=3d``. What must be there, and comes first, is what the
plugin's ``argument_format`` has before its first bracket: of ``URL[:OPTION...]`` it is the key ``url``. Any
other key becomes an option ``:key=value``. So a plugin needs no code for tables.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pypid.errors import ConfigurationError

__all__ = ["CREDENTIALS_DIRECTORY", "TableError", "description", "secret_path", "written"]

CREDENTIALS_DIRECTORY = "$CREDENTIALS_DIRECTORY/"
"""The beginning of a path in the directory in which systemd puts the credentials of a service."""

_POSITIONAL = re.compile(r"[A-Z][A-Z_-]*")
_FIXED = re.compile(r"\[:([a-z0-9-]+)=([a-z0-9-]+)\]")


class TableError(ConfigurationError):
    """A table is no description."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key
        """The key that is wrong; empty for the table itself."""


def description(table: Mapping[str, Any], formats: Mapping[str, str]) -> str:
    """Return the description that a table stands for.

    :param formats: the ``argument_format`` of each plugin of the kind, by its prefix.
    :raises TableError: a key is missing, or has a value that cannot stand in a description.
    """
    prefix = table.get("type")
    if not isinstance(prefix, str):
        known = ", ".join(sorted(formats))
        raise TableError(f'a table needs a type, as in type = "{min(formats)}"; there are {known}')
    if prefix not in formats:
        close = get_close_matches(prefix, formats, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else "."
        raise TableError(
            f"there is no type {prefix[:80]!a}{hint} There are: {', '.join(sorted(formats))}", "type"
        )
    argument_format = formats[prefix]
    before = argument_format.partition("[")[0]
    first = [name.lower() for name in _POSITIONAL.findall(before)]
    fixed = dict(_FIXED.findall(argument_format))
    for name in first:
        if name not in table:
            raise TableError(f'type "{prefix}" needs {name}, as in {name} = "{name.upper()}"')
    texts = [written(table[name], name) for name in first]
    for key, value in table.items():
        if key not in ("type", *first):
            texts += _option(key, value, fixed)
    return ":".join([prefix, *texts])


def _option(key: str, value: Any, fixed: Mapping[str, str]) -> list[str]:
    """Return the texts of an option: one, or none for a flag that is not set."""
    if value is False:
        return []
    if value is True:
        return [f"{key}={fixed[key]}" if key in fixed else key]
    return [f"{key}={written(value, key).replace(':', chr(92) + ':')}"]


def written(value: Any, key: str) -> str:
    """Return the text of a value in a table. :raises TableError: it has none."""
    if isinstance(value, dict):
        if set(value) != {"file"} or not isinstance(value["file"], str):
            raise TableError(f'a secret is in a file: {key} = {{file = "/etc/pypid/{key}"}}', key)
        return str(secret_path(value["file"], key))
    if isinstance(value, list):
        return ",".join(written(each, key) for each in value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        raise TableError(f"true and false stand for options without a value; {key} needs one", key)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def secret_path(text: str, key: str) -> Path:
    """Return the path of a file with a secret.

    A relative path is one in ``$CREDENTIALS_DIRECTORY``.

    :raises TableError: the directory is not set, or everybody can read the file.
    """
    path = Path(text)
    if text.startswith(CREDENTIALS_DIRECTORY) or not path.is_absolute():
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            hint = f"LoadCredential={path.name}:/etc/pypid/{path.name} in the unit sets it"
            raise TableError(f"{text!r} needs $CREDENTIALS_DIRECTORY, which is not set: {hint}", key)
        path = Path(directory) / text.removeprefix(CREDENTIALS_DIRECTORY)
    try:
        mode = path.stat().st_mode
    except OSError:
        return path  # whoever uses it reports that, and another user may be able to read it
    if stat.S_ISREG(mode) and mode & 0o007:
        raise TableError(f"everybody on this machine can read the secret {path}: chmod 640 {path}", key)
    return path
