"""Which directories the projects have."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from errno import ELOOP, ENOENT, ENOTDIR
from pathlib import Path
from threading import Lock

from attrs import define, evolve, field, frozen

from pypid.names import is_name, normalize
from pypid.storage.clock import Clock, unheard_of
from pypid.storage.notices import Notices

__all__ = ["Projects"]


@frozen
class _Listing:
    """What ``simple/`` listed when it had a certain stamp, and a hash of all that was there."""

    stamp: Hashable
    settled: bool
    entries: int
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
    _is_still: bool = field(default=False, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    def still(self) -> Projects:
        """Give these as they are now, without what comes or goes later."""
        projects = copy(self)
        projects._listing, projects._is_still = self._refreshed(), True
        return projects

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
        directory = None
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            directory = os.open(f"{self.simple}/{spelling}", flags)
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR, ELOOP):
                raise
        try:
            yield directory
        finally:
            if directory is not None:
                os.close(directory)

    def _refreshed(self) -> _Listing:
        if self._listing is not None and self._is_still:
            return self._listing
        # While projects are made one after the other it never settles, and thousands of names take
        # long to list. So a directory renamed within one tick of the clock may show when it does.
        with self._turn:
            stamp, settled = self._clock.likely_stamp(str(self.simple))
            listing = self._listing
            if listing is None or listing.stamp != stamp or (settled and not listing.settled):
                listing = self._listing = self._list(stamp, settled, listing)
            return listing

    def _list(self, stamp: Hashable, settled: bool, before: _Listing | None) -> _Listing:
        with os.scandir(self.simple) as found:
            entries = tuple(
                (entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in found
            )
        if before is not None and hash(entries) == before.entries:
            return evolve(before, stamp=stamp, settled=settled)
        names = set()
        misspelled: dict[str, list[str]] = {}
        for spelling, is_symlink, is_directory in entries:
            if is_symlink:
                self._notices.passed_over(str(self.simple / spelling), "symbolic links are not followed")
            elif is_directory and is_name(spelling):
                name = normalize(spelling)
                if name == spelling:
                    names.add(spelling)
                else:
                    names.add(name)
                    misspelled.setdefault(name, []).append(spelling)
        ordered = {name: sorted(spellings) for name, spellings in misspelled.items()}
        return _Listing(stamp, settled, hash(entries), sorted(names), ordered)
