"""The project of a name: local, upstream, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import define, evolve, field

from pypid.errors import Elsewhere, NameWithheld, NotFound, UpstreamFailed, UpstreamTimedOut, Withheld
from pypid.index.resolution import Resolver
from pypid.model import File, Project, Redirect, Status
from pypid.names import parse_filename
from pypid.testing.steps import now

SINCE = datetime(2026, 11, 20, 12, tzinfo=UTC)


@define
class Catalog:
    """Has local projects."""

    projects: dict[str, Project]

    async def project(self, name: str) -> Project | None:
        return self.projects.get(name)


@define
class Upstream:
    """Has what it is told to have, and remembers what it was asked."""

    has: dict[str, Any] = field(factory=dict)
    merged: Sequence[str] = ()
    asked: list[tuple[str, bool]] = field(factory=list)

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:
        self.asked.append((name, refresh))
        answer = self.has.get(name)
        if isinstance(answer, Exception):
            raise answer
        return answer


def project(name: str, *filenames: str, where: str | None = None, **more: Any) -> Project:
    """Make a project of files, each with a digest that tells where it is."""
    files = []
    for filename in filenames:
        parsed = parse_filename(filename, name)
        digest = (where or "here").encode().hex()
        files.append(
            File(filename, parsed.version, parsed.kind, 1, {"sha256": digest}, None, None, url=where)
        )
    return Project(name, name, tuple(files), **more)


def sources(
    *upstreams: Upstream, local: Sequence[Project] = (), reserved: Sequence[str] = ()
) -> tuple[Resolver, dict[str, Project]]:
    projects = {one.name: one for one in local}
    return Resolver(Catalog(projects), upstreams, reserved), projects  # type: ignore[arg-type]


def get(found: Resolver, name: str, *, refresh: bool = False) -> Project:
    answer = now(found.project(name, refresh=refresh))
    assert isinstance(answer, Project)
    return answer


def names(one: Project) -> Mapping[str, str | None]:
    return {file.filename: file.url for file in one.files}


def test_t01_what_is_here_hides_what_is_upstream_whole() -> None:
    """No upstream is even asked, also for a file that is not here."""
    upstream = Upstream({"acme-lib": project("acme-lib", "acme_lib-99.0.tar.gz", where="far")})
    found, _ = sources(upstream, local=[project("acme-lib", "acme_lib-1.0.tar.gz")])
    assert names(get(found, "acme-lib", refresh=True)) == {"acme_lib-1.0.tar.gz": None}
    file, where = now(found.file("acme-lib", "acme_lib-1.0.tar.gz"))
    assert (file.url, where) == (None, None)
    with pytest.raises(NotFound):
        now(found.file("acme-lib", "acme_lib-99.0.tar.gz"))
    assert upstream.asked == []


def test_t02_a_reserved_name_and_one_of_which_nothing_is_left_are_never_asked_for() -> None:
    upstream = Upstream(
        {name: project(name, f"{name}-1.0.tar.gz", where="far") for name in ("secret", "gone")},
        merged=["secret"],
    )
    gone = project("gone", tombstones={"gone-1.0.tar.gz": "00"})
    found, _ = sources(upstream, local=[gone], reserved=["sec*"])
    with pytest.raises(NotFound):
        now(found.project("secret", refresh=True))
    with pytest.raises(NotFound):
        now(found.file("secret", "secret-1.0.tar.gz"))
    assert get(found, "gone") is gone
    assert upstream.asked == []


def test_fault_e7_a_file_is_where_its_page_is() -> None:
    """The files of a project whose page is elsewhere are there; not so names that are here or reserved."""
    upstream = Upstream(
        {name: Redirect(f"https://index.example.org/simple/{name}/") for name in ("foo", "here", "secret")}
    )
    found, _ = sources(upstream, local=[project("here", "here-1.0.tar.gz")], reserved=["sec*"])
    with pytest.raises(Elsewhere) as elsewhere:
        now(found.file("foo", "foo-1.0+local.tar.gz"))
    assert elsewhere.value.url == "https://index.example.org/simple/foo/foo-1.0%2Blocal.tar.gz"
    for name, filename in (
        ("here", "here-2.0.tar.gz"),
        ("secret", "secret-1.0.tar.gz"),
        ("foo", "secret-1.0.tar.gz"),
        ("foo", "index.html"),
    ):
        with pytest.raises(NotFound) as refusal:
            now(found.file(name, filename))
        assert not isinstance(refusal.value, Elsewhere)
    assert {name for name, _ in upstream.asked} == {"foo"}


def test_t02_a_reserved_name_is_not_merged_either() -> None:
    upstream = Upstream({"secret": project("secret", "secret-2.0.tar.gz", where="far")}, merged=["secret"])
    found, _ = sources(upstream, local=[project("secret", "secret-1.0.tar.gz")], reserved=["sec*"])
    assert names(get(found, "secret")) == {"secret-1.0.tar.gz": None}
    assert upstream.asked == []


def test_the_first_upstream_that_has_it_wins() -> None:
    """The ones behind it are not asked."""
    first, second, third = Upstream(), Upstream(), Upstream()
    second.has["foo"] = project("foo", "foo-1.0.tar.gz", where="second")
    third.has["foo"] = project("foo", "foo-2.0.tar.gz", where="third")
    found, _ = sources(first, second, third)
    assert get(found, "foo", refresh=True) is second.has["foo"]
    _, where = now(found.file("foo", "foo-1.0.tar.gz"))
    assert where is second
    with pytest.raises(NotFound):
        now(found.file("foo", "foo-2.0.tar.gz"))
    assert first.asked == second.asked == [("foo", True), ("foo", False), ("foo", False)]
    assert third.asked == []


@pytest.mark.parametrize("failure", [UpstreamFailed("it is down"), UpstreamTimedOut("it is slow")])
def test_an_upstream_that_fails_stops_the_search(failure: UpstreamFailed) -> None:
    """The next one's project of that name might be a stranger's."""
    second = Upstream({"foo": project("foo", "foo-1.0.tar.gz", where="far")})
    found, _ = sources(Upstream({"foo": failure}), second)
    for question in (found.project("foo", refresh=False), found.file("foo", "foo-1.0.tar.gz")):
        with pytest.raises(type(failure), match=str(failure)):
            now(question)
    assert second.asked == []


def test_nowhere_is_only_what_all_say_they_do_not_have() -> None:
    first, second = Upstream(), Upstream()
    found, _ = sources(first, second)
    with pytest.raises(NotFound, match="there is no project foo"):
        now(found.project("foo", refresh=False))
    assert len(first.asked) == len(second.asked) == 1


def test_a_name_that_is_withheld_is_left_to_the_next_upstream() -> None:
    """If none has it, the rule is what is told; what a failing one says goes before that."""
    first = Upstream({"foo": NameWithheld("foo is withheld by the rule deny=foo")})
    second = Upstream({"foo": project("foo", "foo-1.0.tar.gz", where="far")})
    found, _ = sources(first, second)
    assert get(found, "foo") is second.has["foo"]
    del second.has["foo"]
    with pytest.raises(NameWithheld, match="deny=foo"):
        now(found.project("foo", refresh=False))
    second.has["foo"] = UpstreamFailed("it is down")
    with pytest.raises(UpstreamFailed):
        now(found.project("foo", refresh=False))


def test_a_project_all_of_which_is_withheld_is_not_left_to_the_next_upstream() -> None:
    """It is there, and the next one's might be a stranger's."""
    second = Upstream({"foo": project("foo", "foo-1.0.tar.gz", where="far")})
    found, _ = sources(Upstream({"foo": Withheld("min-age=3d")}), second)
    with pytest.raises(Withheld, match="min-age=3d"):
        now(found.project("foo", refresh=False))
    assert second.asked == []


def test_what_is_elsewhere_has_no_files_here() -> None:
    redirect = Redirect("https://index.example.org/simple/foo/")
    found, _ = sources(Upstream({"foo": redirect}))
    assert now(found.project("foo", refresh=False)) is redirect
    with pytest.raises(NotFound):
        now(found.file("foo", "foo-1.0.tar.gz"))


def test_a_file_that_is_withheld_is_refused_with_the_rule() -> None:
    young = project("foo", "foo-1.0.tar.gz", where="far", withheld={"foo-2.0.tar.gz": "min-age=3d"})
    found, _ = sources(Upstream({"foo": young}))
    now(found.file("foo", "foo-1.0.tar.gz"))
    with pytest.raises(Withheld, match="min-age=3d"):
        now(found.file("foo", "foo-2.0.tar.gz"))
    with pytest.raises(NotFound):
        now(found.file("foo", "foo-3.0.tar.gz"))


def test_c76_what_is_quarantined_upstream_is_not_offered_here() -> None:
    bad = project("foo", "foo-1.0.tar.gz", where="far", status=Status.QUARANTINED)
    found, _ = sources(Upstream({"foo": bad}))
    assert get(found, "foo").files == ()
    with pytest.raises(NotFound):
        now(found.file("foo", "foo-1.0.tar.gz"))


@pytest.fixture
def merged() -> tuple[Resolver, dict[str, Project], Upstream]:
    """Return a project that is here, and to which an upstream adds."""
    far = project("foo", "foo-1.0.tar.gz", "foo-3.0.tar.gz", "Foo-1.5.tar.gz", where="far")
    upstream = Upstream({"foo": far}, merged=["foo"])
    here = project("foo", "foo-1.0.tar.gz", "foo-2.0.tar.gz", tombstones={"foo-1.5.tar.gz": "00"}, serial=7)
    found, local = sources(Upstream({"foo": far}), upstream, local=[here])
    return found, local, upstream


def test_t03_a_file_that_is_here_hides_its_twin(
    merged: tuple[Resolver, dict[str, Project], Upstream],
) -> None:
    """Of what has the same name there is one, ours; and a name that was removed here stays away."""
    found, _, upstream = merged
    whole = get(found, "foo", refresh=True)
    assert list(names(whole).items()) == [
        ("foo-1.0.tar.gz", None),
        ("foo-2.0.tar.gz", None),
        ("foo-3.0.tar.gz", "far"),
    ]
    assert (whole.serial, whole.stale_since) == (7, None)
    assert upstream.asked == [("foo", True)]
    assert now(found.file("foo", "foo-1.0.tar.gz"))[1] is None
    assert now(found.file("foo", "foo-3.0.tar.gz"))[1] is upstream
    with pytest.raises(NotFound):
        now(found.file("foo", "Foo-1.5.tar.gz"))


def test_what_is_merged_is_the_same_until_a_part_changes(
    merged: tuple[Resolver, dict[str, Project], Upstream],
) -> None:
    found, local, upstream = merged
    whole = get(found, "foo")
    assert get(found, "foo") is whole
    upstream.has["foo"] = evolve(upstream.has["foo"], stale_since=SINCE)
    stale = get(found, "foo")
    assert stale is not whole
    assert (stale.stale_since, stale.files) == (SINCE, whole.files)
    assert get(found, "foo") is stale
    local["foo"] = evolve(local["foo"], serial=8)
    assert get(found, "foo").serial == 8
    upstream.has["foo"] = None
    assert get(found, "foo") is local["foo"]


def test_what_is_merged_fails_with_its_upstream(
    merged: tuple[Resolver, dict[str, Project], Upstream],
) -> None:
    """Less than all of it would make resolvers choose otherwise; what is withheld adds nothing."""
    found, local, upstream = merged
    upstream.has["foo"] = UpstreamFailed("it is down")
    with pytest.raises(UpstreamFailed):
        now(found.project("foo", refresh=False))
    for rule in (NameWithheld("deny=foo"), Withheld("min-age=3d")):
        upstream.has["foo"] = rule
        assert get(found, "foo") is local["foo"]


def test_c76_nothing_is_added_to_what_is_quarantined(
    merged: tuple[Resolver, dict[str, Project], Upstream],
) -> None:
    found, local, upstream = merged
    local["foo"] = evolve(local["foo"], status=Status.QUARANTINED)
    assert get(found, "foo").files == ()
    assert upstream.asked == []


def test_only_the_names_that_are_listed_are_merged() -> None:
    upstream = Upstream({"foo": project("foo", "foo-2.0.tar.gz", where="far")}, merged=["bar"])
    found, _ = sources(upstream, local=[project("foo", "foo-1.0.tar.gz")])
    assert names(get(found, "foo")) == {"foo-1.0.tar.gz": None}
    assert (found.is_merged("foo"), found.is_merged("bar")) == (False, True)


def test_fault_c2_a_file_that_is_here_hides_its_twin_in_another_spelling() -> None:
    """As does one that was removed here; of upstreams the first one with a file has it."""
    here = project(
        "my-lib",
        "my_lib-1.0.tar.gz",
        "my_lib-2.0-py2.py3-none-any.whl",
        tombstones={"my_lib-3.0.tar.gz": "00"},
    )
    near = Upstream(
        {
            "my-lib": project(
                "my-lib",
                "my.lib-1.tar.gz",
                "my_lib-1.0.zip",
                "My_Lib-2-py3.py2-none-any.whl",
                "my_lib-2.0-py3-none-any.whl",
                "my-lib-3.tar.gz",
                "my_lib-4.0.tar.gz",
                where="near",
            )
        },
        merged=["my-lib"],
    )
    far = Upstream(
        {"my-lib": project("my-lib", "my.lib-4.tar.gz", "my.lib-5.tar.gz", "my_lib-5.0.tar.gz", where="far")},
        merged=["my-lib"],
    )
    found, _ = sources(near, far, local=[here])
    assert list(names(get(found, "my-lib")).items()) == [
        ("my_lib-1.0.tar.gz", None),
        ("my_lib-1.0.zip", "near"),
        ("my_lib-2.0-py2.py3-none-any.whl", None),
        ("my_lib-2.0-py3-none-any.whl", "near"),
        ("my_lib-4.0.tar.gz", "near"),
        ("my.lib-5.tar.gz", "far"),
        ("my_lib-5.0.tar.gz", "far"),
    ]
    with pytest.raises(NotFound):
        now(found.file("my-lib", "my.lib-1.tar.gz"))
