"""Permission to change a project, over HTTP, by the user's role in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from xmlrpc.client import dumps, loads

import pytest
from twisted.internet.task import Clock

from pypid.access.open import AnyoneAccess, PrivateAccess
from pypid.access.rules import RulesAccess
from pypid.auth.memory import MemoryAuthenticator
from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Limits, Principal
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.fakes import FunctionAuthenticator, InlineWorkers
from pypid.testing.inline import InlineStorage
from pypid.testing.web import Answer, MemorySite, basic, multipart_form, upload_form

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STRANGER: dict[str, str] = {}
ANN, BOB, CY, EVE = (basic(name, "secret") for name in ("ann", "bob", "cy", "eve"))
USERS = MemoryAuthenticator(dict.fromkeys(("ann", "bob", "cy", "eve"), "secret"))
YANK = "/project/acme-lib/1.0/yank"
UNOWNED = (
    "nobody owns the project acme-lib yet: the administrator of this index names an owner"
    " with `pypid --root ROOT owner add acme-lib NAME`"
)


def upload(site: MemorySite, who: dict[str, str], version: str = "1.0", name: str = "acme-lib") -> Answer:
    headers, body = upload_form(*wheel(name, version), name, version)
    return site.request("POST", "/legacy/", headers | who, body)


def post(site: MemorySite, who: dict[str, str], path: str, **fields: str) -> Answer:
    return site.request("POST", path, who | FORM, urlencode(fields).encode())


def people(site: MemorySite, name: str = "acme-lib", **headers: str) -> list[list[str]]:
    body = dumps((name,), "package_roles").encode()
    answer = site.request("POST", "/RPC2", {"Content-Type": "text/xml", **headers}, body)
    ((found,), _) = loads(answer.body)
    assert isinstance(found, list)
    return found


def make(policy: IAccessPolicy | None = None, **options: object) -> MemorySite:
    more = {"policy": policy} if policy is not None else {}
    return MemorySite(authenticators=[USERS], **more, **options)  # type: ignore[arg-type]


@pytest.fixture
def site() -> MemorySite:
    """An index with a project that ann founded, of which bob has published another version."""
    site = make()
    assert upload(site, ANN).status == 200
    assert upload(site, BOB, "2.0").status == 200
    return site


DELETIONS: list[Callable[[MemorySite, dict[str, str]], Answer]] = [
    lambda site, who: site.request("DELETE", "/packages/acme-lib/" + wheel("acme-lib", "1.0")[0], who),
    lambda site, who: site.request("DELETE", "/project/Acme_Lib/1.0/", who),
    lambda site, who: remove_pkg(site, who),
]


def remove_pkg(site: MemorySite, who: dict[str, str]) -> Answer:
    headers, body = multipart_form([(":action", "remove_pkg"), ("name", "Acme.Lib"), ("version", "1.0")])
    return site.request("POST", "/", headers | who, body)


@pytest.mark.parametrize("delete", DELETIONS)
def test_the_founder_may_delete_and_nobody_else(site: MemorySite, delete: Callable[..., Answer]) -> None:
    """Not whoever has published another of its files either."""
    assert delete(site, STRANGER).status == 401
    for who in (BOB, EVE):
        answer = delete(site, who)
        assert answer.status == 403
        assert "may not delete here: not permitted for project acme-lib" in answer.text
    assert delete(site, ANN).status == 200


def test_maintainers_yank_and_owners_do_all(site: MemorySite) -> None:
    assert post(site, EVE, YANK).status == 403
    answer = post(site, ANN, "/project/Acme.Lib/people", role="maintainer", add="eve")
    assert (answer.status, answer.text) == (200, "added as maintainer: eve\n")
    assert post(site, EVE, YANK).status == 200
    assert post(site, EVE, "/project/acme-lib/status", status="archived").status == 403
    assert site.request("DELETE", "/project/acme-lib/1.0/", EVE).status == 403
    assert post(site, ANN, "/project/acme-lib/people", role="owner", add="eve").status == 200
    assert post(site, EVE, "/project/acme-lib/status", status="archived").status == 200
    assert people(site) == [["Owner", "ann"], ["Owner", "eve"], ["Maintainer", "eve"]]
    assert post(site, EVE, "/project/acme-lib/people", role="owner", remove="ann").status == 200
    assert post(site, ANN, YANK).status == 403
    answer = post(site, EVE, "/project/acme-lib/people", role="owner", remove="eve")
    assert (answer.status, answer.reason) == (403, "eve is the only owner of acme-lib: add another one first")


def test_people_are_changed_by_owners_alone(site: MemorySite) -> None:
    before = people(site)
    post(site, ANN, "/project/acme-lib/people", role="maintainer", add="cy")
    for who, status in ((STRANGER, 401), (BOB, 403), (CY, 403), (basic("ann", "wrong"), 401)):
        for fields in ({"add": "bob"}, {"remove": "ann"}):
            assert post(site, who, "/project/acme-lib/people", role="owner", **fields).status == status
    assert people(site) == [*before, ["Maintainer", "cy"]]
    evil = ANN | {"Origin": "https://evil.example.net"}
    assert post(site, evil, "/project/acme-lib/people", role="owner", add="bob").status == 403


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "role: it must be one of owner, maintainer"),
        ({"role": "boss", "add": "bob"}, "role: it must be one of owner, maintainer"),
        ({"add": "bob"}, "role: it must be one of owner, maintainer"),
        ({"role": "owner"}, "add, remove: one of them must be there"),
        ({"role": "owner", "add": "bob", "remove": "ann"}, "add, remove: one of them must be there"),
        ({"role": "owner", "add": "a b"}, "no user can be called so"),
        ({"role": "owner", "add": ""}, "no user can be called so"),
        ({"role": "owner", "user": "bob"}, "the form has other fields than role, add, remove"),
    ],
)
def test_malformed_forms_of_people(site: MemorySite, fields: dict[str, str], said: str) -> None:
    answer = post(site, ANN, "/project/acme-lib/people", **fields)
    assert (answer.status, said in answer.text) == (400, True), answer.text
    assert people(site) == [["Owner", "ann"]]


def test_what_changes_nothing(site: MemorySite) -> None:
    for fields in ({"add": "ann"}, {"remove": "bob"}, {"remove": "a b"}):
        answer = post(site, ANN, "/project/acme-lib/people", role="owner", **fields)
        assert (answer.status, "nothing to do" in answer.text) == (200, True)


def test_the_founder_stays_one(site: MemorySite) -> None:
    """A project that somebody emptied, or whose first file another brings back, is still theirs."""
    for version in ("1.0", "2.0"):
        assert site.request("DELETE", f"/project/acme-lib/{version}/", ANN).status == 200
    assert people(site) == [["Owner", "ann"]]
    assert upload(site, EVE).status == 200
    assert people(site) == [["Owner", "ann"]]


def test_what_was_copied_in_belongs_to_nobody(tmp_path: Path) -> None:
    """Nor to whoever publishes the next file of it; and it is said what to do."""
    filename, content = sdist("acme-lib", "0.9")
    directory = tmp_path / "simple" / "acme-lib"
    directory.mkdir(parents=True)
    (directory / filename).write_bytes(content)
    site = make(storage=InlineStorage(DirectoryStorage(tmp_path)))
    assert upload(site, ANN).status == 200
    assert people(site) == []
    for answer in (post(site, ANN, YANK), site.request("DELETE", "/project/acme-lib/1.0/", ANN)):
        assert (answer.status, answer.reason) == (403, UNOWNED)
    assert post(site, STRANGER, YANK).status == 401


def test_an_empty_directory_is_no_project_yet(tmp_path: Path) -> None:
    """Who publishes the first file founds it, whoever made the directory."""
    (tmp_path / "simple" / "acme-lib").mkdir(parents=True)
    site = make(storage=InlineStorage(DirectoryStorage(tmp_path)))
    assert upload(site, ANN).status == 200
    assert people(site) == [["Owner", "ann"]]


def test_what_strangers_make_belongs_to_nobody() -> None:
    site = make(AnyoneAccess(), public_url="http://index.example.org/")
    assert upload(site, STRANGER).status == 200
    assert upload(site, ANN, "2.0").status == 200
    assert people(site) == []
    assert upload(site, ANN, name="other").status == 200
    assert people(site, "other") == [["Owner", "ann"]]
    assert post(site, STRANGER, YANK).status == 401
    assert site.request("DELETE", "/project/other/1.0/", BOB).status == 403


def test_a_dry_run_founds_nothing() -> None:
    site = make()
    headers, body = upload_form(*wheel("acme-lib", "1.0"), "acme-lib", "1.0")
    assert site.request("POST", "/legacy/?dry-run=1", headers | BOB, body).status == 200
    assert upload(site, ANN).status == 200
    assert people(site) == [["Owner", "ann"]]


def test_a_project_that_is_not_here_is_not_found(site: MemorySite) -> None:
    for path in ("/project/nowhere/1.0/yank", "/project/nowhere/status", "/project/nowhere/people"):
        fields = {"/people": {"role": "owner", "add": "ann"}, "status": {"status": "active"}}
        chosen = next((form for end, form in fields.items() if path.endswith(end)), {})
        assert post(site, ANN, path, **chosen).status == 404
        assert post(site, STRANGER, path, **chosen).status == 401


RULES = """
[groups]
platform = ["ann", "bob"]
[[project]]
names = ["acme-*"]
read = [":platform", "cy"]
create = ["ann"]
upload = [":owners", ":maintainers"]
[[project]]
names = ["closed"]
upload = []
create = []
"""


@pytest.fixture
def ruled(tmp_path: Path) -> MemorySite:
    """An index whose rules keep the names that begin with acme- to some; two projects are copied in."""
    for name in ("acme-copied", "acme-empty"):
        (tmp_path / "simple" / name).mkdir(parents=True)
    filename, content = wheel("acme-copied", "1.0")
    (tmp_path / "simple" / "acme-copied" / filename).write_bytes(content)
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    policy = RulesAccess(path, InlineWorkers(), Clock())
    policy.open()
    site = make(policy, storage=InlineStorage(DirectoryStorage(tmp_path)))
    assert upload(site, ANN).status == 200
    policy.close()
    return site


@pytest.mark.parametrize("name", ["acme-lib", "Acme.Lib", "ACME__lib", "acme-._lib"])
def test_t04_another_user_another_spelling(ruled: MemorySite, name: str) -> None:
    """Another's project stays another's, however its name is spelled."""
    filename, content = wheel("acme-lib", "9.0")
    headers, body = upload_form(filename, content, name, "9.0")
    for who in (BOB, CY, EVE):
        answer = ruled.request("POST", "/legacy/", headers | who, body)
        assert (answer.status, answer.reason.partition(" ")[2]) == (
            403,
            "may not upload here: not permitted for project acme-lib",
        )
        assert post(ruled, who, f"/project/{name}/1.0/yank").status == 403
    assert ruled.request("POST", "/legacy/", headers | STRANGER, body).status == 401
    assert ruled.request("POST", "/legacy/", headers | ANN, body).status == 200


def test_creating_is_not_uploading(ruled: MemorySite) -> None:
    assert upload(ruled, BOB, name="acme-new").status == 403
    assert upload(ruled, ANN, name="acme-new").status == 200
    assert upload(ruled, ANN, name="acme-empty").status == 200
    assert upload(ruled, ANN, "2.0", name="acme-copied").reason.startswith("nobody owns the project")
    post(ruled, ANN, "/project/acme-new/people", role="maintainer", add="bob")
    assert upload(ruled, BOB, "2.0", name="acme-new").status == 200
    assert upload(ruled, BOB, name="closed").status == 403
    assert upload(ruled, BOB, name="anything").status == 200


def test_who_may_not_read_is_not_told_what_there_is(ruled: MemorySite) -> None:
    """The answers about a project that is here and about one that is not differ in its name alone."""

    def ask(who: dict[str, str], name: str) -> list[tuple[int, str]]:
        answers = [
            post(ruled, who, f"/project/{name}/1.0/yank"),
            post(ruled, who, f"/project/{name}/status", status="archived"),
            post(ruled, who, f"/project/{name}/people", role="owner", add="eve"),
            ruled.request("DELETE", f"/project/{name}/1.0/", who),
            ruled.request("GET", f"/simple/{name}/", who),
            upload(ruled, who, "9.0", name),
        ]
        return [(answer.status, answer.text.replace(name, "NAME")) for answer in answers]

    for who, status in ((EVE, 403), (STRANGER, 401)):
        assert ask(who, "acme-lib") == ask(who, "acme-copied") == ask(who, "acme-nowhere")
        assert {answer[0] for answer in ask(who, "acme-lib")} == {status}
    assert post(ruled, CY, "/project/acme-nowhere/1.0/yank").status == 404


def tokens(limits: Limits) -> FunctionAuthenticator:
    """Know ann by a token of some limits."""
    return FunctionAuthenticator(
        lambda given: Principal("ann", limits) if given.password == "token" else None
    )


def test_a_token_has_its_users_roles_and_its_own_limits(site: MemorySite) -> None:
    token = basic("__token__", "token")

    def limited(*actions: Action, projects: tuple[str, ...] = ()) -> MemorySite:
        known = tokens(Limits(frozenset(actions), projects))
        return MemorySite(authenticators=[known], storage=site.storage)

    assert post(limited(Action.YANK), token, YANK).status == 200
    assert post(limited(Action.UPLOAD), token, YANK).status == 403
    assert post(limited(Action.YANK, projects=("other",)), token, YANK).status == 403
    assert upload(limited(Action.UPLOAD), token, name="new").status == 200
    assert upload(limited(Action.UPLOAD, projects=("new",)), token, name="newer").status == 403
    assert upload(limited(Action.READ), token, name="newer").status == 403


def test_a_token_is_no_stranger() -> None:
    """What anybody may do a token for reading may not: it would be done in its user's name."""
    site = MemorySite(authenticators=[tokens(Limits(frozenset({Action.READ})))], policy=AnyoneAccess())
    assert upload(site, basic("__token__", "token")).status == 403
    assert site.request("GET", "/simple/", basic("__token__", "token")).status == 200


def test_roles_are_for_those_who_may_read() -> None:
    site = make(PrivateAccess())
    upload(site, ANN)
    body = dumps(("acme-lib",), "package_roles").encode()
    assert site.request("POST", "/RPC2", {"Content-Type": "text/xml"}, body).status == 401
    assert people(site, **EVE) == [["Owner", "ann"]]
    assert people(site, "nowhere", **EVE) == []
