"""The page for people: it introduces this index, and explains how to install and upload."""

from __future__ import annotations

from attrs import define, field
from jinja2 import Environment, PackageLoader, StrictUndefined
from twisted.internet.interfaces import IAddress

from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response
from pypid.web.permissions.authorization import Authorization

__all__ = ["HomePage", "local_url"]


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pypid.web.routes"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def local_url(address: IAddress, secure: bool) -> str:
    """Return the URL of a listening address, as seen from this machine."""
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or port is None:
        return "http://localhost/"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    scheme = "https" if secure else "http"
    netloc = f"[{host}]" if ":" in host else host
    return f"{scheme}://{netloc}/" if port == (443 if secure else 80) else f"{scheme}://{netloc}:{port}/"


@define
class HomePage:
    """Renders the front page. Its URLs come from the configuration or the socket, never from the client."""

    public_url: str | None
    """The public URL of this index, if it is known."""
    authorization: Authorization
    """Knows whether users can sign in, and whether uploads need that."""
    has_upstreams: bool
    """Whether projects that are not here are looked up in upstreams."""
    _environment: Environment = field(factory=_environment, init=False)

    def response(self, request: IndexRequest, projects: int) -> Response:
        """Return the page, rendered for one reader.

        :param projects: the number of projects that the reader sees.
        """
        url = self.public_url or local_url(request.getHost(), request.isSecure())
        template = self._environment.get_template("home.html")
        page = template.render(
            url=url,
            projects=projects,
            has_upstreams=self.has_upstreams,
            has_users=self.authorization.is_usable(),
            for_strangers=self.authorization.is_open_to_strangers(),
            command=self.authorization.command,
        )
        caching = [(b"Cache-Control", b"private, no-cache"), (b"Vary", b"Authorization")]
        return Response(200, page.encode(), b"text/html; charset=utf-8", caching)
