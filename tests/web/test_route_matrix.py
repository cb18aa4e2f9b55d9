"""Every route, asked by everybody there is, by every way to carry a token (T53, T80).

A route that is added to the application without a row in ``ROWS`` fails the first test: its row
says what whoever uses it must be permitted, and what they get then. Who is let in is read off
``LET_IN``, whatever the route.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path
from xmlrpc.client import dumps

import pytest
from attrs import frozen
from twisted.internet.task import Clock

from pypid.access.open import OpenAccess, PrivateAccess
from pypid.access.rules import RulesAccess
from pypid.auth.memory import MemoryAuthenticator
from pypid.auth.tokens import TokenAuthenticator
from pypid.formats.api_tokens import SCOPES, dump, new
from pypid.interfaces import IAccessPolicy
from pypid.model import Action
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.directory import DirectoryStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import SIGNATURE, attestation, wheel
from pypid.testing.fakes import InlineWorkers
from pypid.testing.inline import InlineStorage
from pypid.testing.web import Answer, MemorySite, basic, upload_form
from pypid.upstream.memory import MemoryUpstream
from pypid.web.http.channel import IndexChannel
from pypid.web.routes.app import IndexApplication

URL_MAP = IndexApplication.app.url_map
RULES = b"""
[default]
read = []
[[project]]
names = ["pub-*"]
read = [":anyone"]
[[project]]
names = ["beta"]
read = ["bob"]
[[project]]
names = ["acme-*", "nowhere"]
read = ["ann"]
create = ["ann"]
upload = [":owners"]
"""

LET_IN = {
    "open": """
                              list  read  upload  yank  delete  administer  metrics
    a stranger                  .     .     401    401    401      401      401
    a wrong password           401   401    401    401    401      401      401
    a revoked token            401   401    401    401    401      401      401
    another user                .     .      .     403    403      403      403
    a token for elsewhere       .     .     403    403    403      403      403
    a token for other things    .     .     403    403    403      403      403
    a token to read             .     .     403    403    403      403      403
    the owner                   .     .      .      .      .        .       403
    the owner's token           .     .      .      .      .        .       403
    """,
    "private": """
                              list  read  upload  yank  delete  administer  metrics
    a stranger                 401   401    401    401    401      401      401
    a wrong password           401   401    401    401    401      401      401
    a revoked token            401   401    401    401    401      401      401
    another user                .     .      .     403    403      403      403
    a token for elsewhere       .    403    403    403    403      403      403
    a token for other things   403   403    403    403    403      403      403
    a token to read             .     .     403    403    403      403      403
    the owner                   .     .      .      .      .        .       403
    the owner's token           .     .      .      .      .        .       403
    """,
    "rules": """
                              list  read  upload  yank  delete  administer  metrics
    a stranger                  .    401    401    401    401      401      401
    a wrong password           401   401    401    401    401      401      401
    a revoked token            401   401    401    401    401      401      401
    another user                .    403    403    403    403      403      403
    a token for elsewhere       .    403    403    403    403      403      403
    a token for other things    .    403    403    403    403      403      403
    a token to read             .     .     403    403    403      403      403
    the owner                   .     .      .      .      .        .       403
    the owner's token           .     .      .      .      .        .       403
    """,
}
"""What each caller gets under each policy where something is needed: the page, or a refusal.

