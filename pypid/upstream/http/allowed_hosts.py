"""Whom an upstream's pages and redirects may send us to."""

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
    # No dot at all, the last part a number (which makes it an address, oddly spelt), or a name
    # that is nobody's in the internet (RFC 6761, 6762, 8375; and .internal is ICANN's for this).
    r"[^.]*|.*\.(?:[0-9]+|0x[0-9a-f]*|localhost|local|localdomain|internal|intranet|lan|home\.arpa)"
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


@frozen
class Origin:
    """The origin of a URL (RFC 6454), which is what credentials belong to."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """The host in lower case; an IPv6 address without brackets."""
    port: int
    """The port."""

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """Take the origin from a URL; ``None`` if it is not a plain one of ``http`` or ``https``."""
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
        """Name it for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@frozen
class UrlPolicy:
    """Says which URLs may be asked for.

    The configured origin may, and the hosts that the administrator listed: both are trusted
    whatever their addresses are. Any other host may on the usual ports, with TLS and at a
    public address, since the files of an index are often elsewhere.
    """

    url: str
    """The configured URL."""
    hosts: Sequence[str] = ()
    """Hosts that are trusted as well, as ``host`` or ``host:port``."""
    allow_private: bool = False
    """Whether any host may be at a loopback, private or otherwise special address."""
    allow_http: bool = False
    """Whether TLS may be given up on the way."""
    origin: Origin = field(init=False)
    """The configured origin."""

    @origin.default
    def _origin(self) -> Origin:
        place = Origin.of(self.url)
        if place is None:
            raise ConfigurationError("the upstream's URL is malformed")
        return place

    def refusal(self, url: str) -> str | None:
        """Say why a URL may not be asked for; ``None`` if it may, its host's addresses permitting."""
        place = Origin.of(url)
        if place is None:
            return "it is no plain URL of http or https"
        if place == self.origin:
            return None
        if place.scheme == "http" and self.origin.scheme == "https" and not self.allow_http:
            return "it is without TLS, and allow-http is not given"
        if place.port not in (80, 443, self.origin.port) and f"{place.host}:{place.port}" not in self._listed:
            return f"port {place.port} is not one of hosts="
        if not self.trusts(place) and not _may_be_public(place.host):
            return "it is at a private address, and allow-private is not given"
        return None

    def trusts(self, place: Origin) -> bool:
        """Tell whether any address of that host will do."""
        return (
            self.allow_private
            or place == self.origin
            or place.host in self._listed
            or f"{place.host}:{place.port}" in self._listed
        )

    @property
    def _listed(self) -> frozenset[str]:
        return frozenset(host.lower().replace("[", "").replace("]", "") for host in self.hosts)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is that of a host anywhere in the internet, and not of one near us."""
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
    """Return whether a host may be at a public address, where somebody else looks its name up."""
    try:
        return is_public(ip_address(host))
    except ValueError:
        return _LOCAL.fullmatch(host.rstrip(".")) is None


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Give the IPv4 address that a gateway, or our own system, would turn an IPv6 address into."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo is not None else None
    return address.ipv4_mapped or address.sixtofour or teredo


def _may_be_public(host: str) -> bool:
    """Tell whether a host is a public address, or a name, of which only looking it up will tell."""
    try:
        return is_public(ip_address(host))
    except ValueError:
        return True
