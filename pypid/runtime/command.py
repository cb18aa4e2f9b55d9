"""The command line of ``pypid`` on this machine, for people to copy into a shell."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

__all__ = ["command_line"]

NAME = "pypid"


def command_line(*words: str | Path) -> str:
    """Return a shell command line that calls the command of this very installation with some words.

    It begins with a path, because a virtual environment is only on the ``PATH`` of a shell in which it was
    activated. If the command is installed for all users, it begins with the bare name.
    """
    return shlex.join([*_command(), *map(str, words)])


def _command() -> list[str]:
    """Return the words of the shell command without its arguments."""
    installed = next((path for path in _candidates() if os.access(path, os.X_OK)), None)
    if installed is None:
        return [sys.executable, "-m", "pypid.cli"]
    found = shutil.which(NAME)
    if found is not None and _is_for_everybody(Path(found), installed):
        return [NAME]
    return [str(installed)]


def _candidates() -> Iterator[Path]:
    """Yield the command's possible paths: beside the program, beside its Python, and where pip puts it."""
    if sys.argv and os.sep in sys.argv[0]:
        yield Path(sys.argv[0]).absolute().with_name(NAME)
    yield Path(sys.executable).absolute().with_name(NAME)
    yield Path(sysconfig.get_path("scripts")) / NAME


def _is_for_everybody(found: Path, installed: Path) -> bool:
    """True if the ``PATH`` leads to this command, and the command is outside of any virtual environment."""
    if sys.prefix != sys.base_prefix and found.absolute().is_relative_to(sys.prefix):
        return False
    return found.resolve() == installed.resolve()
