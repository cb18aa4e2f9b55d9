"""A search for archives in places where they are not served."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import define

from pypid.errors import InvalidFilename
from pypid.names import is_name, normalize, parse_filename

__all__ = ["misplaced"]

MAX_ENTRIES = 200_000
"""The greatest number of directory entries to visit."""
MAX_SECONDS = 10.0
"""The longest time to search, in seconds."""
MAX_DEPTH = 6
"""The number of directory levels to search."""

OUTSIDE = "outside of simple/"
LOOSE = "in simple/ itself"
OTHER = "in the directory of another project than their names say"
DEEP = "deeper than simple/<project>/"


@define(eq=False)
class _Allowance:
    """The rest of the entries and of the time that a search may take."""

    _seconds: Callable[[], float]
    _deadline: float
    _entries: int = MAX_ENTRIES

    def spend(self) -> bool:
        """Count one entry, and return whether it may still be visited."""
        self._entries -= 1
        return not self.is_spent

    @property
    def is_spent(self) -> bool:
        """Whether the search had to stop early."""
        return self._entries < 0 or self._seconds() > self._deadline


@define(eq=False)
class _Found:
    """Misplaced archives of one kind."""

    path: Path
    """The first of them, as the example."""
    project: str
    """The normalized name of its project."""
    count: int = 0


def misplaced(root: Path, seconds: Callable[[], float] = time.monotonic) -> Sequence[str]:
    """Return a line for each kind of misplaced archives below a root: their number, and what to do.

    The search is bounded in entries, depth and time, follows no symbolic links, and passes over
    unreadable directories. It blocks.

    :param seconds: returns the time in seconds, of a monotonic clock.
    """
    allowance = _Allowance(seconds, seconds() + MAX_SECONDS)
    found: dict[str, _Found] = {}
    for path, project, where in _archives(root, allowance):
        found.setdefault(where, _Found(path, project)).count += 1
    places = (where for where in (OUTSIDE, LOOSE, OTHER, DEEP) if where in found)
    return [_line(root, found[where], where, allowance) for where in places]


def _line(root: Path, found: _Found, where: str, allowance: _Allowance) -> str:
    count = f"at least {found.count}" if allowance.is_spent else str(found.count)
    lie = "archives lie" if found.count > 1 else "archive lies"
    target, path = shlex.quote(f"{root}/simple/{found.project}/"), shlex.quote(str(found.path))
    return (
        f"{count} {lie} {where}, and nobody is offered them: move each to simple/<project>/, as in"
        f" `mkdir -p {target} && mv {path} {target}`"
    )


def _archives(root: Path, allowance: _Allowance) -> Iterator[tuple[Path, str, str]]:
    """Yield the path, the project and the kind of place of each archive that is not served."""
    for path, is_directory in _entries(root, allowance):
        if path.name == "simple" and is_directory:
            yield from _in_simple(path, allowance)
        elif is_directory:
            yield from ((archive, project, OUTSIDE) for archive, project in _below(path, allowance))
        elif (project := _project(path.name)) is not None:
            yield path, project, OUTSIDE


def _in_simple(simple: Path, allowance: _Allowance) -> Iterator[tuple[Path, str, str]]:
    for path, is_directory in _entries(simple, allowance):
        if not is_directory:
            if (project := _project(path.name)) is not None:
                yield path, project, LOOSE
            continue
        name = normalize(path.name) if is_name(path.name) else None
        for inner, is_deeper in _entries(path, allowance):
            if is_deeper:
                yield from ((archive, project, DEEP) for archive, project in _below(inner, allowance))
            elif (project := _project(inner.name, name)) is not None:
                yield inner, project, OTHER


def _below(directory: Path, allowance: _Allowance, depth: int = MAX_DEPTH) -> Iterator[tuple[Path, str]]:
    """Yield the path and the project of each archive in a directory and below it."""
    for path, is_directory in _entries(directory, allowance):
        if is_directory and depth:
            yield from _below(path, allowance, depth - 1)
        elif not is_directory and (project := _project(path.name)) is not None:
            yield path, project


def _entries(directory: Path, allowance: _Allowance) -> Iterator[tuple[Path, bool]]:
    """Yield each file and directory in a directory, except hidden ones, and whether it is a directory."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if not allowance.spend():
                    return
                is_directory = entry.is_dir(follow_symlinks=False)
                if not entry.name.startswith(".") and (is_directory or entry.is_file(follow_symlinks=False)):
                    yield directory / entry.name, is_directory
    except OSError:
        return


def _project(filename: str, home: str | None = None) -> str | None:
    """Return the project of an archive by its name, or ``None`` if the name is not an archive's.

    :param home: the project of the directory; ``None`` is returned for its own archives.
    """
    # Most archives are in the right place, and this is quicker than parsing their names.
    if home is not None and normalize(filename[: len(home)]) == home:
        return None
    try:
        return parse_filename(filename).project
    except InvalidFilename:
        return None
