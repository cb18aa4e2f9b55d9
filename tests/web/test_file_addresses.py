"""File URLs of other indexes: addresses in lock files lead to the file."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from pypid.access.open import PrivateAccess
from pypid.testing.builds import SIGNATURE, wheel
from pypid.testing.policies import ReadersAccess
from pypid.testing.web import Answer, MemorySite, basic, upload_form
from pypid.upstream.memory import MemoryUpstream

FILENAME, CONTENT = wheel("acme-lib", "1.0+local.1")
CI = basic("ci", "secret")
HASHED = f"/packages/ab/{'0' * 2}/{'0123456789abcdef' * 3}{'0' * 12}"
ADDRESSES = [
    "/packages",
    HASHED,
    "/packages/source/a/acme-lib",
    "/packages/source/A/Acme.Lib",
    "/packages/py3/a/acme_lib",
]


def new_site(**options: object) -> MemorySite:
    site = MemorySite(**options)  # type: ignore[arg-type]
    headers, body = upload_form(FILENAME, CONTENT, "acme-lib", "1.0+local.1", gpg_signature=SIGNATURE)
    assert site.request("POST", "/legacy/", headers | CI, body).status == 200
    return site


def follow(site: MemorySite, path: str, method: str = "GET", **headers: str) -> Answer:
    """Ask for a page that leads elsewhere, and return what is there."""
    answer = site.request(method, path, headers)
    assert answer.status == 302
    assert answer.headers["Cache-Control"] == "no-cache"
    target = urljoin(f"http://host.example.org/prefix{path}", answer.headers["Location"])
    prefix, _, path = target.partition("/packages/")
    assert prefix == "http://host.example.org/prefix", "it stays below the path that a proxy has it under"
    return site.request(method, f"/packages/{path}", headers)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("filename", [FILENAME, FILENAME.replace("+", "%2B")])
def test_fault_e4_leads_to_the_file(address: str, filename: str) -> None:
    """And what lies beside a file is beside that address."""
    site = new_site()
    assert follow(site, f"{address}/{filename}").body == CONTENT
    assert follow(site, f"{address}/{filename}", "HEAD").status == 200
    assert b"Version: 1.0+local.1" in follow(site, f"{address}/{filename}.metadata").body
    assert follow(site, f"{address}/{filename}.asc").body == SIGNATURE.encode()
    assert follow(site, f"{address}/{filename}.provenance").status == 404
    assert site.get(f"{address}/{filename}?a=b%20c").headers["Location"].endswith("?a=b%20c")


@pytest.mark.parametrize("address", ADDRESSES)
def test_fault_e4_whether_there_is_a_file_says_the_other_address(address: str) -> None:
    """Here all files look alike, so nobody learns of one that they may not see; upstreams are not asked."""
    site = new_site(policy=PrivateAccess(), upstreams=[MemoryUpstream([], failure="it was asked")])
    for filename in (FILENAME, "acme_lib-9.tar.gz"):
        answer = site.get(f"{address}/{filename}")
        assert (answer.status, answer.reason) == (401, site.get("/simple/acme-lib/").reason)
        assert site.get(f"{address}/{filename}", **CI).status == 302
    assert follow(site, f"{address}/acme_lib-9.tar.gz", **CI).status == 404


def test_fault_e4_by_project() -> None:
    site = new_site(policy=ReadersAccess(("acme-*",), {"ci": ("*",)}))
    for path in (
        "/packages/{}-1.0.tar.gz",
        HASHED + "/{}-1.0.tar.gz",
        "/packages/source/{0[0]}/{0}/{0}-1.tar.gz",
    ):
        assert site.get(path.format("acme_lib")).status == 302
        assert site.get(path.format("secret")).status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/packages/acme-lib",
        "/packages/acme_lib-1.0.txt",
        "/packages/acme_lib-1.0.tar.gz.sig",
        "/packages/.metadata",
        "/packages/-1.0.tar.gz",
        f"/packages/source/b/acme-lib/{FILENAME}",
        f"/packages/source/ac/acme-lib/{FILENAME}",
        f"/packages/source/-/-acme/{FILENAME}",
        f"/packages/AB/00/{'0' * 60}/{FILENAME}",
        f"/packages/ab/00/{'0' * 59}/{FILENAME}",
        f"{HASHED}/acme_lib-1.0.txt",
        f"/packages/source/a/{FILENAME}",
        "/packages/source/a/acme-lib/",
    ],
)
def test_fault_e4_what_is_no_such_address_is_not_found(path: str) -> None:
    assert new_site().get(path).status == 404
