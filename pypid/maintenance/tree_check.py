"""The check and the repair of a whole tree, beside a running daemon.

Whoever publishes a file puts its record there first, so a project that changes looks damaged for a moment.
Each project that looks damaged is checked once more while it is locked against changes, and repaired
under the same lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from attrs import define, field

from pypid.catalog.rows import Content
from pypid.formats.file_sha256 import file_sha256
from pypid.maintenance.findings import Finding, Result
from pypid.maintenance.project_check import ProjectDirectory, subject
from pypid.names import is_name, normalize
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.descriptors import list_names, open_file, opened
from pypid.storage.locks import locked
from pypid.storage.projects import Projects
from pypid.storage.records import PROJECT_RECORD
from pypid.storage.warn_once import WarnOnce

__all__ = ["TreeCheck"]


@define(eq=False)
class TreeCheck:
    """Checks the directories of projects, and repairs them if asked to. Blocks."""

    _simple: Path
    """The directory of projects."""
    _known: Callable[[str], Content | None]
    """Returns a project as the catalog has it, or ``None``."""
    _reads: Callable[[str], bool]
    """Decides whether an archive is read from end to end."""
    _repairing: bool = False
    checked: int = field(default=0, init=False)
    """The number of projects that were checked so far."""
    wrong: set[tuple[str, str]] = field(factory=set, init=False)
    """The projects and the archives about which something was found; the archive may be empty."""

    def run(self) -> Iterator[Result]:
        """Yield a result for everything that is wrong.

        :raises OSError: the directory of projects cannot be read.
        """
        for project, spellings in sorted(self._directories().items()):
            self.checked += 1
            yield from self._project(project, spellings)

    def _directories(self) -> Mapping[str, list[str]]:
        """Return the directories of each project; links and other files are none of the index's."""
        found: dict[str, list[str]] = {}
        with os.scandir(self._simple) as entries:
            for entry in entries:
                if is_name(entry.name) and entry.is_dir(follow_symlinks=False):
                    found.setdefault(normalize(entry.name), []).append(entry.name)
        return found

    def _project(self, project: str, spellings: Collection[str]) -> Iterator[Result]:
        try:
            suspects = {
                self._suspect(project, finding) for finding in self._findings(project, spellings, None)
            }
            if not suspects:
                return
            projects = Projects(self._simple, ChangeDetector(), WarnOnce())
            with locked(projects, project):
                for finding in self._findings(project, spellings, suspects):
                    self.wrong |= {(project, ""), (project, self._suspect(project, finding))}
                    yield Result.of(finding, repairing=self._repairing)
        except FileNotFoundError:
            return  # the project was removed just now
        except OSError as error:
            self.wrong.add((project, ""))
            yield Result(f"simple/{project}: it cannot be read: {error.strerror}", is_wrong=True)

    @staticmethod
    def _suspect(project: str, finding: Finding) -> str:
        """Return the archive that a finding is about, or the name of the project's record."""
        return subject(project, finding.place.rpartition("/")[2]) or PROJECT_RECORD

    def _findings(
        self, project: str, spellings: Collection[str], only: Collection[str] | None
    ) -> Iterator[Finding]:
        known = self._known(project)
        with ExitStack() as stack:
            simple = stack.enter_context(opened(self._simple))
            directories = {
                spelling: stack.enter_context(opened(spelling, simple)) for spelling in sorted(spellings)
            }
            for spelling, directory in directories.items():
                place = f"simple/{spelling}"
                checked = ProjectDirectory(project, place, directory, known, self._reads)
                yield from checked.findings(list_names(directory), only)
            if len(directories) > 1:
                yield from _twice(project, directories, only)


def _twice(project: str, directories: Mapping[str, int], only: Collection[str] | None) -> Iterator[Finding]:
    """Yield the archives that lie in several directories of a project with different bytes."""
    places: dict[str, list[str]] = {}
    for spelling, directory in directories.items():
        for name in list_names(directory):
            if subject(project, name) == name and (only is None or name in only):
                places.setdefault(name, []).append(spelling)
    for name, spellings in sorted(places.items()):
        if len({_digest(directories[spelling], name) for spelling in spellings} - {None}) > 1:
            others = " and ".join(f"simple/{spelling}/" for spelling in spellings[1:])
            problem = f"it lies in {others}, too, with other bytes, and one of them is never offered"
            yield Finding(f"simple/{spellings[0]}/{name}", problem, "remove the wrong one")


def _digest(directory: int, name: str) -> str | None:
    try:
        with open_file(directory, name) as file:
            return file_sha256(file)
    except FileNotFoundError:
        return None
