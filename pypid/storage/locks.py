"""The lock of a project, which all processes of one root respect.

It is a ``flock`` on the project's directories themselves. Each open descriptor has its own lock, so it
also excludes the threads of one process from each other, and it ends with the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, flock
from stat import S_ISDIR

from pypid.storage.descriptors import is_same, opened, status
from pypid.storage.operations import Operations
from pypid.storage.projects import Projects

__all__ = ["locked", "locked_to_publish"]


@contextmanager
def locked(projects: Projects, project: str) -> Iterator[bool]:
    """Lock a project against changes and publishing by others during the block. Blocks until they finish.

    A project that was made by hand may have several directories. All of them are locked, always in the
    same order, so two holders always compete for at least one.

    :returns: whether the project has a directory; if it has none, nothing is locked.
    """
    while True:
        with ExitStack() as stack:
            held = _lock_all(projects, project, stack)
            if held is not None:
                yield bool(held)
                return


@contextmanager
def locked_to_publish(projects: Projects, project: str, operations: Operations) -> Iterator[int]:
    """Lock a project as :func:`locked` does, and yield its directory, made if the project is new."""
    with opened(projects.simple) as simple:
        while True:
            with suppress(FileExistsError):
                operations.mkdir(simple, project)
            with ExitStack() as stack:
                held = _lock_all(projects, project, stack)
                if held is None:
                    continue
                if project not in held:
                    with suppress(FileNotFoundError), opened(project, simple):
                        pass  # a failed publisher removed it again; other errors are raised
                    continue
                # Needed for an existing one too: its maker may not have synced it yet.
                operations.sync(simple)
                yield held[project]
                return


def _lock_all(projects: Projects, project: str, stack: ExitStack) -> Mapping[str, int] | None:
    """Lock the directories of a project and return them, or ``None`` if they changed meanwhile."""
    held = {}
    for spelling in projects.spellings(project):
        directory = stack.enter_context(projects.opened(spelling))
        if directory is not None:
            flock(directory, LOCK_EX)
            held[spelling] = directory
    with opened(projects.simple) as simple:
        found = {spelling: status(simple, spelling) for spelling in projects.spellings(project)}
    there = {spelling: one for spelling, one in found.items() if one is not None and S_ISDIR(one.st_mode)}
    if held.keys() == there.keys() and all(is_same(os.fstat(held[one]), there[one]) for one in held):
        return held
    return None
