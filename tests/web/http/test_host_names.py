"""Under which names the server may be asked for."""

from __future__ import annotations

import pytest

from pypid.errors import ConfigurationError
from pypid.testing.web import MemorySite
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames

NAMES = HostNames.of(["packages.example.org", "*.Dev.example.org."], "https://pypi.example.net:8443/index/")


@pytest.mark.parametrize(
    "host",
    [
        "packages.example.org",
        "Packages.Example.org.:8080",
        "a.dev.example.org",
        "a.b.dev.example.org:80",
        "pypi.example.net",
        # Nobody can make these lead to another machine, and balancers ask for them.
        "localhost:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.0.0.7",
        "",
    ],
)
def test_names_that_may_be_asked_for(host: str) -> None:
    assert NAMES.has(host)


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "dev.example.org",
        "xdev.example.org",
        "evil.example",
        "packages.example.org.evil.example",
    ],
)
def test_names_that_may_not(host: str) -> None:
    assert not NAMES.has(host)
    assert HostNames().has(host), "without the option all are"


@pytest.mark.parametrize(
    "text", ["", "*", "*.", "https://example.org/", "example.org:80", "a b", "ä.example.org", "."]
)
def test_what_is_no_name_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a host name without a port"):
        HostNames.of([text], None)


def test_others_are_refused_whether_the_page_is_at_hand_or_not() -> None:
    site = MemorySite(hosts=NAMES)
    for _ in range(3):
        assert site.get("/simple/", Host="packages.example.org").status == 200
        refused = site.get("/simple/", Host="evil.example.org")
        assert (refused.status, "--allowed-host" in refused.text) == (421, True)
    assert (
        site.get("/simple/", Host="evil.example.org", X_Forwarded_Host="packages.example.org").status == 421
    )


def test_the_host_that_a_trusted_proxy_reports_counts() -> None:
    """Also when the same lines came from a stranger before, whose report means nothing."""
    site = MemorySite(hosts=NAMES)
    headers = {"Host": "127.0.0.1:8080", "X_Forwarded_Host": "evil.example.org"}
    connection = site.connect()
    data = b"GET /simple/ HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Forwarded-Host: evil.example.org\r\n\r\n"
    for _ in range(3):
        connection.send(data)
        assert [answer.status for answer in connection.answers("GET")] == [200]
    site.site.served.proxies = TrustedProxies.of(["127.0.0.1"])
    assert site.get("/simple/", **headers).status == 421
    connection = site.connect()
    connection.send(data)
    assert [answer.status for answer in connection.answers("GET")] == [421]
    assert site.get("/simple/", Host="127.0.0.1", X_Forwarded_Host="packages.example.org").status == 200
