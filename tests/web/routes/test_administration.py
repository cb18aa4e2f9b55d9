"""Changes over HTTP: permissions, forms and results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from zope.interface import implementer

from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal, Role
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.fakes import HeldWorkers
from pypid.testing.inline import InlineStorage
from pypid.testing.web import Answer, MemorySite, basic, multipart_form, upload_form

CI = basic("ci", "secret")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = "application/vnd.pypi.simple.v1+json"
WHEEL, SDIST, OTHER = wheel("Acme.Lib", "1.0"), sdist("Acme.Lib", "1.0"), sdist("Acme.Lib", "2.0")
YANK = "/project/acme-lib/1.0/yank"


@pytest.fixture
def site() -> MemorySite:
    site = MemorySite(public_url="https://packages.example.org/index/")
    for (filename, content), version in ((WHEEL, "1.0"), (SDIST, "1.0"), (OTHER, "2.0")):
        headers, body = upload_form(filename, content, "Acme.Lib", version)
        assert site.request("POST", "/legacy/", headers | CI, body).status == 200
    return site


def post(site: MemorySite, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
    """Send a short form as somebody who may."""
    return site.request("POST", path, CI | FORM | (headers or {}), urlencode(fields).encode())


def yanked(site: MemorySite) -> dict[str, object]:
    """Read from the project's page which files are yanked, and why."""
    page = json.loads(site.get("/simple/acme-lib/", Accept=JSON).body)
    return {file["filename"]: file["yanked"] for file in page["files"]}


NOTHING = {WHEEL[0]: False, SDIST[0]: False, OTHER[0]: False}


def test_c73_yank_and_unyank(site: MemorySite) -> None:
    """The next page shows it; the files can be downloaded all the time."""
    answer = post(site, "/project/Acme_Lib/1.0.0/yank", reason="es ist kaputt & <weg>")
    assert (answer.status, answer.text.split()[0]) == (200, "yanked")
    assert WHEEL[0] in answer.text
    assert yanked(site) == {
        WHEEL[0]: "es ist kaputt & <weg>",
        SDIST[0]: "es ist kaputt & <weg>",
        OTHER[0]: False,
    }
    assert site.get(f"/packages/acme-lib/{WHEEL[0]}").body == WHEEL[1]
    assert "nothing to do" in post(site, YANK, reason="es ist kaputt & <weg>").text
    assert post(site, "/project/acme-lib/1.0/unyank").text.startswith("un-yanked ")
    assert yanked(site) == NOTHING


def test_yank_without_a_body(site: MemorySite) -> None:
    """A reason is not needed."""
    assert site.request("POST", YANK, CI).status == 200
    assert yanked(site) == NOTHING | {WHEEL[0]: True, SDIST[0]: True}


def test_yank_one_file(site: MemorySite) -> None:
    assert post(site, YANK, file=WHEEL[0]).text == f"yanked {WHEEL[0]}\n"
    assert yanked(site) == NOTHING | {WHEEL[0]: True}
    assert post(site, "/project/acme-lib/1.0/unyank", file=SDIST[0]).text.startswith("nothing to do")


def test_local_versions_in_paths(site: MemorySite) -> None:
    """A plus sign comes as itself or encoded."""
    headers, body = upload_form(*wheel("acme-lib", "1.0+local.1"), "acme-lib", "1.0+local.1")
    assert site.request("POST", "/", headers | CI, body).status == 200
    assert post(site, "/project/acme-lib/1.0%2Blocal.1/yank").status == 200
    assert post(site, "/project/acme-lib/1.0+local-1/unyank").text.startswith(
        "un-yanked acme_lib-1.0+local.1"
    )
    assert yanked(site)[WHEEL[0]] is False


def test_c75_c76_status(site: MemorySite) -> None:
    answer = post(site, "/project/acme-lib/status", status="quarantined", reason="stolen password")
    assert (answer.status, answer.text) == (200, "made quarantined: acme-lib\n")
    assert yanked(site) == {}
    assert site.get("/simple/acme-lib/").status == 200
    assert site.get(f"/packages/acme-lib/{WHEEL[0]}").status == 404
    assert site.get(f"/packages/acme-lib/{WHEEL[0]}.metadata").status == 404
    headers, body = upload_form(*sdist("acme-lib", "3.0"), "acme-lib", "3.0")
    for status in ("quarantined", "archived"):
        post(site, "/project/acme-lib/status", status=status)
        refused = site.request("POST", "/legacy/", headers | CI, body)
        assert (refused.status, status in refused.reason) == (403, True)
    assert site.get(f"/packages/acme-lib/{WHEEL[0]}").status == 200
    post(site, "/project/acme-lib/status", status="active")
    assert site.request("POST", "/legacy/", headers | CI, body).status == 200


