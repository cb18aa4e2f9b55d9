"""Files in an ordinary directory tree that Apache could serve on its own."""

from __future__ import annotations

import errno
from collections.abc import Callable, Coroutine, Hashable, Sequence
from contextlib import suppress
from copy import copy
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError
from zope.interface import implementer

from pypid.errors import CannotStart
from pypid.interfaces import IContent, IStaging, IStorage, IWorkers
from pypid.model import ProjectRecord, Record, StoredProject
from pypid.names import Companion
from pypid.storage.amending import Amender
from pypid.storage.area import StagingArea
from pypid.storage.clock import Clock
from pypid.storage.content import FileContent
from pypid.storage.descriptors import opened
from pypid.storage.failures import translated
from pypid.storage.notices import Notices
from pypid.storage.operations import Operations
from pypid.storage.projects import Projects
from pypid.storage.staging import DirectoryStaging
from pypid.storage.tree import Tree
from pypid.storage.visits import AtOnce, outcome_of

__all__ = ["DirectoryStorage"]

T = TypeVar("T")


@implementer(IStorage)
@define(eq=False)
class DirectoryStorage:
    """Keeps files as ``<root>/simple/<project>/<file>``.

    Beside each file that was published here lie its record, ``.<file>.json``, and its
    companions, such as ``<file>.metadata``. Uploads in flight are in ``<root>/.pypid/staging/``. Any
    number of processes may use one root at the same time.
    """

    root: Path
    """The directory of it all; made if it is missing."""
    _workers: IWorkers
    _operations: Operations = field(factory=Operations)
    _clock: Clock = field(factory=Clock)
    _visits: IWorkers | None = None
    """Workers for visits, if there are others: these compute rather than wait, and are best few."""
    _tree: Tree = field(init=False)
    _area: StagingArea = field(init=False)
    _numbers: count[int] = field(factory=count, init=False)

    def __attrs_post_init__(self) -> None:
        notices = Notices()
        projects = Projects(self.root / "simple", self._clock, notices)
        self._tree = Tree(projects, self._clock, notices)
        self._area = StagingArea(self.root / ".pypid" / "staging", projects, self._operations)

    def open(self) -> None:
        """Get ready, and clear away what processes that died left half done.

        :raises CannotStart: it will not work here, with the reason.
        """
        try:
            self._make_directory(self.root / "simple")
            self._make_directory(self.root / ".pypid" / "staging")
            self._area.claim()
            self._area.try_link()
            self._area.sweep()
        except OSError as error:
            self._area.release()
            raise CannotStart(self._reason(error)) from error

    def close(self) -> None:
        """Let go of everything."""
        self._area.release()

    def fingerprint(self, project: str | None) -> Hashable:
        """Give a value that differs whenever a project, or the list of projects, may have changed."""
        return self._tree.fingerprint(project)

    async def projects(self) -> Sequence[str]:
        """List the normalized names of all projects, sorted; each directory is one."""
        return await self._reading(self._tree.names)

    async def project(self, name: str) -> StoredProject | None:
        """List what is kept of a project, or give ``None`` if there is no such project."""
        return await self._reading(self._tree.project, name)

    async def content(self, project: str, filename: str) -> IContent:
        """Open a distribution file for sending.

        :raises NotFound: there is none of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """
        # If the waiting is cancelled, the file is closed as the answer is thrown away.
        return await self._reading(lambda: FileContent(self._tree.open(project, filename), self._workers))

    async def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call ``function`` in a worker's thread with a file opened for reading and seeking.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """
        return await self._reading(self._tree.read, project, filename, function)

    async def companion(self, project: str, filename: str, companion: Companion) -> bytes | None:
        """Give what lies beside a file.

        :raises NotFound: nothing can have such a name.
        """
        return await self._reading(self._tree.companion, project, filename, companion)

    async def visit(self, function: Callable[[IStorage], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in one worker's thread; it sees the directories that there are as it begins."""

        def visit() -> T:
            visited = copy(self)
            visited._workers = AtOnce()
            visited._tree = self._tree.still()
            return outcome_of(function(visited))

        return await (self._visits or self._workers).run(visit)

    async def stage(self) -> IStaging:
        """Begin to receive a file.

        :raises OutOfSpace: there is no room.
        :raises StorageUnavailable: it cannot be written to.
        """
        await self._claim_again()
        area = self._area
        name = str(next(self._numbers))
        staging = DirectoryStaging(name, area.directory, area.publisher, self._workers, self._operations)
        try:
            await self._workers.run(staging.create)
        except CancelledError:
            await staging.discard()
            raise
        return staging

    async def amend(self, project: str, filename: str, record: Record) -> None:
        """Replace the record of a file. :raises NotFound: there is none of that name."""
        await self._changing(self._amender().amend, project, filename, record)

    async def amend_project(self, project: str, record: ProjectRecord) -> None:
        """Replace the record of a project. :raises NotFound: there is none of that name."""
        await self._changing(self._amender().amend_project, project, record)

    async def remove(self, project: str, filename: str, tombstone: Record) -> None:
        """Remove a file, and leave a tombstone. :raises NotFound: there is none of that name."""
        await self._changing(self._amender().remove, project, filename, tombstone)

    def _amender(self) -> Amender:
        return Amender(self._area.directory, self._tree, self._operations)

    async def _changing(self, function: Callable[..., None], *args: Any) -> None:
        def change() -> None:
            with translated("change a record"):
                function(name, *args)

        await self._claim_again()
        name = str(next(self._numbers))
        await self._workers.run(change)

    async def _claim_again(self) -> None:
        """Make the staging area anew if somebody deleted it."""
        if not self._area.is_there():
            await self._workers.run(self._claim)

    def _claim(self) -> None:
        with translated("take a file"):
            self._make_directory(self.root / ".pypid" / "staging")
            self._area.claim()

    async def _reading(self, function: Callable[..., T], *args: Any) -> T:
        def read() -> T:
            with translated("read a file", reads=True):
                return function(*args)

        return await self._workers.run(read)

    def _make_directory(self, path: Path) -> None:
        if not path.is_dir():
            self._make_directory(path.parent)
            with opened(path.parent) as parent:
                with suppress(FileExistsError):  # another process came first, or it is a file
                    self._operations.mkdir(parent, path.name)
                self._operations.sync(parent)

    def _reason(self, error: OSError) -> str:
        """Say why the root cannot be used, and what to do about it."""
        root = self.root
        match error.errno:
            case errno.ENOTDIR:
                return f"{root} is not a directory, or something in it that should be one is not"
            case errno.EXDEV:
                return f"{root}/simple and {root}/.pypid/staging must be on one file system, and are not"
            case errno.EACCES | errno.EPERM | errno.EROFS:
                return f"cannot write to {root}: {error.strerror}; the daemon's user must be able to"
        return f"cannot use {root}: {error.strerror}"
