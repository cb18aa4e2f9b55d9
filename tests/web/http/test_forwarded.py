"""The client address of a forwarded request, taken from trusted proxies alone."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

from pypid.errors import ConfigurationError
from pypid.formats.forwarded_headers import MAX_HOPS
from pypid.testing.builds import wheel
from pypid.testing.web import MemorySite, basic, upload_form
from pypid.web.http.forwarded import Contradiction, Sender, TrustedProxies
from pypid.web.permissions.login_throttle import LIMIT

TRUSTED = TrustedProxies.of(["127.0.0.1", "10.1.0.0/16", "2001:db8:1::/48"])


def client(*forwarded: str, peer: str = "127.0.0.1", proxies: TrustedProxies = TRUSTED) -> str:
    """Return where a request is from."""
    address: IAddress = (IPv6Address if ":" in peer else IPv4Address)("TCP", peer, 50000)
    found = proxies.client(address, [value.encode("latin-1") for value in forwarded], [])
    assert found is address or isinstance(found, IPv4Address | IPv6Address)
    return str(found.host)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ((), "127.0.0.1"),
        (("192.0.2.7",), "192.0.2.7"),
        ((" 192.0.2.7 ",), "192.0.2.7"),
        (("192.0.2.7:4711",), "192.0.2.7"),
        (("[2001:db8:2::7]:4711",), "2001:db8:2::7"),
        (("2001:db8:2::7",), "2001:db8:2::7"),
        (("::ffff:192.0.2.7",), "192.0.2.7"),
        # What stands further to the left the client may have written itself.
        (("198.51.100.1, 192.0.2.7",), "192.0.2.7"),
        (("10.1.2.3, 192.0.2.7",), "192.0.2.7"),
        (("nonsense, 192.0.2.7",), "192.0.2.7"),
        # Proxies in a row, and values in several lines.
        (("198.51.100.1, 192.0.2.7, 10.1.2.3, 2001:db8:1::9",), "192.0.2.7"),
        (("198.51.100.1", "192.0.2.7", "10.1.2.3"), "192.0.2.7"),
        (("10.1.2.3",), "10.1.2.3"),
        (("10.1.2.3, 10.1.2.4",), "10.1.2.3"),
        # What is no address tells nothing.
        (("",), "127.0.0.1"),
        (("unknown",), "127.0.0.1"),
        (("192.0.2.7,",), "127.0.0.1"),
        (("192.0.2.7, -",), "127.0.0.1"),
        (("192.0.2.7, nonsense, 10.1.2.3",), "127.0.0.1"),
        (("192.0.2.256",), "127.0.0.1"),
        (("192.0.2.7 198.51.100.1",), "127.0.0.1"),
        (("\xff",), "127.0.0.1"),
    ],
)
def test_fault_a9_t32_from_the_right_while_it_is_trusted(forwarded: tuple[str, ...], expected: str) -> None:
    assert client(*forwarded) == expected


def test_fault_a9_t32_of_others_nothing_is_believed() -> None:
    for peer in ("192.0.2.1", "10.2.0.1", "127.0.0.2", "2001:db8:2::1"):
        assert client("198.51.100.1", peer=peer) == peer
        assert client("198.51.100.1", peer=peer, proxies=TrustedProxies()) == peer
    assert client("198.51.100.1", peer="::ffff:10.1.0.9") == "198.51.100.1"
    assert client("198.51.100.1", peer="2001:db8:1::7") == "198.51.100.1"


def test_fault_a9_t32_so_many_proxies_and_no_more() -> None:
    assert client(", ".join(["192.0.2.7", *["10.1.0.1"] * MAX_HOPS])) == "10.1.0.1"
    assert client("192.0.2.7", *["10.1.0.1"] * 5) == "192.0.2.7"


def test_fault_a9_a_proxy_at_a_socket_file() -> None:
    peer = UNIXAddress(b"/run/pypid.sock")
    assert TRUSTED.client(peer, [b"192.0.2.7"], []) is peer
    unix = TrustedProxies.of(["unix"])
    assert unix.client(peer, [b"198.51.100.1, 192.0.2.7"], []) == IPv4Address("TCP", "192.0.2.7", 0)
    assert unix.client(peer, [], []) is peer
    assert client("192.0.2.7", proxies=unix) == "127.0.0.1"


@given(st.lists(st.text(st.characters(max_codepoint=255)) | st.ip_addresses().map(str), max_size=5))
def test_fault_a9_anything_gives_an_address(forwarded: list[str]) -> None:
    assert client(*forwarded)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no IP address, such as 127.0.0.1"),
        ("nginx.example.org", "is no IP address"),
        ("127.0.0.1:8080", "is no IP address"),
        ("unix:/run/pypid.sock", "is no IP address"),
        ("10.1.2.3/16", "write 10.1.0.0/16"),
        ("0.0.0.0/0", "has everybody in it"),
        ("::/0", "has everybody in it"),
        ("x" * 5000, "is no IP address"),
    ],
)
def test_fault_a9_what_is_no_address_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        TrustedProxies.of(["127.0.0.1", text])
    assert len(str(raised.value)) < 250


def test_fault_a9_behind_a_proxy_each_client_guesses_for_itself() -> None:
    """And the access log has the clients; links are still made of nothing that anybody sends."""
    site = MemorySite(proxies=TRUSTED)
    site.site.logFile = StringIO()
    for number in range(LIMIT + 1):
        answer = site.get("/simple/", X_Forwarded_For="192.0.2.7", **basic("ci", f"{number}"))
    assert answer.status == 429
    known = site.get(
        "/", X_Forwarded_For="192.0.2.8", X_Forwarded_Host="evil.example.org", **basic("ci", "secret")
    )
    assert known.status == 200
    assert "evil" not in known.text
    assert [line.split()[0].strip('"') for line in site.site.logFile.getvalue().splitlines()] == [
        *["192.0.2.7"] * (LIMIT + 1),
        "192.0.2.8",
    ]


def test_fault_a9_without_a_trusted_proxy_the_header_means_nothing() -> None:
    site = MemorySite()
    site.site.logFile = StringIO()
    for number in range(LIMIT + 1):
        answer = site.get("/simple/", X_Forwarded_For=f"192.0.2.{number}", **basic("ci", f"{number}"))
    assert answer.status == 429
    assert "192.0.2." not in site.site.logFile.getvalue()


def sender(peer: str, secure: bool = False, **headers: str) -> Sender:
    """Return who has sent a request with these headers."""
    lines = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
    return TRUSTED.sender(IPv4Address("TCP", peer, 50000), secure, lines)


def test_t32_scheme_and_host_of_a_trusted_proxy() -> None:
    found = sender(
        "127.0.0.1", X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="https", X_Forwarded_Host="a.example.org"
    )
    assert found == Sender(IPv4Address("TCP", "192.0.2.7", 0), True, "a.example.org")
    assert sender("127.0.0.1", Forwarded="for=192.0.2.7;proto=https;host=a.example.org") == found
    assert not sender("127.0.0.1", secure=True, X_Forwarded_Proto="http").secure
    assert sender("127.0.0.1", secure=True, X_Forwarded_For="192.0.2.7").secure
    stranger = IPv4Address("TCP", "192.0.2.1", 50000)
    headers = {"X_Forwarded_For": "127.0.0.1", "X_Forwarded_Proto": "https", "Forwarded": "for=127.0.0.1"}
    assert sender("192.0.2.1", **headers) == Sender(stranger)
    assert sender("192.0.2.1", secure=True, **headers) == Sender(stranger, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "192.0.2.7", "Forwarded": "for=198.51.100.1"},
        {"X_Forwarded_For": "192.0.2.7", "Forwarded": "proto=https"},
        {"X_Forwarded_For": "192.0.2.7", "Forwarded": "nonsense"},
        {"X_Forwarded_For": "nonsense", "Forwarded": "for=192.0.2.7"},
        {"X_Forwarded_Proto": "http", "Forwarded": "for=192.0.2.7;proto=https"},
        {"X_Forwarded_Host": "a.example.org", "Forwarded": "for=192.0.2.7;host=b.example.org"},
    ],
)
def test_t32_headers_that_contradict_each_other(headers: dict[str, str]) -> None:
    """A proxy passes on one of them as the client wrote it: which, nobody can tell."""
    with pytest.raises(Contradiction):
        sender("127.0.0.1", **headers)
    assert sender("192.0.2.1", **headers).client == IPv4Address("TCP", "192.0.2.1", 50000)
    site = MemorySite(proxies=TRUSTED)
    for _ in range(3):
        assert site.get("/simple/", **headers).status == 400
        assert site.get("/simple/", X_Forwarded_For="192.0.2.7").status == 200
    assert "contradict" in site.get("/simple/", **headers).text


def test_t32_headers_that_agree() -> None:
    found = sender(
        "127.0.0.1",
        X_Forwarded_For="1.1.1.1, 192.0.2.7",
        X_Forwarded_Proto="https",
        Forwarded="for=192.0.2.7",
    )
    assert found == Sender(IPv4Address("TCP", "192.0.2.7", 0), True)


def test_t32_whoever_uses_tls_is_on_no_page_without_it() -> None:
    """And the name that a trusted proxy reports is this site's, whatever the proxy calls it."""
    form, body = upload_form(*wheel("acme-lib", "1.0"), "acme-lib", "1.0")
    headers = {
        **form,
        **basic("ci", "secret"),
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "a.example.org",
    }
    site = MemorySite(proxies=TRUSTED)
    for origin, status in (
        ("http://a.example.org", 403),
        ("https://b.example.org", 403),
        ("https://a.example.org", 200),
    ):
        assert site.request("POST", "/legacy/", {**headers, "Origin": origin}, body).status == status


def test_t32_a_thousand_entries_in_a_request() -> None:
    site = MemorySite(proxies=TRUSTED)
    site.site.logFile = StringIO()
    assert site.get("/simple/", X_Forwarded_For=", ".join(["10.1.0.1"] * 1000)).status == 200
    assert site.get("/simple/", Forwarded=", ".join(["for=10.1.0.1"] * 1000)).status == 200
    assert [line.split()[0] for line in site.site.logFile.getvalue().splitlines()] == ['"10.1.0.1"'] * 2
