"""The address of the client for a request that trusted proxies have forwarded.

A client can send any ``X-Forwarded-For``, but its rightmost address was added by the last proxy. So the
header is read from the right, for as long as the sender of each address is trusted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from attrs import frozen
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from pypid.errors import ConfigurationError

__all__ = ["TrustedProxies"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_HOPS = 32
"""Largest number of proxies in a row that are considered."""

# Some proxies add the port to the address.
_HOP = re.compile(
    r"(?P<v4>[0-9.]{7,15})(?::[0-9]{1,5})?|\[(?P<bracketed>[^\]]+)\](?::[0-9]{1,5})?|(?P<v6>.+)"
)


@frozen
class TrustedProxies:
    """The proxies whose ``X-Forwarded-For`` is trusted; none by default."""

    networks: Sequence[IPv4Network | IPv6Network] = ()
    """The networks of the proxies."""
    unix: bool = False
    """Whether every peer on a UNIX socket is a trusted proxy."""

    @classmethod
    def of(cls, descriptions: Iterable[str]) -> TrustedProxies:
        """Return the trusted proxies for a list of addresses, networks and the word ``unix``.

        :raises ConfigurationError: a description is none of these, or its network contains all addresses.
        """
        networks, unix = [], False
        for text in descriptions:
            if text == "unix":
                unix = True
                continue
            try:
                network = ip_network(text)
            except ValueError:
                raise ConfigurationError(_flaw(text)) from None
            if not network.prefixlen:
                raise ConfigurationError(f"{text!r} has everybody in it; say where the proxy is")
            networks.append(network)
        return cls(tuple(networks), unix)

    def client(self, peer: IAddress, forwarded: Sequence[bytes]) -> IAddress:
        """Return the address of the client that has made a request.

        This is the peer's address, unless a trusted proxy reports another one. If the value from a
        trusted proxy is not an address, the peer's address is returned.

        :param forwarded: the values of the request's ``X-Forwarded-For``.
        """
        if not forwarded or not self._trusts_peer(peer):
            return peer
        hops = b",".join(forwarded).decode("latin-1").split(",")
        found: _Address | None = None
        for hop in hops[: -MAX_HOPS - 1 : -1]:
            found = _address(hop)
            if found is None:
                return peer
            if not self._trusts(found):
                break
        if found is None:
            return peer
        kind = IPv4Address if found.version == 4 else IPv6Address
        address: IAddress = kind("TCP", str(found), 0)
        return address

    def _trusts_peer(self, peer: IAddress) -> bool:
        if isinstance(peer, UNIXAddress):
            return self.unix
        if not self.networks:
            return False
        address = _address(getattr(peer, "host", ""))
        return address is not None and self._trusts(address)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


def _flaw(text: str) -> str:
    """Return the error message for a text that is neither an address nor a network."""
    try:
        return f"{text!r} has bits beyond its prefix; write {ip_network(text, strict=False)}"
    except ValueError:
        return f"{text[:80]!a} is no IP address, such as 127.0.0.1 or 10.1.0.0/16, and not the word unix"


def _address(text: str) -> _Address | None:
    """Parse an address, with or without a port. Return ``None`` if the text is not an address."""
    match = _HOP.fullmatch(text.strip())
    if match is None:
        return None
    try:
        address = ip_address(match[match.lastgroup or 0].partition("%")[0])
    except ValueError:
        return None
    # A socket for both versions reports IPv4 addresses as IPv4-mapped IPv6 addresses.
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
