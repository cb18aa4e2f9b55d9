"""The role of an upstream: another index, asked for projects that are not local."""

from __future__ import annotations

from collections.abc import Collection

from zope.interface import Attribute, Interface

from pypid.interfaces.content import IContent
from pypid.model import File, Project, Redirect

__all__ = ["IUpstream"]


class IUpstream(Interface):
    """Another index. All methods are called in the reactor's thread."""

    name: str = Attribute(
        "A short name for logs and directories, of ``a-z 0-9 - .``, unique among upstreams of its kind."
    )
    summary: str = Attribute("One line for the log at start: which index is asked, and how.")
    merged: Collection[str] = Attribute(
        "Normalized names of projects for which upstream files are added to a local project. "
        "Any other local project hides the upstream's."
    )

    def open() -> None:
        """Get ready. Called once, at the same time as :meth:`IStorage.open`; it may block.

        :raises CannotStart: the upstream cannot work; the message says why.
        """

    def close() -> None:
        """Release all resources, without blocking. No other call follows."""

    async def project(name: str, *, refresh: bool = False) -> Project | Redirect | None:
        """Return a project by normalized name, or the address of its page, or ``None`` if there is none.

        While nothing has changed this returns the very same object, without waiting if it is in memory.

        :param refresh: ask the other index even if the cached page is fresh, as a client demanded.
        :raises Withheld: a rule says that the project is not offered.
        :raises UpstreamFailed: the index could not be asked, so it is unknown whether the project exists.
        """

    async def content(project: str, file: File) -> IContent | Redirect:
        """Open one of the files of :meth:`project`, or return its address.

        The bytes may be sent on while they still arrive from the other index. If they turn out not to be
        the file's, the last of them are never sent.

        :raises NotFound: the file does not exist any more.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: the file could not be fetched.
        """

    async def metadata(project: str, file: File) -> bytes:
        """Return the core metadata of one of the files of :meth:`project` (PEP 658).

        :raises NotFound: the metadata is not available separately from the file.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: the metadata could not be fetched.
        """

    async def provenance(project: str, file: File) -> bytes:
        """Return the provenance object of one of the files of :meth:`project` (PEP 740).

        :raises NotFound: the file has none.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: the provenance could not be fetched.
        """
