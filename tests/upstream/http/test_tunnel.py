"""Connections through a web proxy."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI

from pypid.errors import UpstreamFailed, UpstreamTimedOut
from pypid.testing.fakes import Synchronous
from pypid.testing.wires import Wire, Wires
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.tunnel import MAX_HEAD, ProxyEndpoint, Tunnel
from pypid.upstream.http.upstream_failures import BusyAnswer, Unreachable, UnusableAnswer
from pypid.upstream.http.web_proxies import WebProxy

PROXY = WebProxy(Origin("http", "proxy.example.org", 3128), "the option via", b"Basic s3cret")
HOST = Origin("https", "index.example.org", 443)
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Inner(Protocol):
    """What speaks through the tunnel."""

    received = b""
    lost: Failure | None = None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class TunnelTests(Synchronous):
    """CONNECT (RFC 9110, section 9.3.6)."""

    def setUp(self) -> None:
        super().setUp()
        self.wires = Wires()

    def connect(self, place: Origin = HOST, proxy: WebProxy = PROXY) -> Deferred[Any]:
        """Begin to connect."""
        endpoint = self.wires.endpointForURI(URI.fromBytes(str(proxy).encode()))
        tunnel = Tunnel(ProxyEndpoint(endpoint, proxy), proxy, place)
        return tunnel.connect(Factory.forProtocol(Inner))

    @property
    def wire(self) -> Wire:
        return self.wires.last

    def why(self, connecting: Deferred[Any], kind: type[UpstreamFailed] = UpstreamFailed) -> str:
        """Return why there is no connection; the one to the proxy is closed, and no secret told."""
        text = str(self.failureResultOf(connecting, kind).value)
        self.assertTrue(not self.wires.made or self.wire.is_closed)
        self.assertNotIn("s3cret", text)
        self.assertEqual(len(text.splitlines()), 1)
        return text

    def test_fault_d2_asks_and_hands_over(self) -> None:
        """The proxy is told where to and who asks; then all is between the two ends."""
        connecting = self.connect()
        target, headers = self.wire.request()
        self.assertEqual((self.wire.url, target), ("http://proxy.example.org:3128", "index.example.org:443"))
        self.assertTrue(self.wire.sent.startswith(b"CONNECT index.example.org:443 HTTP/1.1\r\n"))
        self.assertEqual(headers["host"], "index.example.org:443")
        self.assertEqual(headers["proxy-authorization"], "Basic s3cret")
        self.assertNoResult(connecting)
        self.wire.send(ESTABLISHED + b"first")
        inner = self.successResultOf(connecting)
        self.assertTrue(self.wire.sent.endswith(b"\r\n\r\nhello"))
        self.wire.send(b" second")
        self.assertEqual(inner.received, b"first second")
        self.wire.lose()
        self.assertIsNotNone(inner.lost)

    def test_fault_d2_without_credentials(self) -> None:
        self.connect(Origin("https", "::1", 8443), WebProxy(PROXY.origin, "the option via"))
        target, headers = self.wire.request()
        self.assertEqual(target, "[::1]:8443")
        self.assertNotIn("proxy-authorization", headers)

    def test_fault_d2_any_cut(self) -> None:
        """The answer may come in any pieces, with headers, and with any status that says yes."""

        @given(st.lists(st.integers(0, 60), max_size=6))
        def check(cuts: list[int]) -> None:
            answer = b"HTTP/1.0 204 \xff\r\nVia: x\r\n\r\n\r\nrest"
            connecting = self.connect()
            start = 0
            for stop in [*sorted(cuts), len(answer)]:
                if stop > start:
                    self.wire.send(answer[start:stop])
                    start = stop
            self.assertEqual(self.successResultOf(connecting).received, b"\r\nrest")

        check()

    def test_fault_d2_refusals(self) -> None:
        """Each has words of its own; those that may pass are failures, the others are answers."""
        for status, words, kind in (
            (407, "the web proxy does not take the user name and password", UnusableAnswer),
            (403, "the web proxy refuses to connect to index.example.org:443: status 403", UnusableAnswer),
            (302, "the web proxy refuses to connect", UnusableAnswer),
            (100, "the web proxy refuses to connect", UnusableAnswer),
            (502, "the web proxy fails to connect to index.example.org:443: status 502", Unreachable),
            (429, "the web proxy is asked too often to connect", BusyAnswer),
        ):
            connecting = self.connect()
            self.wire.answer(status, b"<html>s3cret</html>", Proxy_Authenticate="Basic")
            self.assertIn(words, self.why(connecting, kind))
        connecting = self.connect(proxy=WebProxy(PROXY.origin, "the option via"))
        self.wire.answer(407)
        self.assertIn("wants a user name and password: see via-credentials", self.why(connecting))

    def test_fault_d2_no_proxy_at_all(self) -> None:
        """Another server, or one that talks without end, is told as such."""
        for data in (
            b"220 mail.example.org\r\n\r\n",
            b"HTTP/2 200 OK\r\n\r\n",
            b"x" * (MAX_HEAD + 1),
            b"\r\n\r\n",
        ):
            connecting = self.connect()
            self.wire.send(data)
            self.assertIn("does not answer as one", self.why(connecting, UnusableAnswer))
            self.wire.lose()

    def test_fault_d2_goes_away(self) -> None:
        """It may close the connection at any point before it is through."""
        for begin in (b"", b"HTTP/1.1 200 Conn", ESTABLISHED[:-1]):
            connecting = self.connect()
            self.wire.send(begin)
            self.wire.lose()
            self.assertIn(
                "the web proxy closed the connection; the option via names it", self.why(connecting)
            )

    def test_fault_d2_cannot_be_connected_to(self) -> None:
        for failure, words, kind in (
            (
                error.ConnectionRefusedError(),
                "the web proxy refuses connections; the option via",
                UpstreamFailed,
            ),
            (error.DNSLookupError("x"), "the web proxy: its name cannot be looked up", Unreachable),
            (error.TimeoutError(), "the web proxy did not answer in time", UpstreamTimedOut),
            (error.ConnectionDone(), "the web proxy closed the connection", Unreachable),
        ):
            self.wires.failure = failure
            self.assertIn(words, self.why(self.connect(), kind))

    def test_fault_d2_cancelled(self) -> None:
        """Whoever gives up leaves no connection behind, at whatever point."""
        self.wires.silent = True
        connecting = self.connect()
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.wires.silent = False
        for begin in (b"", b"HTTP/1.1 200 Conn"):
            connecting = self.connect()
            self.wire.send(begin)
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            self.assertTrue(self.wire.is_closed)
            self.wire.lose()
