"""Limits for clients: connections in all and for each address, requests for each address, stalled readers."""

from __future__ import annotations

import math
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

from attrs import define, field, frozen
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

__all__ = ["ClientLimits", "LimitState", "network_of"]

MAX_REMEMBERED = 10_000
"""Largest number of addresses whose requests are counted."""
LOG_INTERVAL = 60.0
"""Shortest time between two log messages about the same limit, in seconds."""
MINUTE = 60.0


@frozen
class ClientLimits:
    """The configured limits; ``None`` stands for no limit."""

    connections: int | None = None
    """Largest number of connections at a time."""
    connections_per_address: int | None = None
    """Largest number of connections at a time from one address. Trusted proxies may have more."""
    requests_per_address: int | None = None
    """Largest number of requests in a minute from one address."""
    send_timeout: int | None = None
    """Time in seconds after which a client is cut off that takes no byte of what is sent to it."""


def network_of(host: str) -> str:
    """Return the smallest network that surely belongs to one client; return a non-address unchanged.

    It is an IPv4 address, or the /64 network of an IPv6 address: one client can use all of that.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    # A dual-stack socket reports IPv4 addresses as IPv4-mapped IPv6 addresses.
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))


@define(eq=False)
class LimitState:
    """The connections and requests of all clients at the moment. For the reactor's thread."""

    limits: ClientLimits
    _seconds: Callable[[], float]
    _open: int = field(default=0, init=False)
    _by_address: Counter[str] = field(factory=Counter, init=False)
    _requests: OrderedDict[str, tuple[float, float]] = field(factory=OrderedDict, init=False)
    """For each address, how many requests it may make, and at what time that was so."""
    _told: dict[str, float] = field(factory=dict, init=False)
    _log = Logger()

    def open(self) -> bool:
        """Count a new connection. Return whether there are not too many; count it in any case."""
        self._open += 1
        most = self.limits.connections
        if most is None or self._open <= most:
            return True
        self._tell("connections", "there are more than {most} connections", most=most)
        return False

    def close(self, network: str | None) -> None:
        """Uncount a connection.

        :param network: what :meth:`identify` has returned for it, if it was called.
        """
        self._open -= 1
        if network is not None:
            self._by_address[network] -= 1
            if self._by_address[network] <= 0:
                del self._by_address[network]

    def identify(self, peer: IAddress) -> tuple[str, bool]:
        """Count the connection of a peer that is no trusted proxy.

        :returns: the network of the peer, and whether it has not too many connections.
        """
        network = network_of(getattr(peer, "host", "-"))
        self._by_address[network] += 1
        most = self.limits.connections_per_address
        if most is None or self._by_address[network] <= most:
            return network, True
        self._tell(
            network, "there are more than {most} connections from {network}", most=most, network=network
        )
        return network, False

    def request(self, client: IAddress) -> int | None:
        """Count a request of a client.

        :returns: the seconds to wait if the client has made too many requests, which does not count then;
            otherwise ``None``.
        """
        most = self.limits.requests_per_address
        if most is None:
            return None
        network, now = network_of(getattr(client, "host", "-")), self._seconds()
        left, since = self._requests.pop(network, (float(most), now))
        left = min(most, left + (now - since) * most / MINUTE)
        is_allowed = left >= 1
        self._requests[network] = (left - 1 if is_allowed else left, now)
        if len(self._requests) > MAX_REMEMBERED:
            self._requests.popitem(last=False)
        if is_allowed:
            return None
        self._tell(
            network, "there are more than {most} requests a minute from {network}", most=most, network=network
        )
        return math.ceil((1 - left) * MINUTE / most)

    def watch_reader(self, transport: Any) -> None:
        """Have the system end a connection whose client takes nothing, where the system can (Linux)."""
        one, seconds = getattr(transport, "socket", None), self.limits.send_timeout
        if seconds is None or one is None or not hasattr(socket, "TCP_USER_TIMEOUT"):
            return
        if one.family in (socket.AF_INET, socket.AF_INET6):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)

    def _tell(self, what: str, message: str, **values: object) -> None:
        """Write to the log, but not as often as somebody could make it happen."""
        now = self._seconds()
        if now - self._told.get(what, -math.inf) >= LOG_INTERVAL:
            if len(self._told) > MAX_REMEMBERED:
                self._told.clear()
            self._told[what] = now
            self._log.warn(message, **values)
