"""The role of the storage: it keeps files, and a small record beside each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, TypeVar

from zope.interface import Attribute, Interface

from pypid.interfaces.content import IOpenFile
from pypid.model import FileRecord, ProjectRecord, Publication, StoredProject
from pypid.names import Sidecar

__all__ = ["Admit", "ILockedProject", "IStaging", "IStorage"]

T = TypeVar("T")

Admit = Callable[[StoredProject | None], None]
"""Checks a project right before a file is published in it, and raises an error to refuse that.

It is called in a worker's thread and is a pure function: it returns at once and does no I/O.
"""


class IStaging(Interface):
    """A file that is being received; it is not visible before it is published.

    All methods are called in workers' threads and may block. Only one method of a staging runs at a time,
    except :meth:`discard`: the client may disconnect while a worker still writes. A staging
    ends with :meth:`publish` or :meth:`discard`. If the process dies before that, the storage removes
    the staging when it is next opened.
    """

    def write(data: bytes) -> None:
        """Append some bytes. Called in a worker's thread; it may block.

        :raises OutOfSpace: there is no room for them.
        :raises StorageUnavailable: they could not be written, or the staging has ended.
        """

    def reader() -> BinaryIO:
        """Return the bytes written so far as an open file for reading and seeking; the caller closes it.

        Called in a worker's thread; it may block.

        :raises StorageUnavailable: the bytes cannot be read, or the staging has ended.
        """

    def publish(publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name, atomically and durably, and return its record.

        When this returns, the bytes, the sidecar files and the record survive the death of the process
        and a power cut, and :meth:`IStorage.project` lists the file. If several stagings race for one
        name, in this process or another, one is published and the others get :exc:`FileExists`.

        A publication that ``replaces`` a file replaces exactly that file, atomically: if the process dies
        half-way, there is either the old or the new file, whole, with its own record and sidecar files, and
        none of the other's. The content of the old file, if it is open, can be read to the end.

        The founder in the record is that of :meth:`pypid.model.StoredProject.founder_with`.

        Called in a worker's thread; it may block.

        :param admit: is called once, with the current project. From then until this returns, nobody else in
            any process can publish in the project or change it (:meth:`IStorage.changing`). It gets
            ``None``, or a project that is not founded, if there is nothing yet. An exception that it
            raises is raised here, and nothing has changed.
        :raises FileExists: the name is taken, in any mixture of upper and lower case, or its file is not
            the one to be replaced; nothing has changed.
        :raises OutOfSpace: there is no room; nothing has changed.
        :raises StorageUnavailable: the file could not be made durable; nothing is visible.
        """

    def discard() -> None:
        """Remove the staged file. After :meth:`publish`, and when called again, this does nothing.

        Called in a worker's thread, also while another method runs in another one; it may block.
        """


class ILockedProject(Interface):
    """A project that is locked against changes by others, in any process; see :meth:`IStorage.changing`.

    All methods are called in the worker's thread that locked the project, and may block.
    """

    project: StoredProject = Attribute("The project as it was when it was locked.")

    def amend(filename: str, record: FileRecord) -> None:
        """Replace the record of a file, atomically and durably, also if the file was not published here.

        :raises NotFound: there is no file of that name.
        :raises OutOfSpace: there is no room; the old record stays.
        :raises StorageUnavailable: it cannot be written; the old record stays.
        """

    def amend_project(record: ProjectRecord) -> None:
        """Replace the record of the project, atomically and durably.

        :raises OutOfSpace: there is no room; the old record stays.
        :raises StorageUnavailable: it cannot be written; the old record stays.
        """

    def strip(filename: str) -> None:
        """Remove the sidecar files of a file, durably, but not its record.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: they cannot be removed.
        """

    def remove(filename: str, tombstone: FileRecord) -> None:
        """Remove a file with its sidecar files, durably, and put ``tombstone`` in place of its record.

        When this returns, new readers do not find the file; its content, if it is open, can be read to the
        end. If the process dies half-way, there is either the file with its old record, or the
        tombstone. A later :meth:`IStaging.publish` under the name removes the tombstone.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: it cannot be removed.
        """


