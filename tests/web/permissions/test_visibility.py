"""Each reader sees exactly the permitted projects in every list of projects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from gzip import decompress
from typing import Any
from xmlrpc.client import dumps, loads

import pytest
from attrs import define, field
from defusedxml.ElementTree import fromstring

from pypid.access.open import OpenAccess, PrivateAccess
from pypid.interfaces import IAccessPolicy, IAuthenticator
from pypid.model import Action, Credentials, Limits, Principal, Project, Role
from pypid.testing.builds import wheel
from pypid.testing.fakes import FunctionAuthenticator, HeldWorkers
from pypid.testing.policies import ReadersAccess
from pypid.testing.web import Answer, MemorySite, basic, upload_form
from pypid.upstream.memory import MemoryUpstream
from pypid.web.routes import legacy, xmlrpc_methods

JSON = "application/vnd.pypi.simple.v1+json"
ALL = {"pub-lib", "acme-lib", "acme-app", "beta", "secret"}
USERS = {"ann": ("acme-*",), "bob": ("beta",), "root": ("*",)}
READ = frozenset({Action.READ})
PRINCIPALS = [
    *map(Principal, ("ann", "bob", "eve", "root")),
    Principal("root", Limits(READ)),
    Principal("root", Limits(READ, ("acme-*",))),
    Principal("root", Limits(frozenset({Action.UPLOAD}))),
    Principal("bob", Limits(READ)),
    Principal("bob", Limits(READ, ("acme-*",))),
]
SEEN: dict[str, set[str]] = {
    "": {"pub-lib"},
    "ann": {"pub-lib", "acme-lib", "acme-app"},
    "bob": {"pub-lib", "beta"},
    "eve": {"pub-lib"},
    "root": ALL,
    "root to read": ALL,
    "root to read acme-*": {"pub-lib", "acme-lib", "acme-app"},
    "root to upload": {"pub-lib"},
    "bob to read": {"pub-lib", "beta"},
    "bob to read acme-*": {"pub-lib"},
}
"""Who sees what; nobody's name is that of a stranger."""


def name_of(principal: Principal) -> str:
    """Return the user name that a principal signs in with here."""
    if principal.limits is None:
        return principal.name
    actions = (action.value for action in principal.limits.actions)
    return " ".join((principal.name, "to", *actions, *principal.limits.projects))


EVERYBODY = {name_of(one): one for one in PRINCIPALS}


def everybody(credentials: Credentials) -> Principal | None:
    """Know all principals by name, and ask for no password."""
    return EVERYBODY.get(credentials.username)


@define
class AskedUpstream(MemoryUpstream):
    """Remembers what it was asked."""

    asked: list[str] = field(factory=list)

    async def project(self, name: str, *, refresh: bool = False) -> Any:
        """Remember, and then answer."""
        self.asked.append(name)
        return await MemoryUpstream.project(self, name, refresh=refresh)


@define
class SharedSite(MemorySite):
    """A site whose projects are not for everybody."""

    authenticators: list[IAuthenticator] = field(factory=lambda: [FunctionAuthenticator(everybody)])
    policy: Any = field(factory=lambda: ReadersAccess(("pub-*",), USERS))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for name in ("pub-lib", "acme-lib", "acme-app", "beta", "secret"):
            filename, content = wheel(name, "1.0")
            headers, body = upload_form(filename, content, name, "1.0")
            assert self.request("POST", "/legacy/", headers | basic("root", ""), body).status == 200

    def ask(self, path: str, reader: str, **headers: str) -> Answer:
        """Get a page as somebody."""
        return self.request("GET", path, headers | (basic(reader, "") if reader else {}))

    def call(self, reader: str, method: str, *arguments: object) -> Any:
        """Call a method as somebody."""
        headers = {"Content-Type": "text/xml"} | (basic(reader, "") if reader else {})
        answer = self.request("POST", "/RPC2", headers, dumps(arguments, method).encode())
        assert answer.status == 200
        return loads(answer.body)[0][0]  # type: ignore[index]


@pytest.fixture
def site() -> SharedSite:
    return SharedSite()


def in_json(site: SharedSite, reader: str) -> set[str]:
    page = json.loads(site.ask("/simple/", reader, Accept=JSON).body)
    assert page["meta"]["_last-serial"] == max(one["_last-serial"] for one in page["projects"])
    return {one["name"] for one in page["projects"]}


