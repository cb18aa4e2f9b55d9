"""Which directories the projects have."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import ESTALE
from pathlib import Path
from threading import Lock

from attrs import define, evolve, field, frozen

from pypid.names import is_name, normalize
from pypid.storage.change_detector import ChangeDetector, never_equal
from pypid.storage.failures import Meaning, meaning
from pypid.storage.warn_once import WarnOnce

__all__ = ["Projects"]


DUTY = 10
"""A listing is good for so many times as long as it took: no more of a processor goes into listing."""
LONGEST = 1.0
"""No listing is good for longer than that, in seconds, if something came or went."""
SHORT = 0.002
"""A listing that took no longer than that, in seconds, may be made in the reactor's thread."""


@frozen
class _Listing:
    """What ``simple/`` listed when it had a certain stamp."""

    stamp: Hashable
    settled: bool
    began: float
    """When that was, in seconds of a clock that nobody sets."""
    took: float
    """How many seconds."""
    directories: frozenset[str]
    """All of them, as they are spelled."""
    names: Sequence[str]
    misspelled: Mapping[str, Sequence[str]]


@define(eq=False)
class Projects:
    """The directories in ``simple/``.

    Those that pypid makes have the project's normalized name. A tree that was made by hand
    may have them in other spellings, such as ``simple/PyYAML/``, and even in several.

    Which other spellings there are is known from a listing of ``simple/``. While directories come
    and go, it is made anew only so often; where that takes longer than a moment, a project that is
    here already is known by the spellings of the last listing until there is a newer one.
    """

    simple: Path
    """The directory of projects."""
    _detector: ChangeDetector
    _warnings: WarnOnce
    _seconds: Callable[[], float] = time.monotonic
    """The time in seconds, from a clock that nobody sets."""
    _listing: _Listing | None = field(default=None, init=False)
    _lock: Lock = field(factory=Lock, init=False)

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

    def known_spellings(self, project: str) -> Sequence[str]:
        """Name the directories of a project that are known without looking, whether or not they are there."""
        listing = self._listing
        others = listing.misspelled.get(project, ()) if listing is not None else ()
        return (project, *others) if is_name(project) else ()

    def stamp(self, project: str | None) -> Hashable:
        """Return a value that differs whenever a project's directories, or all, may list other names.

        It costs a ``stat`` of ``simple/`` and one of each of the project's directories. What other
        projects do to ``simple/`` does not move the stamp of a project that has a directory.
        """
        if project is None or not is_name(project):
            return self._detector.stamp(str(self.simple))
        listing, is_current = self._known()
        spellings = (project, *listing.misspelled.get(project, ())) if listing is not None else ()
        stamps = tuple(self._detector.stamp(f"{self.simple}/{spelling}") for spelling in spellings)
        # Nobody may be told that a project is not here while it may have come in another spelling.
        return stamps if is_current or any(stamps) else never_equal()

    @contextmanager
    def opened(self, spelling: str) -> Iterator[int | None]:
        """Open a project's directory, or give ``None`` if it is not there or is none."""
        directory = None
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            directory = os.open(f"{self.simple}/{spelling}", flags)
        except OSError as error:
            if meaning(error) is not Meaning.ABSENT:
                raise
        try:
            yield directory
        finally:
            if directory is not None:
                os.close(directory)

    def confirm(self) -> None:
        """See that a project without a directory is not there, rather than ``simple/`` itself.

        A disk that is unmounted takes all directories with it, at any moment.

        :raises OSError: ``simple/`` is gone, or is another directory than the one that was listed.
        """
        stamp, _ = self._detector.likely_stamp(str(self.simple))
        listing = self._listing
        if not isinstance(stamp, tuple) or (listing is not None and not _is_same(stamp, listing.stamp)):
            os.stat(self.simple)  # noqa: PTH116 - it says why
            raise OSError(ESTALE, "it was replaced just now", str(self.simple))

    def _known(self) -> tuple[_Listing | None, bool]:
        """Return the newest listing that is to be had at once, and whether it is current."""
        listing = self._listing
        if self._is_current(listing, *self._detector.likely_stamp(str(self.simple))):
            return listing, True
        # A short listing is made here, unless somebody is making one already, of whatever length.
        if listing is None or listing.took > SHORT or not self._lock.acquire(blocking=False):
            return listing, False
        try:
            return self._renewed(), True
        except OSError:
            return listing, False  # whoever lists it next says why
        finally:
            self._lock.release()

    def _refreshed(self) -> _Listing:
        """Return a listing that is current; it may take as long as thousands of names take to list."""
        with self._lock:
            return self._renewed()

    def _renewed(self) -> _Listing:
        """Return a listing that is current, which only the one whose turn it is may ask for."""
        stamp, settled = self._detector.likely_stamp(str(self.simple))
        listing = self._listing
        if listing is None or not self._is_current(listing, stamp, settled):
            listing = self._listing = self._list(stamp, settled, listing)
        return listing

    def _is_current(self, listing: _Listing | None, stamp: Hashable, settled: bool) -> bool:
        """Return whether a listing is as good as one that is made now.

        While projects are made one after the other the stamp never settles. So a directory that is renamed
        within one tick of the file system's clock may show when it does.
        """
        if listing is None:
            return False
        if listing.stamp == stamp and (listing.settled or not settled):
            return True
        if not _is_same(stamp, listing.stamp):
            return False
        return listing.took > SHORT and self._seconds() < listing.began + min(DUTY * listing.took, LONGEST)

    def _list(self, stamp: Hashable, settled: bool, before: _Listing | None) -> _Listing:
        began = self._seconds()
        directories = set()
        with os.scandir(self.simple) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    directories.add(entry.name)
                elif entry.is_symlink():
                    self._warnings.passed_over(
                        str(self.simple / entry.name), "symbolic links are not followed"
                    )
        if before is not None and before.directories and not directories and _is_other(stamp, before.stamp):
            # As when a disk is unmounted, and something makes the directories anew below the mount point.
            raise OSError(ESTALE, "another directory took its place, and it is empty", str(self.simple))
        if before is None:
            before = _Listing(None, settled, 0, 0, frozenset(), [], {})
        listing = evolve(_changed(before, directories), stamp=stamp, settled=settled, began=began)
        return evolve(listing, took=self._seconds() - began)


def _is_same(stamp: Hashable, other: Hashable) -> bool:
    """Return whether two stamps of ``simple/`` are of one directory."""
    return isinstance(stamp, tuple) and isinstance(other, tuple) and stamp[:2] == other[:2]


def _is_other(stamp: Hashable, other: Hashable) -> bool:
    """Return whether two stamps of ``simple/`` are certain to be of two directories."""
    return isinstance(stamp, tuple) and isinstance(other, tuple) and stamp[:2] != other[:2]


def _changed(listing: _Listing, directories: set[str]) -> _Listing:
    """Return what a listing is when there are these directories. Most were there before."""
    moved = {spelling for spelling in directories ^ listing.directories if is_name(spelling)}
    if not moved:
        return evolve(listing, directories=frozenset(directories))
    names, misspelled = set(listing.names), dict(listing.misspelled)
    by_name: dict[str, list[str]] = {}
    for spelling in moved:
        by_name.setdefault(normalize(spelling), []).append(spelling)
    for name, spellings in by_name.items():
        others = {*misspelled.pop(name, ()), *spellings}
        there = sorted(spelling for spelling in others if spelling in directories and spelling != name)
        if there:
            misspelled[name] = there
        if there or name in directories:
            names.add(name)
        else:
            names.discard(name)
    return evolve(listing, directories=frozenset(directories), names=sorted(names), misspelled=misspelled)
