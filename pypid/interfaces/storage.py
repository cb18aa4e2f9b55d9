"""Where files are kept, and a small record beside each."""

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
"""Looks at a project as it is right before a file is published in it, and raises what refuses that."""


class IStaging(Interface):
    """A file that is being received: whole or not, nobody sees it before it is published.

    All methods are called in workers' threads and may block. Of one staging one is called at a time,
    but for :meth:`discard`: whoever receives the file may have gone while a worker still writes. A staging
    ends with :meth:`publish` or :meth:`discard`. If the process dies first, the storage clears
    it away when it is next opened.
    """

    def write(data: bytes) -> None:
        """Append some bytes.

        :raises OutOfSpace: there is no room for them.
        :raises StorageUnavailable: they could not be written, or the staging has ended.
        """

    def reader() -> BinaryIO:
        """Open what was written so far for reading and seeking; the caller closes it.

        :raises StorageUnavailable: it cannot be read, or the staging has ended.
        """

    def publish(publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name: all of it, durably, or not at all.

        When this returns, the bytes, what is kept beside them and the record survive the death
        of the process and a power cut, and :meth:`IStorage.project` lists them. Of several stagings
        that race for one name, in this process or another, one wins and the others get
        :exc:`FileExists`.

        A publication that ``replaces`` a file takes the place of that very file, at one blow:
        dying half-way leaves either of them, whole, with its own record and sidecar files, and
        none of the other's. Whoever has the content of the old one open can read it to the end.

        The founder in the record is that of :meth:`pypid.model.StoredProject.founder_with`.

        :param admit: is called once, with the project as it is, and nobody else in any process can publish in
            it or change it (:meth:`IStorage.changing`) from then until this returns. ``None``, or a
            project that is not founded, says that there is nothing yet. What it raises is raised
            here; nothing changed. It is a pure function: it takes no time, and asks nobody.
        :raises FileExists: the name is taken, in whatever mixture of cases, or it is not taken by
            the file that is to be replaced; nothing changed.
        :raises OutOfSpace: there is no room; nothing changed.
        :raises StorageUnavailable: it could not be made durable; nothing is visible.
        """

    def discard() -> None:
        """Forget the file. After :meth:`publish`, and when called again, this does nothing."""


class ILockedProject(Interface):
    """A project that nobody else changes, in any process; see :meth:`IStorage.changing`.

    All methods are called in the thread that asked for it, and may block.
    """

    project: StoredProject = Attribute("The project as it was when it was locked.")

    def amend(filename: str, record: FileRecord) -> None:
        """Replace the record of a file, also of one that was not published here; durable, all or nothing.

        :raises NotFound: there is no file of that name.
        :raises OutOfSpace: there is no room; the old record stays.
        :raises StorageUnavailable: it cannot be written; the old record stays.
        """

    def amend_project(record: ProjectRecord) -> None:
        """Replace the record of the project; durable, all or nothing. Errors are those of :meth:`amend`."""

    def strip(filename: str) -> None:
        """Remove what is kept beside a file, but not its record; durable.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: it cannot be removed.
        """

    def remove(filename: str, tombstone: FileRecord) -> None:
        """Remove a file with what is kept beside it, and leave ``tombstone`` in place of its record.

        It is durable, and the file is gone for new readers when this returns; whoever has its
        content open can read it to the end. Dying half-way leaves either the file with its old
        record, or the tombstone. A later :meth:`IStaging.publish` of the name takes the
        tombstone away.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: it cannot be removed.
        """


class IStorage(Interface):
    """Keeps the distribution files of projects, and a small record beside each.

    The files are the truth: a provider need not have published a file itself to list it.
    Project names are always normalized ones; file names are bare names. Providers may be
    shared by several processes.

    A provider is plain Python that blocks: :class:`pypid.runtime.threaded_storage.ThreadedStorage` gives it
    threads. All methods but :meth:`open`, :meth:`close` and :meth:`fingerprint` are called in workers'
    threads, by several at a time. What a worker opened and nobody waits for any more is closed, or
    discarded, by who called.
    """

    def open() -> None:
        """Get ready, and clear away what earlier processes left half done.

        Called once in the reactor's thread, after privileges were dropped and before the reactor
        serves; it may block.

        :raises CannotStart: it will not work here, with the reason.
        """

    def close() -> None:
        """Let go of everything. Called in the reactor's thread; no other call follows."""

    def fingerprint(project: str | None) -> Hashable:
        """Return a value that differs whenever what is kept of ``project`` may have changed.

        With ``None`` the same for the list of projects. Called in the reactor's thread on each page
        request, so it may cost a ``stat`` and no more; and in a worker's for what :meth:`moved` returns.
        When a change could go unseen, as within one tick of a file system's clock, it gives a value that
        was never given before. What becomes of other projects leaves it alone. Of thousands of projects
        one may be moved two seconds late by a directory in another spelling than the normalized one.
        """

    def moved(projects: Sequence[str]) -> Sequence[str]:
        """Return which of some projects may have changed since this was asked, or all if it cannot tell.

        Of these a fingerprint is taken. Called every second, in one worker's thread at a time.
        """

    def misplaced() -> Sequence[str]:
        """Return what somebody put where it is not served, a line each, with what to do about it.

        Called in a worker's thread; it may block, but takes seconds at most, however much there is.
        """

    def projects() -> Sequence[str]:
        """List the normalized names of all projects, sorted. Called in a worker's thread; it may block."""

    def project(name: str) -> StoredProject | None:
        """List what is kept of a project, or return ``None`` if there is no such project.

        What cannot be read, or is damaged, is not passed over: then nothing is known of the project.
        Only files whose names :func:`pypid.names.parse_filename` finds to be this project's are
        listed: no records, no sidecar files, no stray files, nothing that leads out of the storage.
        A project whose files were all removed is still there, but where there is neither a file nor a
        record of one, there is no project. Called in a worker's thread; it may block.
        """

    def read(project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call ``function`` with a file opened for reading and seeking, and return what it returns.

        Called in a worker's thread; it may block.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """

    def open_file(project: str, filename: str) -> IOpenFile:
        """Open a distribution file for sending. Called in a worker's thread; it may block.

        :raises NotFound: there is none of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """

    def sidecar(project: str, filename: str, sidecar: Sidecar) -> bytes | None:
        """Return what is kept beside a file, such as its core metadata, or ``None`` if that is not there.

        Where the file was replaced by hand, it may be that of the bytes that were there before.
        Called in a worker's thread; it may block.

        :raises NotFound: nothing can have such a name.
        :raises StorageUnavailable: it is there, and cannot be read.
        """

    def stage() -> IStaging:
        """Begin to receive a file. Called in a worker's thread; it may block.

        :raises OutOfSpace: there is no room.
        :raises StorageUnavailable: it cannot be written to.
        """

    def changing(project: str) -> AbstractContextManager[ILockedProject]:
        """Return a context in which a project is read and changed by nobody else, in any process.

        To enter it may take as long as others are in it, or publish in the project. It is entered and
        left in one call in a worker's thread, without waiting for anything but the storage:
        all workers may be waiting to enter it. Reading goes on everywhere meanwhile.

        :raises NotFound: there is no such project.
        :raises StorageUnavailable: it cannot be written to.
        """