def in_html(site: SharedSite, reader: str) -> set[str]:
    return set(re.findall('href="([^"/]*)/"', site.ask("/simple/", reader).text))


def in_gzip(site: SharedSite, reader: str) -> set[str]:
    page = decompress(site.ask("/simple/", reader, **{"Accept-Encoding": "gzip"}).body).decode()
    return set(re.findall('href="([^"/]*)/"', page))


def in_files(site: SharedSite, reader: str) -> set[str]:
    return set(re.findall('href="([^"/]*)/', site.ask("/packages/", reader).text))


def in_packages(site: SharedSite, reader: str) -> set[str]:
    return set(site.call(reader, "list_packages"))


def in_serials(site: SharedSite, reader: str) -> set[str]:
    return set(site.call(reader, "list_packages_with_serial"))


def in_changes(site: SharedSite, reader: str) -> set[str]:
    return {name for name, *_ in site.call(reader, "changelog_since_serial", 0)}


def in_search(site: SharedSite, reader: str) -> set[str]:
    by_name = site.call(reader, "search", {"name": ["a", "b", "e"]})
    assert by_name == site.call(reader, "search", {"summary": "made for a test"})
    return {one["name"] for one in by_name}


def in_releases(site: SharedSite, reader: str) -> set[str]:
    items = fromstring(site.ask("/rss/updates.xml", reader).body).findall("channel/item/title")
    return {title.text.removesuffix(" 1.0") for title in items}


def in_projects(site: SharedSite, reader: str) -> set[str]:
    items = fromstring(site.ask("/rss/packages.xml", reader).body).findall("channel/item/title")
    return {title.text for title in items}


LISTS = [in_json, in_html, in_gzip, in_files, in_packages, in_serials, in_changes, in_search]
LISTS += [in_releases, in_projects]
PAGES = ["/", "/simple/", "/packages/", "/rss/updates.xml", "/rss/packages.xml"]


@pytest.mark.parametrize("names_in", LISTS)
def test_t80_each_sees_their_own(site: SharedSite, names_in: Callable[[SharedSite, str], set[str]]) -> None:
    """Whoever asked before, and again: no page that is kept is another reader's."""
    for _ in range(2):
        assert {reader: names_in(site, reader) for reader in SEEN} == SEEN


def test_the_front_page_counts_what_one_sees(site: SharedSite) -> None:
    for reader, seen in SEEN.items():
        said = "One project is" if len(seen) == 1 else f"{len(seen)} projects are"
        assert said in site.ask("/", reader).text


@pytest.mark.parametrize("names_in", LISTS)
def test_a_change_of_mind_shows_at_once(
    site: SharedSite, names_in: Callable[[SharedSite, str], set[str]]
) -> None:
    assert names_in(site, "ann") == SEEN["ann"]
    site.policy.change("beta", ann=["secret"])
    assert names_in(site, "ann") == {"beta", "secret"}
    site.policy.change("pub-*", ann=["*"])
    assert names_in(site, "ann") == ALL


@pytest.mark.parametrize("path", PAGES)
def test_c108_what_differs_by_reader_is_kept_by_nobody_else(path: str) -> None:
    """Not even the list of those who see everything, nor that of strangers."""
    for site in (SharedSite(), SharedSite(policy=PrivateAccess())):
        for reader in (
            "ann",
            "root",
            *([""] if site.policy.permits(None, Action.READ, None, frozenset()) else []),
        ):
            answer = site.ask(path, reader)
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert "Authorization" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/simple/", "/rss/updates.xml"])
def test_what_everybody_sees_may_be_kept_by_all(path: str) -> None:
    site = SharedSite(policy=OpenAccess())
    for reader in ("", "ann", "root to read acme-*"):
        answer = site.ask(path, reader)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "Authorization" not in answer.headers.get("Vary", "")


def test_c100_tags_differ_with_what_is_seen(site: SharedSite) -> None:
    tags = {reader: site.ask("/simple/", reader).headers["ETag"] for reader in SEEN}
    for one, tag in tags.items():
        for other in SEEN:
            again = site.ask("/simple/", other, **{"If-None-Match": tag})
            assert (again.status == 304) == (SEEN[one] == SEEN[other])


@define
class CountingAccess(ReadersAccess):
    """Counts how often it was asked for a project."""

    asked: int = 0

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        """Count, and then answer."""
        self.asked += project is not None
        return ReadersAccess.permits(self, principal, action, project, roles)


