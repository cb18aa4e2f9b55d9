"""Files in an ordinary directory tree that Apache could serve on its own."""

from __future__ import annotations

import errno
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeVar

from attrs import define, field
from zope.interface import implementer

from pypid.errors import CannotStart, NotFound
from pypid.interfaces import IDiskSpace, ILockedProject, IOpenFile, IStaging, IStorage
from pypid.model import StoredProject
from pypid.names import Sidecar
from pypid.runtime.disk_space import DiskSpace
from pypid.runtime.layout import Layout
from pypid.storage.area import StagingArea
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.content import OpenFile
from pypid.storage.descriptors import opened
from pypid.storage.failures import translate_errors
from pypid.storage.locks import locked
from pypid.storage.misplaced import misplaced
from pypid.storage.operations import Operations
from pypid.storage.projects import Projects
from pypid.storage.publisher import Publisher
from pypid.storage.record_changes import LockedProject
from pypid.storage.staging import DirectoryStaging
from pypid.storage.tree import Tree
from pypid.storage.warn_once import WarnOnce
from pypid.storage.watches import Watches

__all__ = ["DirectoryStorage"]

T = TypeVar("T")


@implementer(IStorage, IDiskSpace)
@define(eq=False)
class DirectoryStorage:
    """Keeps files as ``<root>/simple/<project>/<file>``.

    Beside each file that was published here lie its record, ``.<file>.json``, and its
    sidecar files, such as ``<file>.metadata``. Uploads in flight are in ``<root>/.pypid/staging/``. Any
    number of processes may use one root at the same time.
    """

    root: Path
    """The root directory; made if it is missing."""
    _operations: Operations = field(factory=Operations)
    _detector: ChangeDetector = field(factory=ChangeDetector)
    _tree: Tree = field(init=False)
    _area: StagingArea = field(init=False)
    _watches: Watches = field(init=False)
    _numbers: count[int] = field(factory=count, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def __attrs_post_init__(self) -> None:
        warnings = WarnOnce()
        projects = Projects(Layout(self.root).projects, self._detector, warnings)
        self._tree = Tree(projects, self._detector, warnings)
        self._watches = Watches(projects.simple, projects.known_spellings)
        self._area = StagingArea(Layout(self.root).staging, self._tree, self._operations)

    def open(self) -> None:
        """Make the directories, and finish or undo what dead processes left half done. Blocks.

        :raises CannotStart: the root cannot be used, with the reason.
        """
        try:
            self._make_directory(Layout(self.root).projects)
            self._make_directory(Layout(self.root).staging)
            self._area.claim()
            self._area.try_link()
            self._area.sweep()
        except OSError as error:
            self._area.release()
            raise CannotStart(self._reason(error)) from error

    def close(self) -> None:
        """Give up the staging directory and the watches."""
        self._watches.close()
        self._area.release()

    def fingerprint(self, project: str | None) -> Hashable:
        """Return a value that differs whenever a project, or the list of projects, may have changed."""
        return self._tree.fingerprint(project)

    def space(self) -> tuple[int, int]:
        """Return the size of the disk and its free space, in bytes. Blocks.

        :raises StorageUnavailable: the disk does not answer.
        """
        with translate_errors("look at the disk", reads=True):
            found = DiskSpace.of(self.root)
        return found.total, found.free

    def misplaced(self) -> Sequence[str]:
        """Return a line for each place where archives are not served, with what to do about it. Blocks."""
        return misplaced(self.root)

    def moved(self, projects: Sequence[str]) -> Sequence[str]:
        """Return the projects that may have changed since the last call; all if unknown. Blocks."""
        try:
            return self._watches.moved(projects)
        except OSError:
            return projects  # reading them reports the error

    def projects(self) -> Sequence[str]:
        """Return the normalized names of all projects, sorted. Empty directories are not projects. Blocks."""
        return self._tree.names()

    def project(self, name: str) -> StoredProject | None:
        """Return the files and records of a project, or ``None`` if there is no such project. Blocks."""
        return self._tree.project(name)

    def open_file(self, project: str, filename: str) -> IOpenFile:
        """Open a distribution file for reading. Blocks.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: the file cannot be read.
        """
        with translate_errors("read a file", reads=True):
            return OpenFile(self._tree.open(project, filename))

    def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return a sidecar file, or ``None``. Blocks. :raises NotFound: the file name is invalid."""
        return self._tree.sidecar(project, filename, sidecar)

    def read(self, project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call a function with a file opened for reading and seeking, and return its result. Blocks.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: the file cannot be read.
        """
        with translate_errors("read a file", reads=True):
            return self._tree.read(project, filename, function)

    def stage(self) -> IStaging:
        """Begin to receive a file. Blocks.

        :raises OutOfSpace: the disk or the quota is full.
        :raises StorageUnavailable: the staging directory cannot be written to.
        """
        with translate_errors("take a file"):
            directory, publisher = self._claimed()
            return DirectoryStaging(str(next(self._numbers)), directory, publisher, self._operations)

    @contextmanager
    def changing(self, project: str) -> Iterator[ILockedProject]:
        """Lock a project against other changes and against publishing, in all processes. Blocks.

        :raises NotFound: there is no such project.
        :raises StorageUnavailable: the project cannot be read or locked.
        """
        with ExitStack() as stack:
            with translate_errors("change a record"):
                directory, _ = self._claimed()
                is_there = stack.enter_context(locked(self._tree.projects, project))
                stored = self._tree.project(project) if is_there else None
            if stored is None:
                raise NotFound(f"there is no project {project} here")
            name = str(next(self._numbers))
            yield LockedProject(stored, project, directory, name, self._tree, self._operations)

    def _claimed(self) -> tuple[int, Publisher]:
        """Return the staging directory, made anew if it was deleted, and its publisher."""
        with self._lock:
            if not self._area.is_there():
                self._make_directory(Layout(self.root).staging)
                self._area.claim()
            return self._area.directory, self._area.publisher

    def _make_directory(self, path: Path) -> None:
        if not path.is_dir():
            self._make_directory(path.parent)
            with opened(path.parent) as parent:
                with suppress(FileExistsError):  # another process made it, or it is a file
                    self._operations.mkdir(parent, path.name)
                self._operations.sync(parent)

    def _reason(self, error: OSError) -> str:
        """Return why the root cannot be used, and what to do about it."""
        root = self.root
        match error.errno:
            case errno.ENOTDIR:
                return f"{root} is not a directory, or something in it that should be one is not"
            case errno.EXDEV:
                return f"{root}/simple and {root}/.pypid/staging must be on one file system, and are not"
            case errno.EACCES | errno.EPERM | errno.EROFS:
                return f"cannot write to {root}: {error.strerror}; the daemon's user must be able to"
        return f"cannot use {root}: {error.strerror}"
