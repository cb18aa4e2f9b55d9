"""The daemon's configuration: its defaults, and the syntax of its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from attrs import field, frozen

from pypid.daemon.attestation_verifier import Signer
from pypid.daemon.configuration import shorthands
from pypid.daemon.configuration.origin import Given
from pypid.daemon.log_destination import LEVELS
from pypid.errors import ConfigurationError
from pypid.formats.quantities import size
from pypid.interfaces import IUpstream
from pypid.names import SUFFIXES, name_pattern
from pypid.upload import UploadRules
from pypid.upload.policy import USUAL_ARCHIVES
from pypid.web.http.client_limits import ClientLimits
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.offload import Offload

__all__ = [
    "DEFAULT_REALM",
    "DEFAULT_UPSTREAM_URL",
    "Config",
    "access_policy",
    "audit_log",
    "allowed_host",
    "check_names",
    "is_for_this_machine",
    "keep_alive",
    "limit",
    "log_format",
    "log_level",
    "offload",
    "old_archives",
    "port",
    "proxy_address",
    "public_url",
    "realm",
    "reserved",
    "size",
    "upload_level",
    "upload_rules",
    "version_pattern",
]

DEFAULT_UPSTREAM_URL = "https://pypi.org/simple/"
DEFAULT_LISTEN = "tcp:8080:interface=127.0.0.1"
DEFAULT_MAX_UPLOAD = "1GiB"
DEFAULT_KEEP_ALIVE = "120"
"""Seconds. Proxies usually keep connections for 60 seconds, and must be the first to close them."""
DEFAULT_REALM = "pypi"
"""The only realm that distutils sends a password to."""

# Characters that need no escaping in a quoted string.
_REALM = re.compile(r"[ !#-\[\]-~]{1,100}")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?(/[\w./-]*)?", re.ASCII)
_VERSION_PATTERN = re.compile(r"[0-9a-z.+!*]{1,100}")


@frozen
class Config:
    """The daemon's configuration, with providers as descriptions."""

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
    """The URL of this index as clients know it, ending in a slash; ``None`` if not configured."""
    max_upload: int
    """The largest body of an upload, in bytes."""
    uploads: UploadRules
    """Which uploads are accepted, and which files they may replace."""
    signers: Sequence[Signer] = ()
    """The signers whose attestations are accepted; if empty, all are stored without verification."""
    realm: str = DEFAULT_REALM
    """The name of the protection space, which clients may show to users (RFC 9110, section 11.5)."""
    keep_alive: float = float(DEFAULT_KEEP_ALIVE)
    """How long a connection may be idle between requests, in seconds."""
    proxies: TrustedProxies = field(factory=TrustedProxies)
    """The proxies whose ``Forwarded`` and ``X-Forwarded-`` headers are believed."""
    hosts: HostNames = field(factory=HostNames)
    """The host names that clients may ask for."""
    offload: Offload | None = None
    """How files are handed over to the trusted proxies; ``None`` if they are not."""
    limits: ClientLimits = field(factory=ClientLimits)
    """The limits for clients."""
    metrics: Sequence[str] = ()
    """Twisted endpoint descriptions where only monitoring listens."""
    log_format: str = "text"
    """The format of the log, ``text`` or ``json``."""
    log_level: str = "info"
    """The least level that is logged."""
    audit_log: Path | None = None
    """The file of audit lines, besides the log."""
    file: Path | None = None
    """The configuration file, if there is one."""
    given: Mapping[str, Sequence[Given]] = field(factory=dict, eq=False, repr=False)
    """The texts of each option, with their places; for messages about the providers."""


def public_url(text: str) -> str:
    """Validate the URL that clients use, and return it with a slash at its end."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or "@" in parts.netloc or not text.isprintable():
        hint = f": write https://{text}" if _HOST.fullmatch(text) else ""
        raise ConfigurationError(f"{text!r} is not a URL like https://packages.example.org/index/{hint}")
    return text.rstrip("/") + "/"


def keep_alive(text: str) -> float:
    """Return a number of seconds, between 1 and a day."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= 86_400:
        raise ConfigurationError(f"{text!r} is not a number of seconds between 1 and 86400, such as 120")
    return float(text)


def proxy_address(text: str) -> str:
    """Validate the address of a trusted proxy: an IP address, a network, or ``unix``."""
    TrustedProxies.of([text])
    return text


