"""Requests that change something must not come from the page of another site."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.web.http_headers import Headers

from pypid.access.open import AnyoneAccess, OpenAccess
from pypid.access.rule_file import ANYONE, OPEN
from pypid.errors import Forbidden
from pypid.interfaces import IAccessPolicy
from pypid.model import Action
from pypid.testing.builds import wheel
from pypid.testing.web import Answer, MemorySite, basic, upload_form
from pypid.web.http.cross_site import check_host
from pypid.web.http.forwarded import Sender
from pypid.web.http.validation import Head, check

HERE = IPv4Address("TCP", "127.0.0.1", 50000)
REBOUND = "rebound.example.org"
PUBLIC = "https://packages.example.org/index/"


def is_refused(host: str | None, public_url: str | None = None) -> bool:
    """Return whether a stranger's upload is, by its Host."""
    try:
        headers = Headers({"Host": [host]} if host is not None else None)
        check_host(headers, Sender(HERE), public_url)
    except Forbidden:
        return True
    return False


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:8080",
        "localhost.",
        "pypid.localhost:80",
        "127.0.0.1",
        "127.0.0.2:8080",
        "[::1]",
        "[::1]:8080",
        "192.0.2.7:8080",
        "[2001:db8::7]:80",
        None,
        "",
    ],
)
def test_fault_e5_names_that_are_ours(host: str | None) -> None:
    """This machine's own, and addresses: a page that lets its name lead here has a name."""
    assert not is_refused(host)


@pytest.mark.parametrize(
    "host",
    [
        REBOUND,
        f"{REBOUND}:8080",
        f"127.0.0.1.{REBOUND}",
        f"localhost.{REBOUND}",
        "notlocalhost",
        "pypi",
        "packages.example.org",
        "[...]",
        "127.0.0.1x",
        "1.2.3",
        ".localhost.example.org",
    ],
)
def test_fault_e5_names_that_may_be_anybodys(host: str) -> None:
    assert is_refused(host)


def test_fault_e5_the_public_url_says_its_name() -> None:
    for host in ("packages.example.org", "Packages.Example.org:443", "packages.example.org."):
        assert not is_refused(host, PUBLIC)
    for host in (REBOUND, f"packages.example.org.{REBOUND}", "example.org"):
        assert is_refused(host, PUBLIC)


@given(st.from_regex(r"[a-z0-9._\[\]:-]{1,40}", fullmatch=True), st.sampled_from([None, PUBLIC]))
def test_fault_e5_any_host_is_taken_or_refused(host: str, public_url: str | None) -> None:
    """And of those that get so far, none that a page could have is taken."""
    refused = is_refused(host, public_url)
    head = Head(b"POST", b"/", b"HTTP/1.1", Headers({"Host": [host]}))
    if check(head) is None and not refused:
        name = host.partition(":")[0].removesuffix(".")
        own = name.endswith("localhost") or name == "packages.example.org" or name.replace(".", "").isdigit()
        assert own or host.startswith(("[", ":", "."))


def upload(site: MemorySite, host: str, **headers: str) -> Answer:
    """Upload a file to a site under a name."""
    form, body = upload_form(*wheel("acme-lib", "1.0"), "acme-lib", "1.0")
    return site.request("POST", "/legacy/", {**form, "Host": host, **headers}, body)


def test_fault_e5_a_page_that_rebinds_its_name_does_not_upload() -> None:
    """For the browser it is of the same origin; only the name is not ours."""
    site = MemorySite(policy=AnyoneAccess())
    for more in ({"Origin": f"http://{REBOUND}:8080"}, {"Sec-Fetch-Site": "same-origin"}, {}):
        answer = upload(site, f"{REBOUND}:8080", **more)
        assert answer.status == 403
        assert REBOUND in answer.reason
        assert "--public-url" in answer.reason
    assert site.get("/simple/acme-lib/").status == 404
    assert upload(site, "127.0.0.1:8080").status == 200
    assert site.get("/simple/acme-lib/", Host=f"{REBOUND}:8080").status == 200


def test_fault_e5_nor_with_credentials_that_nobody_looks_at() -> None:
    """A script may send any; where nobody can sign in they are passed over."""
    site = MemorySite(policy=AnyoneAccess(), authenticators=[])
    assert upload(site, REBOUND, **basic("ci", "secret")).status == 403
    assert upload(site, "localhost", **basic("ci", "secret")).status == 200


def test_fault_e5_who_signs_in_may_use_any_name() -> None:
    """A page has nobody's password for a name that leads elsewhere now."""
    assert upload(MemorySite(policy=AnyoneAccess()), REBOUND, **basic("ci", "secret")).status == 200
    assert upload(MemorySite(policy=AnyoneAccess(), public_url=PUBLIC), "packages.example.org").status == 200
    # Who has to sign in is told so first.
    assert upload(MemorySite(), REBOUND).status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/project/acme-lib/1.0/yank"),
        ("POST", "/project/acme-lib/status"),
        ("DELETE", "/project/acme-lib/1.0/"),
        ("DELETE", f"/packages/acme-lib/{wheel('acme-lib', '1.0')[0]}"),
    ],
)
def test_fault_e5_whatever_strangers_may_change(method: str, path: str) -> None:
    """Rules may let them do more than upload."""
    everything: IAccessPolicy = OpenAccess("", {**OPEN, **dict.fromkeys(Action, frozenset({ANYONE}))})
    site = MemorySite(policy=everything)
    assert upload(site, "localhost").status == 200
    assert site.request(method, path, {"Host": REBOUND}).status == 403
    assert site.request(method, path, {"Host": "localhost"}).status in (200, 400)