def test_a_list_is_gone_through_once_for_each_view() -> None:
    """Until a project changes; and not at all for those who see everything."""
    site = SharedSite(policy=CountingAccess(("pub-*",), {**USERS, "eve": USERS["ann"]}))
    for path, accept in [("/simple/", JSON), ("/simple/", "text/html"), ("/packages/", "*/*")]:
        for reader, asked in [("root", 0), ("ann", len(ALL)), ("ann", 0), ("eve", 0), ("", len(ALL))]:
            site.policy.asked = 0
            assert site.ask(path, reader, Accept=accept).status == 200
            assert site.policy.asked == asked, (path, reader)
    for names_in in LISTS:
        assert names_in(site, "root") == ALL
    assert site.policy.asked == len(ALL)


def test_readers_who_wait_at_the_same_time_get_their_own(site: SharedSite) -> None:
    """The lists of two are in the making together."""
    site.index.workers = held = HeldWorkers()
    connections = []
    for reader in ("ann", "bob", "ann"):
        connections.append(site.connect())
        head = {"Host": "x", "Accept": JSON, **basic(reader, "")}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        connections[-1].send(f"GET /simple/ HTTP/1.1\r\n{lines}\r\n".encode())
        assert connections[-1].received() == b""
    held.work_all()
    answers = [json.loads(connection.answers("GET")[0].body) for connection in connections]
    seen = [{one["name"] for one in page["projects"]} for page in answers]
    assert seen == [SEEN["ann"], SEEN["bob"], SEEN["ann"]]


def test_c176_a_mirror_is_told_of_changes_behind_those_it_may_not_see(
    site: SharedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many: an answer without any would be the end of the journal for it."""
    told = site.call("bob", "changelog_since_serial", 0)
    assert {name for name, *_ in told} == SEEN["bob"]
    monkeypatch.setattr(xmlrpc_methods, "MAX_CHANGES", 2)
    in_parts, since = [], 0
    while part := site.call("bob", "changelog_since_serial", since):
        assert len(part) <= 2
        in_parts += part
        since = part[-1][-1]
    assert in_parts == told


def test_c178_feeds_tell_of_what_is_behind_what_one_may_not_see(
    site: SharedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of no more than they tell others of."""
    monkeypatch.setattr(legacy, "MAX_ITEMS", 1)
    assert (in_releases(site, ""), in_projects(site, "")) == ({"pub-lib"}, {"pub-lib"})
    assert (in_releases(site, "ann"), in_releases(site, "root")) == ({"acme-app"}, {"secret"})


def test_lists_are_for_those_who_may_read_anything(site: SharedSite) -> None:
    site.policy.change(ann=["acme-*"])
    for path in PAGES:
        assert [site.ask(path, reader).status for reader in ("", "bob", "ann")] == [401, 403, 200]


@pytest.fixture
def upstream() -> AskedUpstream:
    return AskedUpstream([Project("far-lib", "far-lib", ())])


@pytest.mark.parametrize("policy", [PrivateAccess(), ReadersAccess(users={"ann": ["acme-*"]})])
def test_t80_no_upstream_is_asked_for_those_who_may_not_read(
    policy: IAccessPolicy, upstream: AskedUpstream
) -> None:
    site = SharedSite(policy=policy, upstreams=[upstream])
    paths = [f"/simple/{name}/" for name in ("far-lib", "Far.Lib", "nowhere", "secret")]
    paths += ["/pypi/far-lib/json", "/packages/far-lib/far_lib-1.0-py3-none-any.whl"]
    for path in paths:
        assert site.ask(path, "").status == 401
        if not policy.permits(Principal("ann"), Action.READ, "far-lib", frozenset()):
            assert site.ask(path, "ann").status == 403
    assert upstream.asked == []


def test_t80_a_page_that_was_kept_is_for_those_who_may_read_it_now(upstream: AskedUpstream) -> None:
    """Also ahead of the routes, and without a question to the upstream whether it is still valid."""
    site = SharedSite(policy=ReadersAccess(users={"ann": ["far-*"]}), upstreams=[upstream])
    assert [site.ask("/simple/far-lib/", "ann").status for _ in range(3)] == [200, 200, 200]
    site.policy.change()
    upstream.asked.clear()
    assert [site.ask("/simple/far-lib/", reader).status for reader in ("ann", "")] == [403, 401]
    assert upstream.asked == []
