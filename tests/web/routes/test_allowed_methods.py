"""``OPTIONS``: the allowed methods of a page, and access to it by pages of other sites."""

from __future__ import annotations

import pytest
from attrs import define

from pypid.access.open import AnyoneAccess, PrivateAccess
from pypid.interfaces import IAccessPolicy
from pypid.testing.builds import wheel
from pypid.testing.policies import ReadersAccess
from pypid.testing.web import Answer, MemorySite, basic, upload_form
from pypid.web.routes.app import IndexApplication

FILENAME, CONTENT = wheel("acme-lib", "1.0")
FILE = f"/packages/acme-lib/{FILENAME}"
JSON = "application/vnd.pypi.simple.v1+json"
FOREIGN = {"Origin": "https://notebook.example.org", "Sec-Fetch-Site": "cross-site"}
ALLOW_ORIGIN = "Access-Control-Allow-Origin"


@define
class Site(MemorySite):
    """Has one project."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        headers, body = upload_form(FILENAME, CONTENT, "acme-lib", "1.0")
        other = MemorySite(storage=self.storage)
        assert other.request("POST", "/legacy/", headers | basic("ci", "secret"), body).status == 200

    def cross_origin(self, answer: Answer) -> dict[str, str]:
        """Return the headers for pages of other sites."""
        return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


@pytest.mark.parametrize("path", ["/", "/+health", "/health", "/simple/", "/simple/acme-lib/", FILE, "/RPC2"])
@pytest.mark.parametrize("policy", [AnyoneAccess(), PrivateAccess()], ids=["anyone", "private"])
def test_fault_e2_options_of_each_page(path: str, policy: IAccessPolicy) -> None:
    """It is answered without a body, signed in or not, with the methods that there are."""
    answer = Site(policy=policy).request("OPTIONS", path)
    assert (answer.status, answer.body) == (204, b"")
    rules = IndexApplication.app.url_map.bind("")
    allowed = answer.headers["Allow"].split(", ")
    assert allowed == sorted(allowed)
    assert set(allowed) == {*rules.allowed_methods(path), "OPTIONS"}
    assert not answer.headers.keys() & {"Content-Length", "Content-Type", "Transfer-Encoding"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_fault_e2_what_is_no_page_is_none() -> None:
    assert Site().request("OPTIONS", "/no/such/page").status == 404
    assert Site().request("PUT", "/simple/").status == 405


def test_fault_e2_as_haproxy_asks() -> None:
    """Its check has no Host, and speaks HTTP/1.0."""
    connection = Site().connect()
    connection.send(b"OPTIONS / HTTP/1.0\r\n\r\n")
    assert connection.received().startswith(b"HTTP/1.0 204 No Content\r\n")
    assert b"\r\nAllow: GET, HEAD, OPTIONS, POST\r\n" in connection.received()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/simple/", 200),
        ("/simple", 301),
        ("/simple/acme-lib/", 200),
        ("/simple/acme-lib", 301),
        ("/simple/Acme.Lib/", 301),
        ("/acme-lib/", 303),
        ("/simple/nowhere/", 404),
        ("/packages/", 200),
        (FILE, 200),
        (f"{FILE}.metadata", 200),
        (f"{FILE}.provenance", 404),
        ("/packages/acme-lib/acme_lib-9.tar.gz", 404),
        ("/pypi/acme-lib/json", 200),
        ("/pypi/acme-lib/9/json", 404),
        ("/rss/updates.xml", 200),
    ],
)
def test_fault_e1_pages_of_other_sites_may_read(path: str, status: int) -> None:
    """What anybody may read is for their scripts too, however it is answered, and with nobody's password."""
    site = Site()
    for method in ("GET", "HEAD"):
        answer = site.request(method, path, FOREIGN)
        assert answer.status == status
        assert answer.headers[ALLOW_ORIGIN] == "*"
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        if "ETag" in answer.headers:
            cached = site.request(method, path, FOREIGN | {"If-None-Match": answer.headers["ETag"]})
            assert cached.status == 304
            assert site.cross_origin(cached) == site.cross_origin(answer)
    preflight = site.request("OPTIONS", path, FOREIGN | {"Access-Control-Request-Method": "GET"})
    assert preflight.status == 204
    assert preflight.headers[ALLOW_ORIGIN] == "*"
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Range" in preflight.headers["Access-Control-Allow-Headers"]
    assert "Authorization" not in preflight.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "path",
    ["/", "/simple/", "/simple/acme-lib/", "/simple/acme-lib", "/packages/", FILE, "/pypi/acme-lib/json"],
)
def test_fault_e1_where_one_has_to_sign_in_no_other_site_reads(path: str) -> None:
    """Neither with nor without a password, nor is it asked for one."""
    site = Site(policy=PrivateAccess())
    for method in ("GET", "HEAD", "OPTIONS"):
        for headers in ({}, basic("ci", "secret"), basic("ci", "wrong")):
            assert not site.cross_origin(site.request(method, path, FOREIGN | headers))


def test_fault_e1_it_is_decided_by_the_project() -> None:
    """Of an index whose projects are not all for everybody, lists are not."""
    site = Site(policy=ReadersAccess(("acme-*",), {"ci": ("*",)}))
    for path, shared in (
        ("/simple/acme-lib/", True),
        (FILE, True),
        ("/simple/secret/", False),
        ("/simple/", False),
    ):
        for method in ("GET", "OPTIONS"):
            assert (ALLOW_ORIGIN in site.request(method, path, FOREIGN).headers) is shared, path
        answer = site.request("GET", path, FOREIGN | basic("ci", "wrong"))
        assert answer.status == 401
        assert ALLOW_ORIGIN not in answer.headers


def test_fault_e1_nothing_is_changed_from_there() -> None:
    """A script of another site may send a form, and is refused; it is not told what else it may do."""
    site = Site(policy=AnyoneAccess())
    headers, body = upload_form(*wheel("evil", "1.0"), "evil", "1.0")
    answer = site.request("POST", "/legacy/", FOREIGN | headers, body)
    assert answer.status == 403
    assert not site.cross_origin(answer)
    for path in (FILE, "/project/acme-lib/1.0/yank", "/legacy/"):
        preflight = site.request("OPTIONS", path, FOREIGN | {"Access-Control-Request-Method": "DELETE"})
        assert preflight.status == 204
        assert set(preflight.headers.get("Access-Control-Allow-Methods", "GET").split(", ")) <= {
            "GET",
            "HEAD",
        }
