"""The staging area that the processes of one root share."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from attrs import define, field
from twisted.logger import Logger

from pypid.storage.descriptors import list_names, opened
from pypid.storage.operations import Operations
from pypid.storage.publisher import Publisher
from pypid.storage.tree import Tree

__all__ = ["StagingArea"]


@define(eq=False)
class StagingArea:
    """A staging directory for each process, locked while the process lives. All methods block."""

    _path: Path
    _tree: Tree
    _operations: Operations
    _log = Logger()
    name: str = field(default="", init=False)
    """The name of this process's own directory."""
    directory: int = field(default=-1, init=False)
    """The descriptor of this process's own directory."""
    publisher: Publisher = field(init=False)
    """Publishes from this process's own directory."""

    def claim(self) -> None:
        """Make a directory for this process, even if it already has one.

        An earlier directory that was deleted stays open, so that an upload in flight does not end up in
        the new one.

        :raises OSError: it cannot be made.
        """
        with opened(self._path) as staging:
            while True:
                self.name = f"{os.getpid()}-{secrets.token_hex(8)}"
                self._operations.mkdir(staging, self.name)
                with suppress(FileNotFoundError):
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                    directory = os.open(self.name, flags, dir_fd=staging)
                    flock(directory, LOCK_EX)
                    # Another process may have swept the directory away before it was locked here.
                    if os.fstat(directory).st_nlink:
                        self.directory = directory
                        break
                    os.close(directory)
            self._operations.sync(staging)
        self.publisher = Publisher(self.directory, self._tree, self._operations)

    def is_there(self) -> bool:
        """Return whether the directory of this process still exists."""
        return self.directory >= 0 and os.fstat(self.directory).st_nlink > 0

    def release(self) -> None:
        """Give up the directory of this process. If it is not empty, a later sweep clears it."""
        if self.directory < 0:
            return
        with suppress(OSError), opened(self._path) as staging:  # it may not be empty
            self._operations.rmdir(staging, self.name)
        os.close(self.directory)
        self.directory = -1

    def try_link(self) -> None:
        """Link a file into ``simple/`` and unlink it again, to check that the file system allows it.

        :raises OSError: it does not.
        """
        with opened(self._tree.projects.simple) as simple:
            os.close(self._operations.create(self.directory, "link"))
            try:
                self._operations.link(self.directory, "link", simple, f".{self.name}")
                self._operations.unlink(simple, f".{self.name}")
            finally:
                self._operations.unlink(self.directory, "link")

    def sweep(self) -> None:
        """Clear away the directories of dead processes. A failure is logged, and leaves the directory."""
        with opened(self._path) as staging:
            for name in list_names(staging):
                try:
                    self._sweep(staging, name)
                except (BlockingIOError, FileNotFoundError):
                    pass  # its process lives, or another one swept it
                except OSError as error:
                    self._log.error(
                        "Cannot clear away {path!r}: {error}", path=str(self._path / name), error=error
                    )

    def _sweep(self, staging: int, name: str) -> None:
        with opened(name, staging) as directory:
            flock(directory, LOCK_EX | LOCK_NB)
            publisher = Publisher(directory, self._tree, self._operations)
            left = list_names(directory)
            for staged in {entry.partition(".")[0] for entry in left}:
                publisher.recover(staged)
            for entry in left:
                self._operations.unlink(directory, entry)
            with opened(self._tree.projects.simple) as simple, suppress(FileNotFoundError):
                self._operations.unlink(simple, f".{name}")
            self._operations.rmdir(staging, name)
