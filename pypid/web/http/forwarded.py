"""The sender of a request that trusted proxies have forwarded: its address, its scheme and its host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from attrs import frozen
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

from pypid.errors import ConfigurationError, PypidError
from pypid.formats import forwarded_headers
from pypid.formats.forwarded_headers import Address, Report, last_trusted, parse_address

__all__ = ["Contradiction", "Sender", "TrustedProxies"]


class Contradiction(PypidError):
    """Two headers from a trusted proxy contradict each other, so a client has made up one of them."""


@frozen
class Sender:
    """Who has sent a request, and how, as far as this is known."""

    client: IAddress
    """The address of the client, or of the last proxy that is not trusted."""
    secure: bool = False
    """Whether the client is known to use TLS."""
    host: str | None = None
    """The host that the client asked for; ``None`` if no trusted proxy reports it."""


@frozen
class TrustedProxies:
    """The proxies whose ``Forwarded`` and ``X-Forwarded-`` headers are trusted; none by default."""

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

    def client(
        self, peer: IAddress, x_forwarded_for: Sequence[bytes], forwarded: Sequence[bytes]
    ) -> IAddress:
        """Return the address of the client of a request that has at most one of the two headers.

        :param x_forwarded_for: the values of ``X-Forwarded-For``.
        :param forwarded: the values of ``Forwarded``.
        """
        if not (x_forwarded_for or forwarded) or not self.trusts_peer(peer):
            return peer
        reports = (
            forwarded_headers.x_forwarded(_joined(x_forwarded_for), None, None)
            if x_forwarded_for
            else forwarded_headers.forwarded(_joined(forwarded) or "")
        )
        return _sender(peer, False, last_trusted(reports, self._trusts)).client

    def sender(self, peer: IAddress, secure: bool, headers: Headers) -> Sender:
        """Return the sender of a request.

        This is the peer, unless a trusted proxy reports another one. If a trusted proxy does not report an
        address, the peer's address is returned.

        :param secure: whether the peer's connection uses TLS.
        :param headers: the headers of the request.
        :raises Contradiction: the two kinds of headers differ. A proxy that writes one kind may pass on the
            other as it came from the client.
        """
        if not self.trusts_peer(peer):
            return Sender(peer, secure)
        x_for = _joined(headers.getRawHeaders(b"X-Forwarded-For"))
        older = last_trusted(
            forwarded_headers.x_forwarded(
                x_for,
                _joined(headers.getRawHeaders(b"X-Forwarded-Proto")),
                _joined(headers.getRawHeaders(b"X-Forwarded-Host")),
            ),
            self._trusts,
        )
        standard = _joined(headers.getRawHeaders(b"Forwarded"))
        newer = (
            last_trusted(forwarded_headers.forwarded(standard), self._trusts)
            if standard is not None
            else None
        )
        if older is None or newer is None:
            return _sender(peer, secure, older or newer)
        if x_for is None:
            older = Report(newer.address, older.scheme, older.host)
        if older.address != newer.address or not (
            _agree(older.scheme, newer.scheme) and _agree(older.host, newer.host)
        ):
            raise Contradiction(
                "Forwarded and X-Forwarded headers contradict each other: the proxy has to remove those that"
                " it does not write itself"
            )
        return _sender(
            peer, secure, Report(older.address, older.scheme or newer.scheme, older.host or newer.host)
        )

    def trusts_peer(self, peer: IAddress) -> bool:
        """Return whether the peer of a connection is a trusted proxy."""
        if isinstance(peer, UNIXAddress):
            return self.unix
        if not self.networks:
            return False
        address = parse_address(getattr(peer, "host", ""))
        return address is not None and self._trusts(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def _sender(peer: IAddress, secure: bool, report: Report | None) -> Sender:
    """Return the sender according to a report. What it does not say is taken from the connection."""
    if report is None:
        return Sender(peer, secure)
    client: IAddress = peer
    if report.address is not None:
        kind = IPv4Address if report.address.version == 4 else IPv6Address
        client = kind("TCP", str(report.address), 0)
    return Sender(client, report.scheme == "https" if report.scheme else secure, report.host)


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one.lower() == other.lower()


def _joined(values: Sequence[bytes] | None) -> str | None:
    """Return the values of a header as one list (RFC 9110, section 5.3)."""
    return b",".join(values).decode("latin-1") if values else None


def _flaw(text: str) -> str:
    """Return the error message for a text that is neither an address nor a network."""
    try:
        return f"{text!r} has bits beyond its prefix; write {ip_network(text, strict=False)}"
    except ValueError:
        return f"{text[:80]!a} is no IP address, such as 127.0.0.1 or 10.1.0.0/16, and not the word unix"
