"""The daemon's configuration: its defaults, and how its values are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from pypid.errors import ConfigurationError
from pypid.quantities import size

__all__ = ["DEFAULT_UPSTREAM_URL", "Config", "listen_endpoint", "public_url", "size"]

DEFAULT_UPSTREAM_URL = "https://pypi.org/simple/"
DEFAULT_LISTEN = "tcp:8080:interface=127.0.0.1"
DEFAULT_MAX_UPLOAD = "1GiB"


@frozen
class Config:
    """What the daemon was asked to be; descriptions are still text."""

    root: Path
    """The root directory, absolute."""
    listen: Sequence[str]
    """Twisted endpoint descriptions to listen on."""
    storage: str
    """The description of the storage."""
    auth: Sequence[str]
    """Descriptions of authenticators, asked in order."""
    access: str
    """The description of the access policy."""
    upstreams: Sequence[str]
    """Descriptions of upstreams, asked in order."""
    reserved: Sequence[str]
    """Patterns of normalized names that are never asked for upstream."""
    public_url: str | None
    """The URL under which clients reach the root of this index, ending in a slash."""
    max_upload: int
    """The most bytes an upload's body may have."""


def public_url(text: str) -> str:
    """Vet the URL that clients use, and give it with a slash at its end."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or "@" in parts.netloc or not text.isprintable():
        raise ConfigurationError(f"{text!r} is not a URL like https://packages.example.org/index/")
    return text.rstrip("/") + "/"


def listen_endpoint(text: str) -> str:
    """Give an endpoint's description; a ``unix:`` socket without a mode gets 660, not the world's 666."""
    if text.startswith("unix:") and ":mode=" not in text:
        return f"{text}:mode=660"
    return text