def limit(text: str) -> int:
    """Return a number from 1 to a million, as a limit or a time in seconds."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= 1_000_000:
        raise ConfigurationError(f"{text[:80]!r} is not a whole number between 1 and 1000000, such as 1000")
    return int(text)


def allowed_host(text: str) -> str:
    """Validate a host name that clients may ask for, or a pattern such as ``*.example.org``."""
    HostNames.of([text], None)
    return text


def offload(text: str) -> str:
    """Validate the way in which files are handed over to the proxy."""
    Offload.of(text, Path("/"))
    return text


def realm(text: str) -> str:
    """Validate the name of the realm that users sign in to."""
    if _REALM.fullmatch(text) is None:
        raise ConfigurationError(
            f"{text!a} is not a realm: 1 to 100 printable ASCII characters other than quote and backslash"
        )
    return text


def reserved(text: str) -> str:
    """Validate a pattern of names that are never asked for upstream."""
    if "," in text:
        each = " ".join(f"--reserve '{one.strip()}'" for one in text.split(",")[:9])
        raise ConfigurationError(f"{text!r} has a comma: repeat the option, {each}")
    return name_pattern(text)


def version_pattern(text: str) -> str:
    """Validate a pattern of versions as PEP 440 spells them; ``*`` stands for any characters."""
    if _VERSION_PATTERN.fullmatch(text) is None:
        raise ConfigurationError(f"{text!r} is not a pattern of versions like *.dev*")
    return text


def old_archives(text: str) -> frozenset[str]:
    """Parse a list of suffixes of old kinds of archives, such as ``egg,zip``."""
    suffixes = frozenset(f".{one.strip().removeprefix('.')}" for one in text.split(","))
    known = [suffix for suffix in SUFFIXES if suffix not in USUAL_ARCHIVES]
    if not suffixes <= set(known):
        choice = ", ".join(suffix.removeprefix(".") for suffix in known)
        raise ConfigurationError(f"{text!r} is not a list of old kinds of archives, of {choice}")
    return suffixes


def upload_level(text: str) -> str:
    """Validate the level at which uploads are checked."""
    if text not in ("strict", "permissive"):
        raise ConfigurationError(f"{text!r} is neither strict nor permissive")
    return text


def upload_rules(level: str, archives: frozenset[str], overwrite: Sequence[str]) -> UploadRules:
    """Return the rules for uploads at a level, ``strict`` or ``permissive``."""
    upload_level(level)
    if level == "strict" and archives:
        raise ConfigurationError("strict uploads have no old archives: leave out --old-archives")
    return UploadRules(strict=level == "strict", old_archives=archives, overwrite=tuple(overwrite))


def check_names(upstreams: Sequence[IUpstream]) -> None:
    """Check that no two upstreams of a kind share a name, and with it a cache directory.

    :raises ConfigurationError: two do.
    """
    known: set[tuple[type[IUpstream], str]] = set()
    for upstream in upstreams:
        key = type(upstream), upstream.name
        if key in known:
            raise ConfigurationError(
                f"two upstreams are called {upstream.name}; give one another name, as in URL:name=NAME"
            )
        known.add(key)


def access_policy(text: str, listen: Sequence[str]) -> str:
    """Validate the description of an access policy.

    ``anyone`` is refused if other machines may reach an endpoint: strangers could upload. Whoever
    means that writes ``anyone:anyone``.

    :param listen: descriptions of the endpoints that the daemon listens on.
    """
    if text.removesuffix(":") == "anyone":
        for endpoint in listen:
            if not _is_local(endpoint):
                raise ConfigurationError(
                    f"anyone lets strangers upload, and others than this machine may reach {endpoint}:"
                    " if that is meant, say anyone:anyone"
                )
    return text


def is_for_this_machine(listen: Sequence[str]) -> bool:
    """True if only this machine can reach the endpoints, as far as their descriptions show."""
    return all(_is_local(endpoint) for endpoint in listen)


def _is_local(endpoint: str) -> bool:
    """True if only this machine can reach an endpoint, as far as its description shows."""
    kind, *arguments = re.split(r"(?<!\\):", endpoint)
    if kind == "unix":
        return True
    named = dict(argument.partition("=")[::2] for argument in arguments)
    try:
        address = ip_address(named.get("interface", "").replace("\\:", ":"))
    except ValueError:
        return False
    return kind in ("tcp", "tcp4", "tcp6", "ssl") and address.is_loopback


def log_format(text: str) -> str:
    """Validate the format of the log."""
    if text not in ("text", "json"):
        raise ConfigurationError(f"{text!r} is neither text nor json")
    return text


def log_level(text: str) -> str:
    """Validate the least level that is logged."""
    if text not in LEVELS:
        raise ConfigurationError(f"{text!r} is no level; there are {', '.join(LEVELS)}")
    return text


def audit_log(text: str) -> Path:
    """Validate the path of the file of audit lines."""
    path = Path(text)
    if not text.strip() or "\0" in text or text.endswith("/"):
        raise ConfigurationError(f"{text!r} is not the path of a file")
    return path.absolute()


def port(text: str) -> str:
    """Return the description of an endpoint on a port of the loopback address."""
    if not text.isdecimal():
        raise ConfigurationError(f"{text!r} is no port; for an address, write --listen ADDRESS:PORT")
    return shorthands.endpoint(text)
