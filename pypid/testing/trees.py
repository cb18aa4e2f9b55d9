"""Steps for tests with directory trees made by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pypid.interfaces import IStorage
from pypid.storage.change_detector import SETTLED_NS, ChangeDetector
from pypid.storage.directory import DirectoryStorage
from pypid.testing.steps import StorageSteps, scratch

__all__ = ["TreeSteps", "as_nobody"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Act as an unprivileged user if this is root, whom file modes do not restrict."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TreeSteps(StorageSteps):
    """A test case with a storage in a directory, whose files are put there by hand."""

    def make_storage(self) -> IStorage:
        """Return the storage, with a clock that a test can set."""
        self.root = scratch(self)
        self.simple = self.root / "simple"
        self.now: Callable[[], int] = time.time_ns
        return DirectoryStorage(self.root, detector=ChangeDetector(lambda: self.now()))

    def put(self, path: str, data: bytes = b"bytes") -> Path:
        """Write a file into the tree, as ``cp`` does, and return its path."""
        target = self.simple / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        return target

    def projects(self) -> Sequence[str]:
        """Return the names of the projects."""
        names: Sequence[str] = self.result(self.storage.projects())
        return names

    def settle(self) -> None:
        """Advance the clock, so that no earlier change counts as recent."""
        self.now = lambda: time.time_ns() + 5 * SETTLED_NS

    def assert_moved(self, project: str | None, change: Callable[[], object]) -> None:
        """Check that a change changes a fingerprint that was stable before."""
        self.settle()
        self.result(self.storage.project("foo"))
        before = self.storage.fingerprint(project)
        assert self.storage.fingerprint(project) == before
        change()
        assert self.storage.fingerprint(project) != before
