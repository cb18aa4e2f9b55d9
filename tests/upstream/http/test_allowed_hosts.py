"""The hosts to which pages and redirects of an upstream may lead."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from pypid.errors import ConfigurationError
from pypid.upstream.http.allowed_hosts import Origin, UrlPolicy, is_public, may_be_public_name

INDEX = "https://index.example.org/simple/"

PRIVATE = """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 192.0.2.1 192.168.1.1
    198.18.0.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 fe80::1 fec0::1 fc00::1 fd00::1 ff02::1 2001:db8::1
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1:: 2002:a00:1::1 2001:0:4136:e378:8000:63bf:80ff:fffe
"""
PUBLIC = """
    1.1.1.1 151.101.0.223
    2a04:4e42::223 ::ffff:151.101.0.223 64:ff9b::9765:df 2002:9765:df::1
"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_t56_private_addresses(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_t56_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        INDEX,
        "https://INDEX.example.org:443/elsewhere",
        "https://files.example.org/packages/foo-1.0.tar.gz",
        "https://files.example.org:80/",
        "https://files.example.org?query",
        "https://1.1.1.1/",
        "https://[2a04:4e42::223]/",
    ],
)
def test_t56_within_reach(url: str) -> None:
    assert UrlPolicy(INDEX).why_refused(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/relative",
        "//files.example.org/",
        "file:///etc/passwd",
        "ftp://files.example.org/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "https:///",
        "https://",
        "https://:443/",
        "https://files.example.org:0x50/",
        "https://files.example.org:99999/",
        "https://files.example.org:22/",
        "https://user@files.example.org/",
        "https://user:password@files.example.org/",
        "https://index.example.org@files.example.org/",
        "https://files.example.org\\@index.example.org/",
        "https://files.example.org/a\r\nHost: b",
        "https://files.example.org/a b",
        "https://b\u00fccher.example/",
        "https://files.example.org/#fragment",
        "https://[::1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "http://files.example.org/",
        "http://index.example.org/simple/",
    ],
)
def test_t56_out_of_reach(url: str) -> None:
    assert UrlPolicy(INDEX).why_refused(url)


def test_t56_origin_is_trusted_as_it_was_configured() -> None:
    reach = UrlPolicy("http://127.0.0.1:3141/root/pypi/+simple/")
    assert reach.why_refused("http://127.0.0.1:3141/root/pypi/+f/foo-1.0.tar.gz") is None
    assert reach.is_trusted(reach.origin)
    for url in ("http://127.0.0.1:3142/", "http://127.0.0.2:3141/", "https://127.0.0.1:3141/"):
        assert reach.why_refused(url)
    # Who cannot be sure of its own pages loses nothing by links that are no better.
    assert reach.why_refused("http://files.example.org/") is None


def test_t56_listed_hosts() -> None:
    reach = UrlPolicy(INDEX, ["Files.internal", "10.0.0.7:8443", "[fd00::7]:8443"])
    assert reach.why_refused("https://files.internal/") is None
    assert reach.is_trusted(Origin("https", "files.internal", 443))
    assert reach.why_refused("https://files.internal:8443/")
    assert reach.why_refused("https://10.0.0.7:8443/") is None
    assert reach.why_refused("https://[fd00::7]:8443/") is None
    assert reach.why_refused("https://10.0.0.7/")
    assert reach.why_refused("https://10.0.0.8:8443/")
    assert not reach.is_trusted(Origin("https", "files.example.org", 443))


def test_t56_allow_private() -> None:
    reach = UrlPolicy(INDEX, allow_private=True)
    assert reach.why_refused("https://127.0.0.1/") is None
    assert reach.why_refused("http://127.0.0.1/")
    assert reach.is_trusted(Origin("https", "localhost", 443))


def test_t62_allow_http() -> None:
    reach = UrlPolicy(INDEX, allow_http=True)
    assert reach.why_refused("http://files.example.org/") is None
    assert reach.why_refused("http://127.0.0.1/")


def test_no_url() -> None:
    with pytest.raises(ConfigurationError):
        UrlPolicy("nonsense")


def test_places_are_named_for_people() -> None:
    assert str(Origin.of("https://files.example.org/")) == "files.example.org"
    assert str(Origin.of("http://[::1]:8080/")) == "[::1]:8080"


@pytest.mark.parametrize(
    "host", ["files.example.org", "151.101.0.223", "2a04:4e42::223", "a.b.c.", "local.example.org", "x1.y2"]
)
def test_fault_d2_names_that_may_be_public(host: str) -> None:
    assert may_be_public_name(host)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "localhost.",
            "a.localhost",
            "files",
            "wiki.local",
            "x.internal",
            "nas.lan",
            "a.home.arpa",
        ),
        *(
            "2130706433",
            "0x7f.1",
            "127.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "1.2.3.0x",
            "10.0.0.1",
            "::1",
            "fd00::1",
        ),
        *("::ffff:10.0.0.1", "169.254.169.254", ""),
    ],
)
def test_fault_d2_names_that_are_not(host: str) -> None:
    """A web proxy that looks them up would find itself, or who is near it."""
    assert not may_be_public_name(host)
