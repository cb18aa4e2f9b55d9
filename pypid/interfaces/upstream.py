"""Where to look for what is not here."""

from __future__ import annotations

from collections.abc import Collection

from zope.interface import Attribute, Interface

from pypid.interfaces.content import IContent
from pypid.model import File, Project, Redirect

__all__ = ["IUpstream"]


class IUpstream(Interface):
    """Another index, asked for projects that are not here."""

    name: str = Attribute(
        "A short name for logs and directories, of ``a-z 0-9 - .``; no two upstreams of a kind have one."
    )
    summary: str = Attribute("One line for the log at start: what is asked, and how.")
    merged: Collection[str] = Attribute(
        "Normalized names of projects of which it adds files to a local project; it is hidden by any other."
    )

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    async def project(name: str, *, refresh: bool = False) -> Project | Redirect | None:
        """Give a project by normalized name, or where its page is, or ``None`` if it has none.

        While nothing changed it is the very same object, without waiting if it is at hand.

        :param refresh: ask the upstream even if what is kept is fresh, as a client demanded.
        :raises Withheld: a rule says that it is not offered.
        :raises UpstreamFailed: it could not be asked, so nobody knows.
        """

    async def content(project: str, file: File) -> IContent | Redirect:
        """Open one of the files of :meth:`project`, or tell where it is.

        The bytes may still be on their way from the upstream while they are sent on. What turns
        out not to be the file's bytes is never sent to its end.

        :raises NotFound: it is not there any more.
        :raises Withheld: a rule says that it is not offered.
        :raises UpstreamFailed: it could not be fetched.
        """

    async def metadata(project: str, file: File) -> bytes:
        """Give the core metadata of one of the files of :meth:`project` (PEP 658).

        :raises NotFound: it has none to be had alone.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: it could not be fetched.
        """

    async def provenance(project: str, file: File) -> bytes:
        """Give the provenance object of one of the files of :meth:`project` (PEP 740).

        :raises NotFound: it has none.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: it could not be fetched.
        """
