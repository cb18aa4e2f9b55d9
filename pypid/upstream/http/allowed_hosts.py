"""The hosts that an upstream's pages and redirects may lead to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from attrs import field, frozen

from pypid.errors import ConfigurationError

__all__ = ["Origin", "UrlPolicy", "is_public", "may_be_public_name"]

_URL = re.compile(r"https?://[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+", re.IGNORECASE)  # RFC 3986, section 2
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOCAL = re.compile(
    # A name without a dot; one whose last part is a number, which is an oddly spelt address; or one
    # in a domain reserved for local use (RFC 6761, 6762, 8375; ICANN reserved .internal).
    r"[^.]*|.*\.(?:[0-9]+|0x[0-9a-f]*|localhost|local|localdomain|internal|intranet|lan|home\.arpa)"
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


@frozen
class Origin:
    """The origin of a URL (RFC 6454). Credentials belong to an origin."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """The host in lower case; an IPv6 address without brackets."""
    port: int
    """The port number; the scheme's default port if the URL has none."""

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """Return the origin of a URL, or ``None`` unless it is a plain ``http`` or ``https`` URL."""
        if _URL.fullmatch(url) is None:
            return None
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        if not parts.hostname or "@" in parts.netloc:
            return None
        return cls(parts.scheme, parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port)

    def __str__(self) -> str:
        """Return the host for messages, with the port unless it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@frozen
class UrlPolicy:
    """Decides which URLs may be requested.

    The configured origin and the hosts that the administrator listed are trusted, whatever their
    addresses. The files of an index are often elsewhere, so URLs of any other host are allowed as
    well, on the usual ports, with TLS and at public addresses only.
    """

    url: str
    """The configured URL of the index."""
    hosts: Sequence[str] = ()
    """Further trusted hosts, as ``host`` or ``host:port``."""
    allow_private: bool = False
    """Whether any host may have a loopback, private or otherwise special address."""
    allow_http: bool = False
    """Whether an index with ``https`` may lead to URLs with ``http``."""
    origin: Origin = field(init=False)
    """The configured origin."""

    @origin.default
    def _origin(self) -> Origin:
        origin = Origin.of(self.url)
        if origin is None:
            raise ConfigurationError("the upstream's URL is malformed")
        return origin

    def why_refused(self, url: str) -> str | None:
        """Return the reason why a URL may not be requested, or ``None`` if it may.

        The addresses of its host are not looked up here; they are checked when it is connected to.
        """
        origin = Origin.of(url)
        if origin is None:
            return "it is no plain URL of http or https"
        if origin == self.origin:
            return None
        if origin.scheme == "http" and self.origin.scheme == "https" and not self.allow_http:
            return "it is without TLS, and allow-http is not given"
        if (
            origin.port not in (80, 443, self.origin.port)
            and f"{origin.host}:{origin.port}" not in self._listed
        ):
            return f"port {origin.port} is not one of hosts="
        if not self.is_trusted(origin) and not _may_be_public(origin.host):
            return "it is at a private address, and allow-private is not given"
        return None

    def is_trusted(self, origin: Origin) -> bool:
        """Return whether connections to a host are allowed whatever its address."""
        return (
            self.allow_private
            or origin == self.origin
            or origin.host in self._listed
            or f"{origin.host}:{origin.port}" in self._listed
        )

    @property
    def _listed(self) -> frozenset[str]:
        return frozenset(host.lower().replace("[", "").replace("]", "") for host in self.hosts)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is a public address of the internet, not a local or special one."""
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None and not is_public(inner):
            return False
        if address.ipv4_mapped is not None:
            return True
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def may_be_public_name(host: str) -> bool:
    """Return whether a host may have a public address, when a web proxy will look its name up."""
    try:
        return is_public(ip_address(host))
    except ValueError:
        return _LOCAL.fullmatch(host.rstrip(".")) is None


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a gateway, or this system, would make of an IPv6 address, if any."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo is not None else None
    return address.ipv4_mapped or address.sixtofour or teredo


def _may_be_public(host: str) -> bool:
    """Return whether a host is a public address or a name; names are judged when they are looked up."""
    try:
        return is_public(ip_address(host))
    except ValueError:
        return True
