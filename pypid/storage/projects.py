"""The directories of the projects."""

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
"""A listing is used for this many times as long as it took, which bounds the share of a processor."""
LONGEST = 1.0
"""The longest use of a listing, in seconds, while directories come and go."""
SHORT = 0.002
"""A listing that takes no longer than this, in seconds, may be made in the reactor's thread."""


@frozen
class _Listing:
    """A listing of ``simple/``, made when it had a certain stamp."""

    stamp: Hashable
    settled: bool
    began: float
    """When it was made, in seconds of a monotonic clock."""
    took: float
    """How long that took, in seconds."""
    directories: frozenset[str]
    """All directories, as they are spelled."""
    names: Sequence[str]
    misspelled: Mapping[str, Sequence[str]]


@define(eq=False)
class Projects:
    """The directories in ``simple/``.

    A directory made by pypid has the project's normalized name. A tree that was made by hand may use
    other spellings, such as ``simple/PyYAML/``, and even several for one project.

    The other spellings are known from a listing of ``simple/``. While directories come and go, the
    listing is renewed at a bounded rate. If it takes long, the last listing serves for projects that are
    already here until there is a newer one. Any thread may call all methods.
    """

    simple: Path
    """The directory of projects."""
    _detector: ChangeDetector
    _warnings: WarnOnce
    _seconds: Callable[[], float] = time.monotonic
    """Returns the time in seconds, of a monotonic clock."""
    _listing: _Listing | None = field(default=None, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def names(self) -> Sequence[str]:
        """Return the normalized names of all projects, sorted. Their directories may be empty. Blocks."""
        return self._refreshed().names

    def spellings(self, project: str) -> Iterator[str]:
        """Yield the names of a project's possible directories, the normalized name first.

        A caller that stops at the first one saves the listing of ``simple/``. Blocks.
        """
        if is_name(project):
            yield project
            yield from self._refreshed().misspelled.get(project, ())

    def known_spellings(self, project: str) -> Sequence[str]:
        """Return the names of a project's directories by the last listing, without access to the disk."""
        listing = self._listing
        others = listing.misspelled.get(project, ()) if listing is not None else ()
        return (project, *others) if is_name(project) else ()

    def stamp(self, project: str | None) -> Hashable:
        """Return a value that differs whenever the names in a project's directories may have changed.

        With ``None``, the same for ``simple/``. It costs a ``stat`` of ``simple/`` and one of each of the
        project's directories. Changes to ``simple/`` by other projects do not change the stamp of a
        project that has a directory.
        """
        if project is None or not is_name(project):
            return self._detector.stamp(str(self.simple))
        listing, is_current = self._known()
        spellings = (project, *listing.misspelled.get(project, ())) if listing is not None else ()
        stamps = tuple(self._detector.stamp(f"{self.simple}/{spelling}") for spelling in spellings)
        # A project may have appeared in another spelling, so its absence is not certain.
        return stamps if is_current or any(stamps) else never_equal()

    @contextmanager
    def opened(self, spelling: str) -> Iterator[int | None]:
        """Open a project's directory for the block; ``None`` if there is no such directory.

        :raises OSError: it cannot be opened.
        """
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
        """Check that a project is absent because its directory is, and not because ``simple/`` is gone.

        All directories vanish together when their disk is unmounted.

        :raises OSError: ``simple/`` is gone, or another directory has taken its place.
        """
        stamp, _ = self._detector.likely_stamp(str(self.simple))
        listing = self._listing
        if not isinstance(stamp, tuple) or (listing is not None and not _is_same(stamp, listing.stamp)):
            os.stat(self.simple)  # noqa: PTH116 - it raises the reason
            raise OSError(ESTALE, "it was replaced just now", str(self.simple))

    def _known(self) -> tuple[_Listing | None, bool]:
        """Return the newest listing that is available without waiting, and whether it is current."""
        listing = self._listing
        if self._is_current(listing, *self._detector.likely_stamp(str(self.simple))):
            return listing, True
        # A short listing is made here, unless another thread is already making one.
        if listing is None or listing.took > SHORT or not self._lock.acquire(blocking=False):
            return listing, False
        try:
            return self._renewed(), True
        except OSError:
            return listing, False  # the next full listing reports the error
        finally:
            self._lock.release()

    def _refreshed(self) -> _Listing:
        """Return a current listing. Blocks; with thousands of projects it takes long."""
        with self._lock:
            return self._renewed()

    def _renewed(self) -> _Listing:
        """Return a current listing. The caller holds the lock."""
        stamp, settled = self._detector.likely_stamp(str(self.simple))
        listing = self._listing
        if listing is None or not self._is_current(listing, stamp, settled):
            listing = self._listing = self._list(stamp, settled, listing)
        return listing

    def _is_current(self, listing: _Listing | None, stamp: Hashable, settled: bool) -> bool:
        """Return whether a listing may stand for one made now.

        While projects are made in quick succession, the stamp never settles. So a directory that is renamed
        within one tick of the file system's clock may be noticed only when the stamp settles.
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
            # A disk was unmounted, and a program made the directories anew below the mount point.
            raise OSError(ESTALE, "another directory took its place, and it is empty", str(self.simple))
        if before is None:
            before = _Listing(None, settled, 0, 0, frozenset(), [], {})
        listing = evolve(_changed(before, directories), stamp=stamp, settled=settled, began=began)
        return evolve(listing, took=self._seconds() - began)


def _is_same(stamp: Hashable, other: Hashable) -> bool:
    """Return whether two stamps of ``simple/`` certainly belong to one directory."""
    return isinstance(stamp, tuple) and isinstance(other, tuple) and stamp[:2] == other[:2]


def _is_other(stamp: Hashable, other: Hashable) -> bool:
    """Return whether two stamps of ``simple/`` certainly belong to two directories."""
    return isinstance(stamp, tuple) and isinstance(other, tuple) and stamp[:2] != other[:2]


def _changed(listing: _Listing, directories: set[str]) -> _Listing:
    """Return a listing updated to these directories. It is fast if most of them are unchanged."""
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