@pytest.mark.parametrize("path", ["/project/Acme.Lib/1/", "/project/acme-lib/1.0"])
def test_remove_a_release(site: MemorySite, path: str) -> None:
    answer = site.request("DELETE", path, CI)
    assert (answer.status, answer.text.split()[0]) == (200, "removed")
    assert list(yanked(site)) == [OTHER[0]]
    assert site.get(f"/packages/acme-lib/{WHEEL[0]}").status == 404
    assert site.request("DELETE", path, CI).status == 404


def test_c95_remove_a_file(site: MemorySite) -> None:
    """Its name does not come back with other bytes, and does with the same."""
    assert site.request("DELETE", f"/packages/acme-lib/{WHEEL[0]}", CI).text == f"removed {WHEEL[0]}\n"
    assert WHEEL[0] not in yanked(site)
    for content, status in ((wheel("Acme.Lib", "1.0", payload=b"other")[1], 409), (WHEEL[1], 200)):
        headers, body = upload_form(WHEEL[0], content, "Acme.Lib", "1.0")
        answer = site.request("POST", "/legacy/", headers | CI, body)
        assert answer.status == status
    assert yanked(site) == NOTHING


def test_remove_pkg(site: MemorySite) -> None:
    """pypiserver's way of removing, by whatever spelling of the name."""
    headers, body = multipart_form([(":action", "remove_pkg"), ("name", "ACME_lib"), ("version", "1.0.0")])
    answer = site.request("POST", "/", headers | CI, body)
    assert (answer.status, answer.text.split()[0]) == (200, "removed")
    assert list(yanked(site)) == [OTHER[0]]
    assert site.request("POST", "/", headers | CI, body).status == 404
    for fields in ([("name", "acme-lib")], [("version", "2.0")], [("name", "a/b"), ("version", "2.0")]):
        headers, body = multipart_form([(":action", "remove_pkg"), *fields])
        assert site.request("POST", "/legacy/", headers | CI, body).status == 400
    assert list(yanked(site)) == [OTHER[0]]


CHANGES: list[Callable[[MemorySite, dict[str, str]], Answer]] = [
    lambda site, headers: site.request("POST", YANK, FORM | headers, b"reason=x"),
    lambda site, headers: site.request("POST", YANK, headers),
    lambda site, headers: site.request("POST", "/project/acme-lib/1.0/unyank", headers),
    lambda site, headers: site.request(
        "POST", "/project/acme-lib/status", FORM | headers, b"status=archived"
    ),
    lambda site, headers: site.request("DELETE", "/project/acme-lib/1.0/", headers),
    lambda site, headers: site.request("DELETE", f"/packages/acme-lib/{WHEEL[0]}", headers),
    lambda site, headers: site.request(
        "POST",
        "/",
        *_with(
            headers, multipart_form([(":action", "remove_pkg"), ("name", "acme-lib"), ("version", "1.0")])
        ),
    ),
]


def _with(headers: dict[str, str], form: tuple[dict[str, str], bytes]) -> tuple[dict[str, str], bytes]:
    return form[0] | headers, form[1]


@pytest.mark.parametrize("change", CHANGES)
def test_only_for_those_who_may(site: MemorySite, change: Callable[..., Answer]) -> None:
    before = site.get("/simple/acme-lib/", Accept=JSON).body
    for headers in ({}, basic("ci", "wrong"), basic("eve", "secret")):
        answer = change(site, headers)
        assert (answer.status, "WWW-Authenticate" in answer.headers) == (401, True)
    assert site.get("/simple/acme-lib/", Accept=JSON).body == before


@implementer(IAccessPolicy)
class AllBut:
    """Permits everything but one action."""

    summary = "everything but one action"

    def __init__(self, action: Action) -> None:
        self._action = action

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        return action is not self._action or project != "acme-lib"

    def visibility_key(self, principal: Principal | None) -> None:
        return None