"Other things" are all but what is needed.
"""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
XML = {"Content-Type": "text/xml"}
NOTHING = ""


@cache
def built(name: str, version: str) -> tuple[str, bytes]:
    """Build a wheel."""
    return wheel(name, version)


FILENAME, CONTENT = built("acme-lib", "1.0")


@frozen
class Row:
    """A route and a method, and how to ask for it."""

    rule: str
    """The route, as it stands in the application."""
    method: str
    """What ``HEAD`` gets is what ``GET`` gets."""
    needs: str
    """What it takes, as the tables above have it."""
    gives: int
    """The status for those who are let in."""
    query: str = ""
    """Stands behind the path."""
    form: str | None = None
    """The short form that is sent."""
    uploads: bool = False
    """Whether a file is uploaded."""
    calls: tuple[str, ...] = ()
    """The method that is called by XML-RPC, and its arguments."""

    def __str__(self) -> str:
        return f"{self.method} {self.rule}{self.query} {' '.join(self.calls)}"

    def path(self, name: str) -> str:
        """Return the path to ask for."""
        path = self.rule.replace("<name:name>", name).replace("<version>", "1.0")
        path = path.replace("<first>/<second>/<third>", f"source/{name[0]}/{name}")
        return path.replace("<filename:filename>", FILENAME) + self.query

    def ask(self, site: MemorySite, credentials: Mapping[str, str], name: str = "acme-lib") -> Answer:
        """Send the request, about a project."""
        headers, body = dict[str, str](), b""
        if self.uploads:
            headers, body = upload_form(*built(name, "2.0"), name, "2.0")
        elif self.calls:
            method, *arguments = self.calls
            filled = tuple(argument.format(name) for argument in arguments)
            headers, body = XML, dumps(filled, method).encode()
        elif self.form is not None:
            headers, body = FORM, self.form.encode()
        return site.request(self.method, self.path(name), {**headers, **credentials}, body)


ROWS = [
    # For people, and for what watches the daemon
    Row("/", "GET", "list", 200),
    Row("/", "GET", NOTHING, 200, query="?:action=list_classifiers"),
    Row("/+health", "GET", NOTHING, 200),
    Row("/health", "GET", NOTHING, 200),
    Row("/+ready", "GET", NOTHING, 200),
    Row("/+metrics", "GET", "metrics", 200),
    Row("/robots.txt", "GET", NOTHING, 200),
    Row("/favicon.ico", "GET", NOTHING, 404),
    # Lists
    Row("/simple/", "GET", "list", 200),
    Row("/packages/", "GET", "list", 200),
    Row("/rss/updates.xml", "GET", "list", 200),
    Row("/rss/packages.xml", "GET", "list", 200),
    # Projects
    Row("/simple/<name:name>/", "GET", "read", 200),
    Row("/+simple/<name:name>/", "GET", "read", 200),
    Row("/legacy/+simple/<name:name>/", "GET", "read", 200),
    Row("/pypi/+simple/<name:name>/", "GET", "read", 200),
    Row("/pypi/<name:name>/json", "GET", "read", 200),
    Row("/pypi/<name:name>/json/", "GET", "read", 200),
    Row("/pypi/<name:name>/<version>/json", "GET", "read", 200),
    Row("/pypi/<name:name>/<version>/json/", "GET", "read", 200),
    # Files, and what lies beside them
    Row("/packages/<name:name>/<filename:filename>", "GET", "read", 200),
    Row("/packages/<name:name>/<filename:filename>", "GET", "read", 200, query=".metadata"),
    Row("/packages/<name:name>/<filename:filename>", "GET", "read", 200, query=".provenance"),
    Row("/packages/<name:name>/<filename:filename>", "GET", "read", 200, query=".asc"),
    Row("/packages/<name:name>/<filename:filename>", "GET", "read", 404, query=".zip"),
    Row("/simple/<name:name>/<filename:filename>", "GET", "read", 200),
    Row("/simple/<name:name>/<filename:filename>", "GET", "read", 200, query=".metadata"),
    Row("/integrity/<name:name>/<version>/<filename:filename>/provenance", "GET", "read", 200),
    # Files, where pypiserver and PyPI's file host have them
    Row("/packages/<filename:filename>", "GET", "read", 302),
    Row("/packages/<filename:filename>", "GET", "read", 302, query=".metadata"),
    Row("/packages/<filename:filename>", "GET", "read", 302, query="?check=no"),
    Row("/packages/<first>/<second>/<third>/<filename:filename>", "GET", "read", 302),
    Row("/packages/<first>/<second>/<third>/<filename:filename>", "GET", "read", 302, query=".asc"),
    # Redirects; they tell nothing but how a path should be spelled
    Row("/simple", "GET", NOTHING, 301),
    Row("/packages", "GET", NOTHING, 301),
    Row("/simple/<name:name>", "GET", NOTHING, 301),
    Row("/+simple/<name:name>", "GET", NOTHING, 301),
    Row("/legacy/+simple/<name:name>", "GET", NOTHING, 301),
    Row("/pypi/+simple/<name:name>", "GET", NOTHING, 301),
    Row("/<name:name>/", "GET", NOTHING, 303),
    Row("/<name:name>", "GET", NOTHING, 303),
    # The way in
    Row("/", "POST", "upload", 200, uploads=True),
    Row("/legacy/", "POST", "upload", 200, uploads=True),
    Row("/legacy/", "POST", "upload", 200, uploads=True, query="?dry-run=1"),
    Row("/legacy", "POST", "upload", 200, uploads=True),
    Row("/simple/", "POST", "upload", 200, uploads=True),
    Row("/simple", "POST", "upload", 200, uploads=True),
    Row("/pypi", "POST", "upload", 200, uploads=True),
    Row("/pypi/", "POST", "upload", 200, uploads=True),
    Row("/legacy/", "GET", NOTHING, 200),
    Row("/legacy", "GET", NOTHING, 200),
    Row("/pypi", "GET", NOTHING, 200),
    Row("/pypi/", "GET", NOTHING, 200),
    # Remote calls
    Row("/RPC2", "POST", "list", 200, calls=("list_packages",)),
    Row("/RPC2", "POST", "list", 200, calls=("list_packages_with_serial",)),
    Row("/RPC2", "POST", "list", 200, calls=("changelog_last_serial",)),
    Row("/RPC2", "POST", "list", 200, calls=("no_such_method",)),
    Row("/RPC2", "POST", "list", 415),
    Row("/RPC2", "POST", "read", 200, calls=("package_releases", "{}")),
    Row("/RPC2", "POST", "read", 200, calls=("release_urls", "{}", "1.0")),
    Row("/RPC2", "POST", "read", 200, calls=("release_data", "{}", "1.0")),
    Row("/pypi", "POST", "list", 200, calls=("list_packages",)),
    Row("/pypi", "POST", "read", 200, calls=("package_releases", "{}")),
    Row("/pypi/", "POST", "list", 200, calls=("list_packages",)),
    Row("/pypi/", "POST", "read", 200, calls=("package_releases", "{}")),
    # Changes
    Row("/project/<name:name>/people", "POST", "administer", 200, form="role=maintainer&add=carol"),
    Row("/project/<name:name>/<version>/yank", "POST", "yank", 200, form="reason=broken"),
    Row("/project/<name:name>/<version>/unyank", "POST", "yank", 200),
    Row("/project/<name:name>/status", "POST", "administer", 200, form="status=archived"),
    Row("/project/<name:name>/<version>", "DELETE", "delete", 200),
    Row("/project/<name:name>/<version>/", "DELETE", "delete", 200),
    Row("/packages/<name:name>/<filename:filename>", "DELETE", "delete", 200),
]

OUTSIDE = [
    # No route, or none for the method: that is so for everybody, and for all names alike.
    ("GET", "/no/such/page", 404),
    ("GET", "/project/{}/", 404),
    ("POST", "/project/{}/", 404),
    ("POST", "/project/{}/1.0/remove", 404),
    ("DELETE", "/project/{}/", 404),
    ("GET", "/project/{}/1.0/", 405),
    ("PUT", "/simple/{}/", 405),
    ("POST", "/simple/{}/", 405),
    ("DELETE", "/simple/{}/", 405),
    ("PATCH", "/packages/{}/" + FILENAME, 405),
    ("OPTIONS", "/simple/{}/", 204),
    # What no route ever sees.
    ("TRACE", "/simple/{}/", 405),
    ("CONNECT", "/simple/{}/", 405),
    ("BREW", "/simple/{}/", 501),
    ("OPTIONS", "*", 200),
    ("GET", "/simple/{}/%2e%2e/", 400),
    ("GET", "//simple/{}/", 404),
    ("GET", "/simple//{}/", 301),
]
"""What is answered without a look at who asks: method, path with a place for a name, status."""


@frozen
class Callers:
    """All who ask, each with every header that says who they are, and the policies that decide."""

    policies: Mapping[str, IAccessPolicy]
    """The policies by name."""
    tokens: TokenAuthenticator
    """Knows the tokens."""
    texts: Mapping[str, str]
    """The tokens of all callers that have some."""

    def headers(self, caller: str, needs: str) -> Sequence[Mapping[str, str]]:
        """Return what a caller sends, in as many ways as there are."""
        if caller == "a token for other things":
            caller = f"a token for all but {'read' if needs in ('', 'list', 'metrics') else needs}"
        if caller in self.texts:
            return carriers(self.texts[caller])
        return {
            "a stranger": [{}],
            "a wrong password": [basic("ann", "wrong"), basic("ann", ""), basic("nobody", "secret")],
            "another user": [basic("bob", "secret")],
            "the owner": [basic("ann", "secret")],
        }[caller]


def carriers(token: str) -> Sequence[Mapping[str, str]]:
    """Return the headers that a token of Ann's may come in."""
    bearer = {"Authorization": f"Bearer {token}"}
    return [basic("__token__", token), basic("ann", token), basic(token, ""), bearer]


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    rules = RulesAccess(path.with_name("rules.toml"), InlineWorkers(), Clock())
    rules.path.write_bytes(RULES)
    rules.open()
    policies = {"open": OpenAccess(), "private": PrivateAccess(), "rules": rules}
    every = set(SCOPES.values())
    wanted: dict[str, tuple[set[Action], list[str]]] = {
        "a token for elsewhere": (every, ["other-*"]),
        "a token to read": ({Action.READ}, []),
        "the owner's token": (every, ["acme-*"]),
        "a revoked token": (every, []),
        **{f"a token for all but {one.value}": (every - {one}, []) for one in Action},
    }
    now = datetime(2026, 11, 21, tzinfo=UTC)
    made = {name: new("ann", scopes, projects, now, None) for name, (scopes, projects) in wanted.items()}
    path.write_bytes(dump(kept for name, (_, kept) in made.items() if name != "a revoked token"))
    tokens = TokenAuthenticator(path, InlineWorkers(), Clock())
    tokens.open()
    yield Callers(policies, tokens, {name: text for name, (text, _) in made.items()})
    tokens.close()
    rules.close()


