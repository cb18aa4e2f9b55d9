"""How many connections and requests a client may have, and what the next one is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock

from pypid.errors import CannotStart
from pypid.tap import Options
from pypid.testing.web import Answer, MemorySite
from pypid.web.http.client_limits import MAX_REMEMBERED, ClientLimits, LimitState, network_of
from pypid.web.http.forwarded import TrustedProxies

PAGE = b"GET /simple/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEALTH = b"GET /+health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def address(text: str) -> IPv4Address | IPv6Address:
    """Return an address with a port."""
    return (IPv6Address if ":" in text else IPv4Address)("TCP", text, 50000)


def asked(site: MemorySite, data: bytes) -> Answer:
    """Send a request on a connection of its own, and return the answer."""
    connection = site.connect()
    connection.send(data)
    [answer] = connection.answers("GET")
    connection.transport.loseConnection()
    return answer


def test_connections_in_all() -> None:
    """One more is told so before it asks; when one ends there is room again."""
    site = MemorySite(limits=ClientLimits(connections=2))
    first, second, third = site.connect(), site.connect(), site.connect()
    [refused] = third.answers("GET")
    assert (refused.status, "too many connections" in refused.text) == (503, True)
    for connection in (first, second):
        connection.send(PAGE)
        assert [answer.status for answer in connection.answers("GET")] == [200]
    third.transport.loseConnection()
    assert site.connect().answers("GET")[0].status == 503
    first.transport.loseConnection()
    second.transport.loseConnection()
    fresh = site.connect()
    fresh.send(PAGE)
    assert fresh.answers("GET")[0].status == 200


def test_connections_from_one_address() -> None:
    """The proxy that is trusted has more; who it is, is known with the first data."""
    site = MemorySite(limits=ClientLimits(connections_per_address=2))
    connections = [site.connect() for _ in range(3)]
    statuses = []
    for connection in connections:
        connection.send(PAGE)
        statuses.append(connection.answers("GET")[0].status)
    assert statuses == [200, 200, 429]
    for connection in connections:
        connection.transport.loseConnection()
    assert not site.site.limits._by_address
    site.site.served.proxies = TrustedProxies.of(["127.0.0.1"])
    for _ in range(5):
        connection = site.connect()
        connection.send(PAGE)
        assert connection.answers("GET")[0].status == 200


def test_requests_from_one_address() -> None:
    """Also of pages that are at hand; those about the daemon are free, and time brings new ones."""
    site = MemorySite(limits=ClientLimits(requests_per_address=3))
    statuses = []
    for data in (PAGE, PAGE, HEALTH, PAGE, PAGE, HEALTH):
        answer = asked(site, data)
        statuses.append(answer.status)
        if answer.status == 429:
            assert answer.headers["Retry-After"] == "20"
    assert statuses == [200, 200, 200, 200, 429, 200]
    site.reactor.advance(19)
    assert asked(site, PAGE).status == 429
    site.reactor.advance(2)
    assert asked(site, PAGE).status == 200


def test_each_client_of_a_trusted_proxy_has_its_own() -> None:
    site = MemorySite(limits=ClientLimits(requests_per_address=1), proxies=TrustedProxies.of(["127.0.0.1"]))
    for expected in (200, 429):
        for client in ("192.0.2.1", "2001:db8::1"):
            assert site.get("/simple/", X_Forwarded_For=client).status == expected
    assert site.get("/simple/", X_Forwarded_For="2001:db8::2").status == 429, "it is of the same network"
    assert site.get("/simple/", X_Forwarded_For="2001:db8:0:1::1").status == 200


def test_without_limits_there_are_none() -> None:
    site = MemorySite()
    for connection in [site.connect() for _ in range(300)]:
        connection.send(PAGE)
        assert connection.answers("GET")[0].status == 200


def test_a_stranger_fills_no_memory() -> None:
    state = LimitState(ClientLimits(connections_per_address=1, requests_per_address=1), Clock().seconds)
    for number in range(MAX_REMEMBERED + 100):
        one = address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        for _ in range(2):
            state.request(one)
        for network, _ in (state.identify(one), state.identify(one)):
            state.close(network)
    assert len(state._requests) == MAX_REMEMBERED
    assert len(state._told) <= MAX_REMEMBERED + 1
    assert not state._by_address


@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.floats(0, 10)), max_size=100),
)
def test_no_more_than_so_many_in_a_minute(most: int, asked: list[tuple[str, float]]) -> None:
    """Whoever asks whenever gets at most twice as many in any minute, and whoever waits as told gets one."""
    clock = Clock()
    state = LimitState(ClientLimits(requests_per_address=most), clock.seconds)
    taken: dict[str, list[float]] = {}
    for host, pause in asked:
        clock.advance(pause)
        seconds = state.request(address(host))
        if seconds is None:
            taken.setdefault(host, []).append(clock.seconds())
        else:
            later = Clock()
            later.advance(clock.seconds() + seconds)
            other = LimitState(state.limits, later.seconds)
            other._requests.update(state._requests)
            assert other.request(address(host)) is None
    for times in taken.values():
        for start in times:
            assert sum(start <= time < start + 60 for time in times) <= 2 * most


def test_networks() -> None:
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("2001:db8::1%eth0") == "2001:db8::/64"
    assert network_of("-") == "-"
    state = LimitState(ClientLimits(connections_per_address=1), Clock().seconds)
    assert state.identify(UNIXAddress(b"/run/x")) == ("-", True)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "", "²", "1000001", "9" * 5000])
def test_what_is_no_limit_is_told(text: str) -> None:
    for name in (
        "max-connections",
        "max-connections-per-address",
        "max-requests-per-address",
        "send-timeout",
    ):
        with pytest.raises(CannotStart, match=rf"^pypid: --{name}: .*such as 1000"):
            Options().parseOptions(["--root", "/x", f"--{name}", text])
