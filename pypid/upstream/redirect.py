"""An upstream that clients are sent on to, as old ``mod_rewrite`` set-ups do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from attrs import field, frozen
from zope.interface import implementer

from pypid.errors import ConfigurationError, NotFound
from pypid.interfaces import IContent, IUpstream
from pypid.model import File, Project, Redirect

__all__ = ["RedirectUpstream"]

_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986, section 2


def _index_url(text: str) -> str:
    """Vet the URL of an index, and let it end in a slash.

    :raises ConfigurationError: it is none that project names can be appended to.
    """
    example = "it should look like https://index.example.org/simple/"
    malformed = ConfigurationError(f"the upstream's URL is malformed; {example}")
    if _URL.fullmatch(text) is None:
        raise malformed
    try:
        parts = urlsplit(text)
        host, _ = _host_name(text), parts.port
    except ValueError:
        raise malformed from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"the upstream's URL has no http:// or https:// or no host; {example}")
    if "@" in parts.netloc:
        raise ConfigurationError(
            "the upstream's URL has a user name or password, which every client would see"
        )
    if "?" in text or "#" in text:
        raise ConfigurationError(f"the upstream's URL has a query or a fragment; {example}")
    return text if text.endswith("/") else f"{text}/"


def _host_name(url: str) -> str:
    """Give the host of a URL in the characters of an upstream's name."""
    return re.sub(r"[^a-z0-9.-]", "-", urlsplit(url).hostname or "").strip(".-")


@implementer(IUpstream)
@frozen
class RedirectUpstream:
    """Says of every project that its page is at another index, without asking there.

    :raises ConfigurationError: the URL is not one of an index.
    """

    url: str = field(converter=_index_url)
    """The URL of the other index's list of projects, such as ``https://index.example.org/simple/``."""

    merged: frozenset[str] = field(default=frozenset(), init=False)

    @property
    def name(self) -> str:
        """The host's name."""
        return _host_name(self.url)

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

    async def projects(self) -> Sequence[str]:
        """List nothing: it was never asked."""
        return ()

    async def content(self, project: str, file: File) -> IContent | Redirect:  # noqa: ARG002
        """Find nothing, as files are linked from the other index's page. :raises NotFound: always."""
        raise NotFound("the file is not here")

    async def metadata(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Find nothing. :raises NotFound: always."""
        raise NotFound("the file is not here")
