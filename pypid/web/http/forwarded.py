"""Whose request a proxy has passed on, where the proxy is one that is believed.

A client may write any ``X-Forwarded-For`` it likes; what stands at its right end was put there
by the last proxy. So it is read from the right, for as long as who says it is trusted.
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
"""How many proxies in a row are looked at."""

# Some proxies put the port behind the address.
_HOP = re.compile(
    r"(?P<v4>[0-9.]{7,15})(?::[0-9]{1,5})?|\[(?P<bracketed>[^\]]+)\](?::[0-9]{1,5})?|(?P<v6>.+)"
)


@frozen
class TrustedProxies:
    """The proxies whose ``X-Forwarded-For`` is believed; none if nothing is said."""

    networks: Sequence[IPv4Network | IPv6Network] = ()
    """Where they are."""
    unix: bool = False
    """Whether whoever comes over a UNIX socket is one."""

    @classmethod
    def of(cls, descriptions: Iterable[str]) -> TrustedProxies:
        """Make it of addresses, networks and the word ``unix``.

        :raises ConfigurationError: one is none of these, or has everybody in it.
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
        """Return the address of the client that a request is from.

        It is that of the peer, unless a proxy that is trusted tells another. Where what such a
        proxy tells is no address, it is the peer's.

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
    """Return what is wrong with what is no address and no network."""
    try:
        return f"{text!r} has bits beyond its prefix; write {ip_network(text, strict=False)}"
    except ValueError:
        return f"{text[:80]!a} is no IP address, such as 127.0.0.1 or 10.1.0.0/16, and not the word unix"


def _address(text: str) -> _Address | None:
    """Return an address as it is written, maybe with a port; ``None`` if it is none."""
    match = _HOP.fullmatch(text.strip())
    if match is None:
        return None
    try:
        address = ip_address(match[match.lastgroup or 0].partition("%")[0])
    except ValueError:
        return None
    # A socket for both kinds shows IPv4 addresses in the guise of IPv6 ones.
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
