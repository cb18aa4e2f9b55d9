"""One option of the daemon, as the schema lists it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from pypid.interfaces import IFactory

__all__ = ["ROOT", "Option"]

ROOT = "{root}"
"""Stands for the root directory in the default of an option."""


@frozen(kw_only=True)
class Option:
    """An option: a flag, a key of the configuration file and an environment variable of one name."""

    name: str
    """Its name as a flag without dashes, and as a key, such as ``max-upload``."""
    group: str
    """The heading under which it stands in the sample file and in the manual."""
    metavar: str
    """The form of its value, in capitals, such as ``SIZE``."""
    summary: str
    """One line for ``--help``, the sample file and the manual, ending with a full stop."""
    details: str = ""
    """More for the manual and the sample file: sentences, without line breaks."""
    parse: Callable[[str], Any] = str
    """Returns the value of a text, or raises :exc:`~pypid.errors.ConfigurationError`."""
    default: Sequence[str] = ()
    """The texts of its default value; empty if it has none. ``{root}`` stands for the root directory."""
    default_note: str = ""
    """A description of the default for ``--help`` and the manual, if the texts themselves do not serve."""
    example: str = ""
    """A value for the sample file, as TOML, if the default is none."""
    is_repeatable: bool = False
    """Whether it has any number of values: a list in the file, and words in a variable."""
    is_number: bool = False
    """Whether the file may have a whole number for it, besides a string."""
    is_switch: bool = False
    """Whether its values are ``on`` and ``off``, for which the file may have true and false."""
    needs_restart: bool = False
    """Whether a change takes effect only with a restart, and not with a reload."""
    is_in_file: bool = True
    """Whether it is a key of the file."""
    factory: type[IFactory] | None = None
    """The kind of plugins that its values describe; the file may have tables for them."""
    target: str = ""
    """The option to which its value is added, if it is another way to write that one."""

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return "PYPID_" + self.name.upper().replace("-", "_")

    @property
    def field(self) -> str:
        """The name of its field in :class:`pypid.daemon.config.Config`, if it has one of its own."""
        return self.name.replace("-", "_")

    def defaults(self, root: Path) -> Sequence[str]:
        """Return the texts of the default value for an index at ``root``."""
        return [text.replace(ROOT, str(root)) for text in self.default]

    @property
    def shown_default(self) -> str:
        """The default for people; empty if there is none."""
        return self.default_note or ", ".join(self.default).replace(ROOT, "ROOT")