def new_site(policy: str, callers: Callers, root: Path | None = None) -> MemorySite:
    """Make a site with a project of Ann's, and an upstream that is not to be asked.

    :param root: a directory for the files, which are in memory without one.
    """
    users = MemoryAuthenticator({"ann": "secret", "bob": "secret"})
    detector = ChangeDetector(lambda: time.time_ns() + 10**13)  # all that is written has settled
    storage = DirectoryStorage(root, detector=detector) if root is not None else MemoryStorage()
    site = MemorySite(
        storage=InlineStorage(storage),
        policy=callers.policies[policy],
        authenticators=[callers.tokens, users],
        upstreams=[MemoryUpstream([], failure="it was asked")],
    )
    vouched = json.dumps([attestation(FILENAME, CONTENT)])
    headers, body = upload_form(
        FILENAME, CONTENT, "acme-lib", "1.0", attestations=vouched, gpg_signature=SIGNATURE
    )
    assert site.request("POST", "/legacy/", headers | basic("ann", "secret"), body).status == 200
    return site


def refusals(policy: str, needs: str) -> Mapping[str, int | None]:
    """Return the status with which each caller is refused what is needed; ``None`` for those let in."""
    head, *lines = LET_IN[policy].strip().splitlines()
    found = {}
    for line in filter(str.strip, lines):
        caller, _, cells = line.strip().partition("  ")
        cell = cells.split()[head.split().index(needs)] if needs else "."
        found[caller] = None if cell == "." else int(cell)
    return found


