"""An upstream to which clients are redirected, as in old ``mod_rewrite`` set-ups."""

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
    """Redirects for every project to its page at another index, without a request there.

    :raises ConfigurationError: the URL is not that of an index.
    """

    url: str = field(converter=index_url)
    """The URL of the other index's list of projects, such as ``https://index.example.org/simple/``."""

    name: str = field()
    """Name of the upstream; by default the host of its URL."""
    merged: frozenset[str] = field(default=frozenset(), init=False)

    @name.default
    def _host(self) -> str:
        return host_name(self.url)

    @property
    def summary(self) -> str:
        """One line for the log that says where clients are redirected."""
        return f"projects that are not here are redirected to {self.url}"

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:  # noqa: ARG002
        """Return a redirect to the project's page at the other index."""
        return Redirect(f"{self.url}{name}/")

    async def content(self, project: str, file: File) -> IContent | Redirect:  # noqa: ARG002
        """Raise an error, because no files are known here. :raises NotFound: always."""
        raise NotFound("the file is not here")

    async def metadata(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Raise an error. :raises NotFound: always."""
        raise NotFound("the file is not here")

    async def provenance(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Raise an error. :raises NotFound: always."""
        raise NotFound("the file is not here")
