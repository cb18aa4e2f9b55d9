"""No upstream: projects that are not local are not found."""

from __future__ import annotations

from attrs import frozen
from zope.interface import implementer

from pypid.errors import NotFound
from pypid.interfaces import IContent, IUpstream
from pypid.model import File, Project, Redirect

__all__ = ["NoUpstream"]


@implementer(IUpstream)
@frozen
class NoUpstream:
    """An upstream without projects, which sends no requests."""

    name: str = "none"
    summary: str = "none; projects that are not here are not found"
    merged: frozenset[str] = frozenset()

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:  # noqa: ARG002
        """Return ``None``: there is no such project."""
        return None

    async def content(self, project: str, file: File) -> IContent | Redirect:  # noqa: ARG002
        """Raise an error. :raises NotFound: always."""
        raise NotFound("there is no upstream to fetch it from")

    async def metadata(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Raise an error. :raises NotFound: always."""
        raise NotFound("there is no upstream to fetch it from")

    async def provenance(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Raise an error. :raises NotFound: always."""
        raise NotFound("there is no upstream to fetch it from")
