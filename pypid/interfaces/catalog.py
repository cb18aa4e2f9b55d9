"""What is known of the projects that are kept."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from zope.interface import Interface

from pypid.model import Change, Project

__all__ = ["ICatalog"]


class ICatalog(Interface):
    """What pages show, and a journal of how it came to be, derived from a storage.

    It may be thrown away and is made anew; only the journal then begins with what is there,
    in the order in which it was published. Several processes may share one.
    """

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`, and after it. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    async def projects() -> Mapping[str, int]:
        """Give the serial of the last change of each project, by normalized name, sorted by name.

        While nothing changed it is the very same object. What another process put in the journal shows
        in it at once, and so does a project that came or went; what else was done behind the daemon's back
        a second or two later. In :meth:`project` it shows at once.
        """

    async def project(name: str) -> Project | None:
        """Give a project by normalized name, or ``None``.

        While nothing changed it is the very same object, at the cost of one
        :meth:`IStorage.fingerprint`, without waiting. Otherwise what changed is put in the
        journal before this returns.
        """

    def version_key(name: str) -> Hashable | None:
        """Give a value that differs whenever :meth:`project` may give another project, or ``None``.

        It costs one :meth:`IStorage.fingerprint`, and is known also of projects that are not in
        memory any more: who has shown one need not keep it. ``None`` says that it takes
        :meth:`project` to tell, as for what is not here.
        """

    def forget(name: str) -> None:
        """Look at a project anew when it is next asked for: a file was not as described."""

    async def last_serial() -> int:
        """Give the serial of the last change of all, in whatever process; 0 if there was none yet."""

    async def changes(since: int, limit: int) -> Sequence[Change]:
        """Return the journal's rows with serials above ``since``, oldest first, ``limit`` at most.

        :raises StorageUnavailable: they cannot be read now, which does not say that there are none.
        """

    async def latest(limit: int, *, first_only: bool) -> Sequence[Change]:
        """Return the newest rows that are new releases, newest first; or only each project's first one.

        :raises StorageUnavailable: they cannot be read now.
        """

    async def count() -> tuple[int, int]:
        """Return how many projects and files there are, once all of them were looked at.

        :raises PypidError: that cannot be told now.
        """
