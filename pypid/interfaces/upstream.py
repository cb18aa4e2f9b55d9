"""Where to look for what is not here."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import Attribute, Interface

from pypid.interfaces.storage import IContent
from pypid.model import File, Project, Redirect

__all__ = ["IUpstream"]


class IUpstream(Interface):
    """Another index, asked for projects that are not here."""

    name: str = Attribute("A short name for logs and directories, of ``a-z 0-9 - .``.")
    summary: str = Attribute("One line for the log at start: what is asked, and how.")

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    async def project(name: str) -> Project | Redirect | None:
        """Give a project by normalized name, or where its page is, or ``None`` if it has none.

        :raises UpstreamFailed: it could not be asked, so nobody knows.
        """

    async def projects() -> Sequence[str]:
        """List the normalized names of projects that it offers; empty if it does not list any."""

    async def content(project: str, file: File) -> IContent | Redirect:
        """Open one of the files of :meth:`project`, or tell where it is.

        :raises NotFound: it is not there any more.
        :raises UpstreamFailed: it could not be fetched.
        """
