"""Refusal of requests that a page of another site has made.

Browsers add remembered credentials to every request of a page, including a form that a stranger's page
sends here. Browsers also send the origin of the page; other programs do not.

The owner of a page can also make the page's host name lead to this machine after the page was loaded. For
the browser the page then belongs to this very site. The browser has no passwords for that name, but the
page's requests come from inside the network.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from twisted.web.http_headers import Headers

from pypid.errors import Forbidden
from pypid.web.http.forwarded import Sender
from pypid.web.http.host_names import host_name, is_local_name

__all__ = ["check_host", "refuse_cross_site"]


def refuse_cross_site(headers: Headers, sender: Sender, public_url: str | None) -> None:
    """Refuse a request for a change if a page of another site has made it (T21).

    :param sender: the sender of the request. The host that a trusted proxy reports is this site's, too, and
        a client that uses TLS is not on a page without it.
    :param public_url: the URL that clients use, if it differs from the socket's.
    :raises Forbidden: a page of another site has made the request, or seems to have made it.
    """
    sites = headers.getRawHeaders(b"Sec-Fetch-Site")
    if sites is not None:
        # Newer browsers compare the sites themselves, whatever names a proxy gives this site.
        foreign = not {site.lower() for site in sites} <= {b"same-origin", b"none"}
    else:
        hosts = [*headers.getRawHeaders(b"Host", []), urlsplit(public_url or "").netloc.encode()]
        known = {host.lower() for host in [*hosts, (sender.host or "").encode("ascii")] if host}
        origins = [origin.lower().partition(b"://") for origin in headers.getRawHeaders(b"Origin", [])]
        foreign = any(
            host not in known or (sender.secure and scheme != b"https") for scheme, _, host in origins
        )
    if foreign:
        raise Forbidden("this was sent by a page of another site, which may not change anything here")


def check_host(headers: Headers, sender: Sender, public_url: str | None) -> None:
    """Refuse an anonymous request for a change unless its ``Host`` certainly belongs to this server.

    These hosts do: names of this machine itself, IP addresses, and the host of the public URL. The owner of
    a page cannot make any of them lead here. In HTTP/1.1, browsers always send ``Host``.

    :param sender: the sender of the request. If a trusted proxy reports the host, the ``Host`` header is the
        proxy's own.
    :param public_url: the URL that clients use, if it differs from the socket's.
    :raises Forbidden: the host may belong to anybody.
    """
    public = urlsplit(public_url or "").hostname
    for value in headers.getRawHeaders("Host", []) if sender.host is None else [sender.host]:
        host = host_name(value)
        if host != public and not is_local_name(host):
            raise Forbidden(
                "nothing is changed without signing in under a name that any web page might have: start"
                f" pypid with --public-url if {host} is its own"
            )
