"""What proxies report, in the headers of RFC 7239 and the older ones; both are read from the right."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.formats.forwarded_headers import (
    MAX_HOPS,
    Address,
    Report,
    forwarded,
    is_host,
    last_trusted,
    parse_address,
    x_forwarded,
)

CLIENT, PROXY = ip_address("192.0.2.7"), ip_address("10.1.0.1")
SIX = ip_address("2001:db8:cafe::17")
UNKNOWN = Report()

TOKENS = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True)
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)


def quote(text: str) -> str:
    """Return a quoted string (RFC 9110, section 5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.mark.parametrize(
    ("text", "reports"),
    [
        # The examples of RFC 7239, sections 4 and 7.
        ('for="_gazonk"', [UNKNOWN]),
        ('For="[2001:db8:cafe::17]:4711"', [Report(SIX)]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [Report(ip_address("192.0.2.60"), "http")]),
        (
            "for=192.0.2.43, for=198.51.100.17",
            [Report(ip_address("198.51.100.17")), Report(ip_address("192.0.2.43"))],
        ),
        (
            'for=192.0.2.43, for="[2001:db8:cafe::17]", for=unknown',
            [UNKNOWN, Report(SIX), Report(ip_address("192.0.2.43"))],
        ),
        (
            'for=192.0.2.7;host="packages.example.org:8443";proto=HTTPS',
            [Report(CLIENT, "https", "packages.example.org:8443")],
        ),
        (" for=192.0.2.7 ; proto=https ;", [Report(CLIENT, "https")]),
        ("proto=https", [Report(None, "https")]),
        ('for="192.0.2.7:4711"', [Report(CLIENT)]),
        # Commas and quotes in quoted strings do not separate.
        ('for=192.0.2.7;host="a, for=198.51.100.1"', [Report(CLIENT)]),
        (r'for=192.0.2.7;x="a\", for=198.51.100.1"', [Report(CLIENT)]),
        ('for=10.1.0.1, for=192.0.2.7;x="a, b, c"', [Report(CLIENT), Report(PROXY)]),
        # Malformed elements say nothing, and neither do those to their left.
        ("for=192.0.2.7;for=198.51.100.1", [UNKNOWN]),
        ("for=2001:db8:cafe::17", [UNKNOWN]),
        ("for=192.0.2.1, for", [UNKNOWN]),
        ("for=192.0.2.1, for=192.0.2.7 x=y", [UNKNOWN]),
        ("192.0.2.7", [UNKNOWN]),
        ("", [UNKNOWN]),
        ("for=192.0.2.7,", [UNKNOWN, Report(CLIENT)]),
        ('for=192.0.2.7;proto=gopher;host="<b>"', [Report(CLIENT)]),
        ("for=192.0.2.256", [UNKNOWN]),
    ],
)
def test_t32_forwarded(text: str, reports: list[Report]) -> None:
    assert list(forwarded(text)) == reports


@pytest.mark.parametrize(
    "forged",
    [
        'for="',
        'for=198.51.100.1;x="',
        r'for="\\',
        'for="a, ',
        '"',
        ";;;",
        ",,,,",
        "\xff",
        "x" * 9000,
        'x=", ' * 2000,
    ],
)
@pytest.mark.parametrize("own", ["for=192.0.2.7", 'for="192.0.2.7"', 'proto=http;for="192.0.2.7:4711"'])
def test_t32_what_a_client_wrote_does_not_change_the_report_behind_it(forged: str, own: str) -> None:
    """A quote that is left open does not swallow the proxy's own element."""
    assert next(forwarded(f"{forged}, {own}")).address == CLIENT


@given(
    st.lists(
        st.tuples(
            st.ip_addresses(),
            st.sampled_from(["http", "https", None]),
            st.lists(st.tuples(TOKENS, QUOTED), max_size=2),
        ),
        min_size=1,
        max_size=6,
    ),
    st.text(st.characters(max_codepoint=255), max_size=40),
)
def test_t32_what_proxies_write_is_read_back(
    written: list[tuple[Address, str | None, list[tuple[str, str]]]], forged: str
) -> None:
    """Whatever a client has put before it."""
    elements = []
    for address, scheme, others in written:
        pairs = [("for", f'"[{address}]"' if address.version == 6 else str(address))]
        pairs += [("proto", scheme)] if scheme else []
        known = {"for", "proto", "host"}
        for name, value in others:
            if name.lower() not in known:
                known.add(name.lower())
                # A few commas are enough for anybody; so many are malformed.
                pairs.append((name, quote(value.replace(",", ""))))
        elements.append(";".join(f"{name}={value}" for name, value in pairs))
    reports = forwarded(", ".join([forged.replace("\n", ""), *elements]))
    for address, scheme, _ in reversed(written):
        assert next(reports) == Report(parse_address(str(address)), scheme)


@given(st.text(st.characters(max_codepoint=255)))
def test_t32_anything_is_read(text: str) -> None:
    for reports in (forwarded(text), x_forwarded(text, text, text)):
        for report in reports:
            assert report.scheme in (None, "http", "https")
            assert report.host is None or is_host(report.host)


def test_t32_a_thousand_entries_take_no_time() -> None:
    """Nor do quotes and commas in an order that keeps a reader busy."""
    begun = time.process_time()
    for text in (
        ", ".join(["for=10.1.0.1"] * 1000),
        ',a="' * 4000,
        ',a="\\' * 4000,
        "," * 16000,
        ";" * 16000,
        "a=b;" * 4000,
        '"' * 16000,
    ):
        assert last_trusted(forwarded(text), lambda _: True) is not None
        assert last_trusted(x_forwarded(text, text, text), lambda _: True) is not None
    assert time.process_time() - begun < 2


def test_t32_so_many_and_no_more() -> None:
    asked: list[Address] = []

    def trusts(address: Address) -> bool:
        asked.append(address)
        return True

    many = ", ".join(f"10.1.{number // 256}.{number % 256}" for number in range(1000))
    found = last_trusted(x_forwarded(many, None, None), trusts)
    assert len(asked) == MAX_HOPS
    assert found is not None
    assert found.address == IPv4Address(f"10.1.3.{999 % 256 - MAX_HOPS + 1}")


@pytest.mark.parametrize(
    ("headers", "report"),
    [
        ((None, None, None), None),
        (("192.0.2.7", "https", "packages.example.org"), Report(CLIENT, "https", "packages.example.org")),
        ((None, "https", None), Report(None, "https")),
        # Proxies that append: the value belongs to the address at the same place from the right.
        (
            ("192.0.2.7, 10.1.0.2", "https, http", "a.example.org, b.example.org"),
            Report(CLIENT, "https", "a.example.org"),
        ),
        (("198.51.100.1, 192.0.2.7", "https, http", None), Report(CLIENT, "http")),
        # Proxies that replace: one value for all.
        (("192.0.2.7, 10.1.0.2", "https", None), Report(CLIENT, "https")),
        (("192.0.2.7", "gopher", "<script>"), Report(CLIENT)),
        (("unknown", "https", None), Report(None, "https")),
        (("192.0.2.7, unknown", None, None), UNKNOWN),
    ],
)
def test_t32_older_headers(headers: tuple[str | None, str | None, str | None], report: Report | None) -> None:
    assert (
        last_trusted(x_forwarded(*headers), lambda address: address in (PROXY, ip_address("10.1.0.2")))
        == report
    )
