"""Whether a client wants what is so now, and not what is kept."""

from __future__ import annotations

import re

from twisted.web.http_headers import Headers

__all__ = ["demands_refresh"]

REFRESHING_PIP = (26, 2)
"""The first pip that sends ``max-age=0`` for ``--refresh-package`` alone, and not with every request."""
_PIP = re.compile(r"pip/([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")


def demands_refresh(headers: Headers) -> bool:
    """Return whether a client demands that an upstream is asked anew (RFC 9111, sections 5.2.1 and 5.4).

    Anybody's ``no-cache`` does. ``max-age=0`` does where it comes from a pip that sends it only
    when its user asked for it; older ones, and what was made after them, send it with every request.
    """
    given = [value for name in ("Cache-Control", "Pragma") for value in headers.getRawHeaders(name, [])]
    directives = {directive.strip().lower() for directive in ",".join(given).split(",")}
    return "no-cache" in directives or ("max-age=0" in directives and _means_its_max_age(headers))


def _means_its_max_age(headers: Headers) -> bool:
    match = _PIP.match(headers.getRawHeaders("User-Agent", [""])[0])
    return match is not None and (int(match[1]), int(match[2])) >= REFRESHING_PIP
