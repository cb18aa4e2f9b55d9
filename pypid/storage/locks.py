"""The lock of a project, which all processes of one root respect.

It is on the project's directories themselves: each descriptor of one that is opened has its own
lock, so that it holds among the threads of one process too, and goes with whoever dies.
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
    """Wait until nobody else changes a project or publishes in it; blocks.

    A project that was made by hand may have several directories. They are locked in one order, and
    two who lock all that there are share one at least.

    :returns: whether there is a directory at all; if there is none, nothing is locked.
    """
    while True:
        with ExitStack() as stack:
            held = _lock_all(projects, project, stack)
            if held is not None:
                yield bool(held)
                return


@contextmanager
def locked_to_publish(projects: Projects, project: str, operations: Operations) -> Iterator[int]:
    """Do the same, and give the directory for files of the project, made if it is new."""
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
                        pass  # a publisher that failed has withdrawn it; other errors are raised
                    continue
                # Also if it was there: its maker may not have come to this yet.
                operations.sync(simple)
                yield held[project]
                return


def _lock_all(projects: Projects, project: str, stack: ExitStack) -> Mapping[str, int] | None:
    """Lock the directories of a project; ``None`` if by then there are others."""
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
