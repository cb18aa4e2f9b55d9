"""Detection of clients that demand a fresh answer instead of a cached one."""

from __future__ import annotations

import re

from twisted.web.http_headers import Headers

__all__ = ["demands_refresh"]

REFRESHING_PIP = (26, 2)
"""The first version of pip that sends ``max-age=0`` only for ``--refresh-package``; older ones always do."""
_PIP = re.compile(r"pip/([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")


def demands_refresh(headers: Headers) -> bool:
    """Return whether a client demands a new request to an upstream (RFC 9111, sections 5.2.1 and 5.4).

    ``no-cache`` from any client is such a demand. ``max-age=0`` counts only from a version of pip that sends
    it at its user's request: older versions, and clients modelled on them, send it with every request.
    """
    given = [value for name in ("Cache-Control", "Pragma") for value in headers.getRawHeaders(name, [])]
    directives = {directive.strip().lower() for directive in ",".join(given).split(",")}
    return "no-cache" in directives or ("max-age=0" in directives and _means_its_max_age(headers))


def _means_its_max_age(headers: Headers) -> bool:
    match = _PIP.match(headers.getRawHeaders("User-Agent", [""])[0])
    return match is not None and (int(match[1]), int(match[2])) >= REFRESHING_PIP
