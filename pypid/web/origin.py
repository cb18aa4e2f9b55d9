"""Whether a request was made by a page of another site.

Browsers add the credentials that they remember to whatever a page sends, also to a form that
a stranger's page sends here. They say where the page is from; other programs say nothing.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from twisted.web.http_headers import Headers

from pypid.errors import Forbidden

__all__ = ["check_origin"]


def check_origin(headers: Headers, public_url: str | None) -> None:
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