class IStorage(Interface):
    """Keeps the distribution files of projects, and a small record beside each.

    The files are the truth: a provider lists also files that it did not publish.
    Project names are always normalized; file names have no directory part. Several processes may
    share a storage.

    A provider is plain Python that blocks; an adapter of pypid calls it in threads. All methods except
    :meth:`open`, :meth:`close` and :meth:`fingerprint` are called in workers' threads, by several at a time.
    If the client leaves while a worker opens a file or begins a staging, the adapter closes or
    discards it.
    """

    def open() -> None:
        """Get ready, and remove the unfinished work of earlier processes.

        Called once in the reactor's thread, after privileges were dropped and before the first request
        is served; it may block.

        :raises CannotStart: the storage cannot work; the message says why.
        """

    def close() -> None:
        """Release all resources. Called in the reactor's thread. No other call follows."""

    def fingerprint(project: str | None) -> Hashable:
        """Return a value that differs whenever a project, or the list of projects, may have changed.

        With ``None`` it is about the list.

        Called in the reactor's thread on each page request, so it may cost a ``stat`` and no more; and in a
        worker's thread for the projects that :meth:`moved` returns. If a change could be missed, as within
        one tick of a file system's clock, the value is one that was never returned before. Changes of other
        projects do not change it. With thousands of projects, a change in a directory whose name is not
        the normalized one may show two seconds late.
        """

    def moved(projects: Sequence[str]) -> Sequence[str]:
        """Return those of ``projects`` that may have changed since the last call; all, if that is unknown.

        The caller then takes the fingerprints of these. Called every second, in one worker's thread at
        a time; it may block.
        """

    def misplaced() -> Sequence[str]:
        """Return a line for each file or directory that lies where it is not served, with advice on it.

        Called in a worker's thread; it may block, but for a few seconds at most, however many there are.
        """

    def projects() -> Sequence[str]:
        """Return the normalized names of all projects, sorted. Called in a worker's thread; it may block."""

    def project(name: str) -> StoredProject | None:
        """Return a project's files and records, or ``None`` if there is no such project.

        Only files whose names :func:`pypid.names.parse_filename` accepts for this project are
        listed: no records, no sidecar files, no stray files, no links that lead out of the storage.
        A project whose files were all removed still exists; a project with neither a file nor a
        record does not. Called in a worker's thread; it may block.

        :raises StorageUnavailable: a part of the project cannot be read, or is damaged; it is never left out.
        """

    def read(project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call ``function`` with a file opened for reading and seeking, and return its result.

        Called in a worker's thread; it may block.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: there is one, but it cannot be read.
        """

    def open_file(project: str, filename: str) -> IOpenFile:
        """Open a distribution file for sending. Called in a worker's thread; it may block.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: there is one, but it cannot be read.
        """

    def sidecar(project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return the bytes of a sidecar file, such as a file's core metadata, or ``None`` if there is none.

        If the file was replaced by hand, its sidecar files may belong to its former bytes.
        Called in a worker's thread; it may block.

        :raises NotFound: no file can have such a name.
        :raises StorageUnavailable: there is one, but it cannot be read.
        """

    def stage() -> IStaging:
        """Begin to receive a file, and return its staging. Called in a worker's thread; it may block.

        :raises OutOfSpace: there is no room.
        :raises StorageUnavailable: the storage cannot be written to.
        """

    def changing(project: str) -> AbstractContextManager[ILockedProject]:
        """Return a context manager that locks a project: nobody else, in any process, changes it meanwhile.

        Entering blocks while others hold the lock or publish in the project. The context is entered and
        left in one call in a worker's thread. Inside, the caller waits for nothing but the storage, since
        all other workers may be waiting to enter. Readers are never locked out.

        :raises NotFound: there is no such project.
        :raises StorageUnavailable: the storage cannot be written to.
        """