def said(answer: Answer) -> tuple[object, ...]:
    """Return all of an answer but when it was given and what about."""
    changing = ("Date", "Content-Length")
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    texts = [text.replace("nowhere", "acme-lib") for text in (answer.reason, answer.body.decode("latin-1"))]
    return answer.status, headers, *texts


def test_t53_every_route_has_a_row() -> None:
    rules = list(URL_MAP.iter_rules())
    routes = {(rule.rule, method) for rule in rules for method in rule.methods or () if method != "HEAD"}
    assert {(row.rule, row.method) for row in ROWS} == routes


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_is_about_its_route(row: Row) -> None:
    path = row.path("acme-lib").partition("?")[0]
    rule, _ = URL_MAP.bind("index.example.org").match(path, row.method, return_rule=True)
    assert rule.rule == row.rule


def in_each_way(row: Row, site: MemorySite, headers: Mapping[str, str]) -> list[Answer]:
    """Ask the routes alone, and then three times a connection that may answer ahead of them."""
    usual, site.site.protocol = site.site.protocol, IndexChannel  # type: ignore[assignment]
    answers = [row.ask(site, headers)]
    site.site.protocol = usual
    return answers + [row.ask(site, headers) for _ in range(3)]


@pytest.mark.parametrize(("row", "policy"), [*product(ROWS, LET_IN)], ids=str)
def test_t53_t80_who_is_let_in(row: Row, policy: str, callers: Callers, tmp_path: Path) -> None:
    """Each gets what the tables say, by whatever carrier.

    A refusal is the same for a project that is not here, but for a user who may read it and only
    lacks a role in it; and is not kept by anybody.
    """
    is_file = row.method == "GET" and "<filename" in row.rule
    site = new_site(policy, callers, tmp_path / "files" if is_file else None)
    may_read = {caller for caller, refused in refusals(policy, "read").items() if refused is None}
    for caller, refused in refusals(policy, row.needs).items():
        carried = callers.headers(caller, row.needs)
        answers = []
        for headers in carried:
            answers.append(row.ask(site, headers))
            assert answers[-1].status == (refused or row.gives), (caller, headers, answers[-1])
            if row.method == "DELETE" and not refused:
                site = new_site(policy, callers)
        if row.method == "GET":
            head = site.request("HEAD", row.path("acme-lib"), carried[0])
            assert (head.status, head.body) == (answers[0].status, b"")
            if caller != "a wrong password":  # which is not checked so often
                found = [said(answer) for answer in in_each_way(row, site, carried[0])]
                assert found == [found[0]] * len(found)
        if refused:
            if caller != "another user" or caller not in may_read:
                answers.append(row.ask(site, carried[0], "nowhere"))
            assert [said(answer) for answer in answers] == [said(answers[0])] * len(answers)
            assert answers[0].headers["Cache-Control"] == "no-store"
            assert ("WWW-Authenticate" in answers[0].headers) == (refused == 401)


@pytest.mark.parametrize("policy", LET_IN)
@pytest.mark.parametrize(("method", "path", "status"), OUTSIDE)
def test_what_is_no_route_is_nobodys(
    method: str, path: str, status: int, policy: str, callers: Callers
) -> None:
    site = new_site(policy, callers)
    for caller, name in product(refusals(policy, NOTHING), ("acme-lib", "nowhere")):
        headers = callers.headers(caller, NOTHING)[0]
        assert site.request(method, path.format(name), headers).status == status, caller