@pytest.mark.parametrize("action", [Action.YANK, Action.ADMINISTER, Action.DELETE])
def test_each_needs_its_own_action(site: MemorySite, action: Action) -> None:
    """Who may do all but one thing with a project is refused just that."""
    strict = MemorySite(storage=site.storage, policy=AllBut(action))
    needed = [Action.YANK] * 3 + [Action.ADMINISTER] + [Action.DELETE] * 3
    for change, needs in zip(CHANGES, needed, strict=True):
        status = change(strict, CI).status
        assert (status == 403) == (needs is action), (needs, status)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.net"},
        {"Origin": "null"},
        {"Origin": "https://index.example.org.evil.example.net"},
        {"Origin": "https://packages.example.org:8443"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://index.example.org"},
        {"Sec-Fetch-Site": ""},
    ],
    ids=str,
)
def test_t21_not_for_pages_of_other_sites(
    site: MemorySite, change: Callable[..., Answer], headers: dict[str, str]
) -> None:
    """A browser that remembers credentials sends them with a stranger's form too."""
    before = site.get("/simple/acme-lib/", Accept=JSON).body
    answer = change(site, CI | headers)
    assert (answer.status, "another site" in answer.text) == (403, True)
    assert site.get("/simple/acme-lib/", Accept=JSON).body == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://index.example.org"},
        {"Origin": "https://packages.example.org"},
        {"Origin": "https://Packages.Example.ORG"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://whatever.the.proxy.calls.it"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_t21_for_our_own_pages(site: MemorySite, headers: dict[str, str]) -> None:
    assert post(site, YANK, headers).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"reason",
        b"reason=a&reason=b",
        b"filename=acme_lib-1.0.tar.gz",
        b"reason=%ff",
        b"reason=\xff",
        b"reason=%ed%b0%80",
        b"reason=a&file=b&x=c",
        b"&&&",
        b"reason=%00",
        b"reason=" + b"x" * 1001,
        b'{"reason": "json"}',
        b"=",
    ],
)
def test_malformed_forms_change_nothing(site: MemorySite, body: bytes) -> None:
    """A field that is not known might have been meant to spare most of the release."""
    answer = site.request("POST", YANK, CI | FORM, body)
    assert answer.status == 400
    assert yanked(site) == NOTHING


def test_malformed_status(site: MemorySite) -> None:
    for fields in ({}, {"status": ""}, {"status": "gone"}, {"status": "ACTIVE"}, {"reason": "x"}):
        answer = post(site, "/project/acme-lib/status", **fields)
        assert (answer.status, answer.text.split(":")[0]) == (400, "status")


def test_bodies_that_are_not_taken(site: MemorySite) -> None:
    """Too large, declared or not, of another type, or compressed."""
    large = b"reason=" + b"x" * 70_000
    assert site.request("POST", YANK, CI | FORM, large).status == 413
    for headers, status in [
        ({"Content-Type": "multipart/form-data; boundary=b"}, 415),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    ]:
        assert site.request("POST", YANK, CI | FORM | headers, b"reason=x").status == status
    connection = site.connect()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (CI | FORM).items())
    head = f"POST {YANK} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{lines}\r\n"
    connection.send(head.encode())
    for _ in range(5):
        connection.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
    (answer,) = connection.answers("POST")
    assert answer.status == 413
    assert yanked(site) == NOTHING


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/project/nothing-here/1.0/yank", 404),
        ("POST", "/project/acme-lib/3.0/yank", 404),
        ("POST", f"/project/acme-lib/{'9' * 5000}/yank", 404),
        ("POST", "/project/acme-lib/%F0%9F%98%80/yank", 404),
        ("POST", "/project/-/1.0/yank", 404),
        ("POST", "/project/acme-lib/1.0/explode", 404),
        ("POST", "/project/acme-lib/..%2f/yank", 400),
        ("GET", YANK, 405),
        ("PUT", "/project/acme-lib/status", 405),
        ("DELETE", "/project/nothing-here/1.0/", 404),
        ("DELETE", f"/packages/acme-lib/{WHEEL[0]}.metadata", 404),
        ("DELETE", f"/packages/acme-lib/.{WHEEL[0]}.json", 404),
        ("DELETE", f"/simple/acme-lib/{WHEEL[0]}", 405),
        ("DELETE", "/legacy/", 405),
    ],
)
def test_what_is_not_there(site: MemorySite, method: str, path: str, status: int) -> None:
    assert site.request(method, path, CI).status == status
    assert yanked(site) == NOTHING


def test_change_goes_on_when_its_client_goes_away(tmp_path: Path) -> None:
    """Once begun, a release is yanked whole."""
    workers = HeldWorkers()
    site = MemorySite(storage=InlineStorage(DirectoryStorage(tmp_path), workers))
    directory = tmp_path / "simple" / "acme-lib"
    directory.mkdir()
    for filename, content in (WHEEL, SDIST):
        (directory / filename).write_bytes(content)
    (directory / ".pypid.json").write_text('{"status": "active", "owners": ["ci"]}')
    connection = site.connect()
    headers = "".join(f"{name}: {value}\r\n" for name, value in CI.items())
    connection.send(f"POST {YANK} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{headers}\r\n".encode())
    while not list(directory.glob(".acme*.json")):
        assert not workers.is_idle
        workers.finish()
        if not list(directory.glob(".acme*.json")):
            workers.deliver()
    connection.transport.loseConnection()
    workers.work_all()
    records = {path.name for path in directory.glob(".acme*.json")}
    assert records == {f".{WHEEL[0]}.json", f".{SDIST[0]}.json"}
    assert not site.site._requests._live
