"""The role of the catalog: everything that pages show of the local projects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from zope.interface import Interface

from pypid.model import Change, Project

__all__ = ["ICatalog"]


class ICatalog(Interface):
    """The contents of the pages, and a journal of changes; both are derived from a storage.

    A catalog may be deleted and is then rebuilt; only its journal begins anew, with the files that
    are there, in the order of their publication. Several processes may share a catalog.

    All methods are called in the reactor's thread.
    """

    def open() -> None:
        """Get ready. Called once, after :meth:`IStorage.open`; it may block.

        :raises CannotStart: the catalog cannot work; the message says why.
        """

    def close() -> None:
        """Release all resources. No other call follows."""

    async def projects() -> Mapping[str, int]:
        """Return the serial of the last change of each project, by normalized name, sorted by name.

        While nothing has changed this returns the very same object. It shows at once the changes that another
        process wrote to the journal, and projects that were added or removed. Other changes on disk that
        no process announced show after a second or two; :meth:`project` shows them at once.
        """

    async def project(name: str) -> Project | None:
        """Return a project by normalized name, or ``None`` if there is none.

        While nothing has changed this returns the very same object without waiting, at the cost of one
        :meth:`IStorage.fingerprint`. Otherwise the changes are in the journal when this returns.
        """

    def validator(name: str, project: Project | None = None) -> Hashable | None:
        """Return a value that differs whenever :meth:`project` may return another project, or ``None``.

        Called in the reactor's thread; it must not block, and costs one :meth:`IStorage.fingerprint`. The
        value is known also for projects that are no longer in memory, so a page can be valid although
        its project was dropped. ``None`` means that only :meth:`project` can answer, as for a project
        that does not exist.

        :param project: the project that :meth:`project` has just returned, if it is at hand. The value is
            then the one for this project, and costs nothing.
        """

    def forget(name: str) -> None:
        """Read a project again at the next :meth:`project`: one of its files was not as described.

        Called in the reactor's thread; it must not block.
        """

    async def last_serial() -> int:
        """Return the serial of the last change, by whatever process; 0 if there was none yet."""

    async def changes(since: int, limit: int) -> Sequence[Change]:
        """Return the journal's rows with serials above ``since``, oldest first, at most ``limit``.

        :raises StorageUnavailable: the journal cannot be read now; this does not mean that it is empty.
        """

    async def latest(limit: int, *, first_only: bool) -> Sequence[Change]:
        """Return the newest rows about new releases, newest first, at most ``limit``.

        :param first_only: return only the first release of each project.
        :raises StorageUnavailable: the journal cannot be read now.
        """

    async def count() -> tuple[int, int]:
        """Return the number of projects and the number of files, once all projects were read.

        :raises PypidError: the numbers cannot be known now.
        """
