"""Vacant directories in ``simple/``, which hold no file or record and so are no projects."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence

from attrs import define, field

from pypid.errors import InvalidFilename
from pypid.names import parse_filename
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.projects import Projects
from pypid.storage.records import PROJECT_RECORD, recorded_file
from pypid.storage.warn_once import WarnOnce

__all__ = ["Vacancies", "is_of_project"]

MAX_WATCHED = 64
"""The greatest number of vacant directories to watch for changes of the list of projects."""


def is_of_project(project: str, name: str) -> bool:
    """Return whether an entry of a project's directory is one of its files or records, by its name."""
    filename = recorded_file(name) or name
    if name == PROJECT_RECORD:
        return True
    try:
        parse_filename(filename, project)
    except InvalidFilename:
        return False
    return True


@define(eq=False)
class Vacancies:
    """Distinguishes vacant directories from those of projects. Any thread may call it.

    A directory that was made by hand, or in which files lie too deep, has nothing to serve. As a project
    it would only hide the upstream's project of that name.
    """

    _projects: Projects
    _detector: ChangeDetector
    _warnings: WarnOnce
    _occupied: set[str] = field(factory=set, init=False)
    """Names of projects whose directories are known to hold something."""
    _vacant: tuple[str, ...] = field(default=(), init=False)

    def without_vacant(self, names: Sequence[str]) -> Sequence[str]:
        """Return the names without those of vacant directories. Blocks, for longer if many names are new."""
        self._occupied.intersection_update(names)
        vacant = [name for name in names if name not in self._occupied and self._is_vacant(name)]
        self._vacant = tuple(vacant)
        gone = set(vacant)
        return [name for name in names if name not in gone] if gone else names

    def update(self, name: str, *, vacant: bool) -> None:
        """Note whether the directories of a project were found vacant."""
        if vacant:
            self._occupied.discard(name)

    def stamp(self) -> Hashable:
        """Return a value that differs whenever a vacant directory may have been filled."""
        simple = self._projects.simple
        return tuple(self._detector.stamp(f"{simple}/{name}") for name in self._vacant[:MAX_WATCHED])

    def _is_vacant(self, name: str) -> bool:
        """Return whether all directories of a project are vacant. An unreadable one is not."""
        try:
            for spelling in self._projects.spellings(name):
                with self._projects.opened(spelling) as directory:
                    if directory is None:
                        continue
                    with os.scandir(directory) as entries:
                        if any(is_of_project(name, entry.name) for entry in entries):
                            self._occupied.add(name)
                            return False
                    if self._detector.is_settled(os.fstat(directory)):  # else a file may be coming
                        self._warnings.passed_over(
                            str(self._projects.simple / spelling),
                            "there is no file of a project in it, so it is none, and the name is looked for"
                            f" upstream; to keep it for this index, start with `--reserve {name}`",
                        )
        except OSError:
            return False
        return True
