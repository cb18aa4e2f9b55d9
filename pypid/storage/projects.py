"""Which directories the projects have."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from errno import ELOOP, ENOENT, ENOTDIR
from pathlib import Path
from threading import Lock

from attrs import define, field, frozen

from pypid.names import is_name, normalize
from pypid.storage.clock import Clock, unheard_of
from pypid.storage.descriptors import opened
from pypid.storage.notices import Notices

__all__ = ["Projects"]


@frozen
class _Listing:
    """What ``simple/`` listed when it had a certain stamp."""

    stamp: Hashable
    settled: bool
    names: Sequence[str]
    misspelled: Mapping[str, Sequence[str]]


@define(eq=False)
class Projects:
    """The directories in ``simple/``.

    Those that pypid makes have the project's normalized name. A tree that was made by hand
    may have them in other spellings, such as ``simple/PyYAML/``, and even in several.
    """

    simple: Path
    """The directory of projects."""
    _clock: Clock
    _notices: Notices
    _listing: _Listing | None = field(default=None, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    def names(self) -> Sequence[str]:
        """List the normalized names of all projects, sorted; a project may have no files."""
        return self._refreshed().names

    def spellings(self, project: str) -> Iterator[str]:
        """Name the directories that a project's files may be in, the normalized name first.

        Who finds what it looks for in that one saves the listing of ``simple/``.
        """
        if is_name(project):
            yield project
            yield from self._refreshed().misspelled.get(project, ())

    def stamp(self, project: str | None) -> Hashable:
        """Give a value that differs whenever a project's directories, or all, may list other names.

        It costs a ``stat`` of ``simple/`` and one of each of the project's directories.
        """
        top = self._clock.stamp(str(self.simple))
        if project is None or not is_name(project):
            return top
        listing = self._listing
        if listing is None or listing.stamp != top or not listing.settled:
            return unheard_of()
        spellings = (project, *listing.misspelled.get(project, ()))
        return tuple(self._clock.stamp(f"{self.simple}/{spelling}") for spelling in spellings)

    @contextmanager
    def opened(self, spelling: str) -> Iterator[int | None]:
        """Open a project's directory, or give ``None`` if it is not there or is none."""
        with ExitStack() as stack:
            directory = None
            try:
                simple = stack.enter_context(opened(self.simple))
                directory = stack.enter_context(opened(spelling, simple))
            except OSError as error:
                if error.errno not in (ENOENT, ENOTDIR, ELOOP):
                    raise
            yield directory

    def _refreshed(self) -> _Listing:
        # While projects are made one after the other it never settles, and thousands of names take
        # long to list. So a directory renamed within one tick of the clock may show when it does.
        with self._turn:
            stamp, settled = self._clock.likely_stamp(str(self.simple))
            listing = self._listing
            if listing is None or listing.stamp != stamp or (settled and not listing.settled):
                listing = self._listing = self._list(stamp, settled)
            return listing

    def _list(self, stamp: Hashable, settled: bool) -> _Listing:
        names = set()
        misspelled: dict[str, list[str]] = {}
        with os.scandir(self.simple) as entries:
            for entry in entries:
                if entry.is_symlink():
                    self._notices.passed_over(entry.path, "symbolic links are not followed")
                elif is_name(entry.name) and entry.is_dir(follow_symlinks=False):
                    name = normalize(entry.name)
                    names.add(name)
                    if name != entry.name:
                        misspelled.setdefault(name, []).append(entry.name)
        return _Listing(
            stamp, settled, sorted(names), {name: sorted(found) for name, found in misspelled.items()}
        )
