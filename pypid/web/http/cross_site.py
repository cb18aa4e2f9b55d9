"""Whether a request was made by a page of another site.

Browsers add the credentials that they remember to whatever a page sends, also to a form that
a stranger's page sends here. They say where the page is from; other programs say nothing.

A page may also let its own name lead to this machine, once it is loaded: then it is of this very
site as far as the browser can tell. It has none of the passwords for it, but it is inside.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from twisted.web.http_headers import Headers

from pypid.errors import Forbidden

__all__ = ["check_host", "refuse_cross_site"]


def refuse_cross_site(headers: Headers, public_url: str | None) -> None:
    """Let a request that changes something through, unless another site's page made it (T21).

    :param public_url: the URL that clients use, if it is not that of the socket.
    :raises Forbidden: it did, or seems to have.
    """
    sites = headers.getRawHeaders(b"Sec-Fetch-Site")
    if sites is not None:
        # Newer browsers know it themselves, whatever names a proxy gives this site.
        foreign = not {site.lower() for site in sites} <= {b"same-origin", b"none"}
    else:
        hosts = [*headers.getRawHeaders(b"Host", []), urlsplit(public_url or "").netloc.encode()]
        known = {host.lower() for host in hosts if host}
        origins = headers.getRawHeaders(b"Origin", [])
        foreign = any(origin.lower().partition(b"://")[2] not in known for origin in origins)
    if foreign:
        raise Forbidden("this was sent by a page of another site, which may not change anything here")


def check_host(headers: Headers, public_url: str | None) -> None:
    """Let a stranger's request that changes something through, if its ``Host`` is ours for sure.

    A name that a page's owner can make lead here is none of those that are: names of this machine
    itself, addresses, and the host of the public URL. Browsers always send it, in HTTP/1.1.

    :param public_url: the URL that clients use, if it is not that of the socket.
    :raises Forbidden: it may be anybody's.
    """
    public = urlsplit(public_url or "").hostname
    for value in headers.getRawHeaders("Host", []):
        name = value.lower()
        host = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if not _is_ours(host.removesuffix("."), public):
            raise Forbidden(
                "nothing is changed without signing in under a name that any web page might have: start"
                f" pypid with --public-url if {host} is its own"
            )


def _is_ours(host: str, public: str | None) -> bool:
    """Return whether nobody else can make a name, in lower case, lead here."""
    if host in ("", "localhost", public) or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
