"""URLs of other indexes, as administrators write them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pypid.errors import ConfigurationError

__all__ = ["host_name", "index_url"]

_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986, section 2


def index_url(text: str) -> str:
    """Validate the URL of an index, and return it with a slash at its end.

    :raises ConfigurationError: project names cannot be appended to it, or it contains a password.
    """
    example = "it should look like https://index.example.org/simple/"
    malformed = ConfigurationError(f"the upstream's URL is malformed; {example}")
    if _URL.fullmatch(text) is None:
        raise malformed
    try:
        parts = urlsplit(text)
        host, _ = host_name(text), parts.port
    except ValueError:
        raise malformed from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"the upstream's URL has no http:// or https:// or no host; {example}")
    if "@" in parts.netloc:
        raise ConfigurationError("the upstream's URL has a user name or password, which others would see")
    if "?" in text or "#" in text:
        raise ConfigurationError(f"the upstream's URL has a query or a fragment; {example}")
    return text if text.endswith("/") else f"{text}/"


def host_name(url: str) -> str:
    """Return the host of a URL in characters that an upstream's name may have."""
    return re.sub(r"[^a-z0-9.-]", "-", urlsplit(url).hostname or "").strip(".-")
