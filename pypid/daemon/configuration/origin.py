"""Where the values of options come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

from attrs import field, frozen

from pypid.errors import ConfigurationError

__all__ = ["Given", "Origin", "Problem", "Source", "WrongConfiguration"]


class Source(Enum):
    """The kinds of places in which options are set; each beats those after it."""

    FLAG = "flag"
    VARIABLE = "variable"
    FILE = "file"
    DEFAULT = "default"


@frozen
class Origin:
    """The place of one value."""

    source: Source
    """Its kind."""
    name: str = ""
    """The option as it is spelled there, such as ``--max-upload`` or ``PYPID_MAX_UPLOAD``."""
    path: Path | None = None
    """The configuration file, if it is in one."""
    line: int = 0
    """The line in that file, counted from 1; 0 if it is unknown."""

    def __str__(self) -> str:
        """Return the place for people, such as ``/etc/pypid/pypid.toml:12``."""
        if self.path is not None:
            return f"{self.path}:{self.line}" if self.line else str(self.path)
        return self.name if self.name and self.source is not Source.DEFAULT else self.source.value

    @property
    def prefix(self) -> str:
        """The beginning of an error message about the value."""
        if self.path is not None:
            return f"{self}: {self.name}: " if self.name else f"{self}: "
        return f"{self}: "


@frozen
class Given:
    """One value of an option as it is written, and its place."""

    text: str
    """The value as a text, as a flag would have it."""
    origin: Origin
    """Where it is written."""
    alias: str = ""
    """The option that it is written as, if that is another way to write this one."""
    base: Path | None = field(default=None, eq=False)
    """The directory at which relative paths in it begin: the file's, or that of the start."""
    parts: Mapping[str, Origin] = field(factory=dict, eq=False)
    """The places of the keys, if it is written as a table."""


@frozen
class Problem:
    """One mistake in the configuration."""

    origin: Origin
    """Where it is."""
    message: str
    """The mistake, and the right thing to write; without a full stop."""

    def __str__(self) -> str:
        """Return the place and the message on one line."""
        return f"{self.origin.prefix}{self.message}"


class WrongConfiguration(ConfigurationError):
    """The configuration has mistakes. The message is about the first of them, and has their number."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = problems
        more = len(problems) - 1
        hint = f" (and {more} more: see `pypid config check`)" if more else ""
        super().__init__(f"{problems[0]}{hint}")
