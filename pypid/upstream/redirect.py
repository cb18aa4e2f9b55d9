"""An upstream that clients are sent on to, as old ``mod_rewrite`` set-ups do."""

from __future__ import annotations

from attrs import field, frozen
from zope.interface import implementer

from pypid.errors import NotFound
from pypid.interfaces import IContent, IUpstream
from pypid.model import File, Project, Redirect
from pypid.upstream.http.urls import host_name, index_url

__all__ = ["RedirectUpstream"]


@implementer(IUpstream)
@frozen
class RedirectUpstream:
    """Says of every project that its page is at another index, without asking there.

    :raises ConfigurationError: the URL is not one of an index.
    """

    url: str = field(converter=index_url)
    """The URL of the other index's list of projects, such as ``https://index.example.org/simple/``."""

    name: str = field()
    """What it is called; its host, if nothing else is said."""
    merged: frozenset[str] = field(default=frozenset(), init=False)

    @name.default
    def _host(self) -> str:
        return host_name(self.url)

    @property
    def summary(self) -> str:
        """Tell where clients are sent."""
        return f"projects that are not here are redirected to {self.url}"

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:  # noqa: ARG002
        """Tell where the project's page would be."""
        return Redirect(f"{self.url}{name}/")

    async def content(self, project: str, file: File) -> IContent | Redirect:  # noqa: ARG002
        """Find nothing: what is told of files is that their pages are elsewhere. :raises NotFound: always."""
        raise NotFound("the file is not here")

    async def metadata(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Find nothing. :raises NotFound: always."""
        raise NotFound("the file is not here")

    async def provenance(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Find nothing. :raises NotFound: always."""
        raise NotFound("the file is not here")
