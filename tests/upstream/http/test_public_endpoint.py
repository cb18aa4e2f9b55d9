"""Connections to host names, limited to permitted addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.web.client import URI
from zope.interface import implementer

from pypid.testing.fakes import Synchronous
from pypid.upstream.http.allowed_hosts import UrlPolicy
from pypid.upstream.http.endpoints import Endpoints
from pypid.upstream.http.public_endpoint import PublicEndpoint
from pypid.upstream.http.upstream_failures import UnusableAnswer

INDEX = "https://index.example.org/simple/"


@implementer(IHostnameResolver)
class Resolver:
    """Returns other addresses each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    def resolveHostName(self, receiver: Any, name: str, portNumber: int = 0, *args: Any) -> Any:  # noqa: N803
        """Return the next addresses."""
        receiver.resolutionBegan(None)
        for address in self.answers.pop(0):
            kind = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, portNumber))
        receiver.resolutionComplete()


@implementer(IReactorPluggableNameResolver)
class Reactor(MemoryReactorClock):
    """A reactor in memory, which knows of no names but those that it is told."""

    def __init__(self, *answers: Sequence[str]) -> None:
        super().__init__()
        self.nameResolver = Resolver(*answers)

    def installNameResolver(self, resolver: Any) -> Any:
        """Do nothing."""

    @property
    def hosts(self) -> list[str]:
        """The addresses that were to be connected to."""
        return [client[0] for client in self.tcpClients]


class PublicEndpointTests(Synchronous):
    """What is connected to."""

    def connect(self, reactor: Reactor) -> Any:
        """Begin to connect."""
        factory = Factory.forProtocol(Protocol)
        return PublicEndpoint(reactor, "files.example.org", 443, 10.0).connect(factory)

    def test_public(self) -> None:
        """Public addresses are."""
        reactor = Reactor(["151.101.0.223"])
        self.assertNoResult(self.connect(reactor))
        self.assertEqual(reactor.hosts, ["151.101.0.223"])

    def test_t56_private(self) -> None:
        """Others are not, and it is said why (T56)."""
        for address in (
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.1",
            "::1",
            "fe80::1%eth0",
            "::ffff:192.168.0.1",
        ):
            reactor = Reactor([address])
            failure = self.failureResultOf(self.connect(reactor), UnusableAnswer)
            self.assertEqual(
                str(failure.value),
                "files.example.org is at a private address, and allow-private is not given",
            )
            self.assertEqual(reactor.hosts, [])

    def test_t56_both(self) -> None:
        """Of several only the public ones are (T56)."""
        reactor = Reactor(["127.0.0.1", "151.101.0.223", "::1"])
        self.assertNoResult(self.connect(reactor))
        reactor.advance(100)
        self.assertEqual(reactor.hosts, ["151.101.0.223"])

    def test_t56_rebinding(self) -> None:
        """A name is looked up once for each connection, and what was validated is connected to (T56)."""
        reactor = Reactor(["151.101.0.223"], ["127.0.0.1"])
        self.assertNoResult(self.connect(reactor))
        self.assertEqual(len(reactor.nameResolver.answers), 1)
        self.failureResultOf(self.connect(reactor), UnusableAnswer)
        self.assertEqual(reactor.hosts, ["151.101.0.223"])

    def test_unknown(self) -> None:
        """A name that is not known is not at a private address."""
        self.failureResultOf(self.connect(Reactor([])), DNSLookupError)


class EndpointsTests(Synchronous):
    """Which hosts are validated."""

    def connected(self, url: bytes, **reach: Any) -> list[str]:
        """Connect to a URL whose host is at a private address; return what was connected to."""
        reactor = Reactor(["10.0.0.1"])
        endpoints = Endpoints(reactor, UrlPolicy(INDEX, **reach), 10.0)
        connecting = endpoints.endpointForURI(URI.fromBytes(url)).connect(Factory.forProtocol(Protocol))
        connecting.addErrback(lambda failure: failure.trap(UnusableAnswer))
        return reactor.hosts

    def test_t56_trusted(self) -> None:
        """The configured origin, listed hosts, and with allow-private all, may be at any address (T56)."""
        self.assertEqual(self.connected(b"https://index.example.org/x"), ["10.0.0.1"])
        self.assertEqual(self.connected(b"https://INDEX.example.org:443/x"), ["10.0.0.1"])
        self.assertEqual(self.connected(b"https://f.internal/", hosts=["f.internal"]), ["10.0.0.1"])
        self.assertEqual(self.connected(b"http://x.internal/", allow_private=True), ["10.0.0.1"])

    def test_quiet(self) -> None:
        """No connection is worth two lines in the log."""
        for url in (b"https://index.example.org/x", b"https://f.example.org/x", b"http://f.example.org/x"):
            factory = Factory.forProtocol(Protocol)
            endpoints = Endpoints(Reactor(["151.101.0.223"]), UrlPolicy(INDEX), 10.0)
            self.assertNoResult(endpoints.endpointForURI(URI.fromBytes(url)).connect(factory))
            self.assertFalse(factory.noisy)

    def test_t56_not_trusted(self) -> None:
        """Others may not, be it the origin's host on another port (T56)."""
        for url in (
            b"https://files.example.org/",
            b"https://index.example.org:80/",
            b"http://index.example.org/",
        ):
            self.assertEqual(self.connected(url), [])
