"""The administrator's rules for the files of an upstream."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import ConfigurationError, NameWithheld, Withheld
from pypid.model import File, Project
from pypid.names import parse_filename
from pypid.upstream.release_policy import ReleasePolicy, ReleaseRule

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def file(filename: str, age: timedelta | None = timedelta(days=100), **values: Any) -> File:
    """Make a file that was uploaded so long ago."""
    name = parse_filename(filename)
    return File(
        filename, name.version, name.kind, 1, {}, None, NOW - age if age is not None else None, **values
    )


def project(*files: File, name: str = "foo") -> Project:
    """Make a project."""
    return Project(name, name, files)


def offered(policy: ReleasePolicy, *files: File, now: datetime = NOW) -> list[str]:
    """List the names of the files that are offered, when told in both ways."""
    found = policy.select(project(*files), now).project
    names = [one.filename for one in found.files]
    assert set(names) | set(found.withheld) == {one.filename for one in files}
    for one in files:
        if one.filename in names:
            policy.check_file("foo", one, now)
        else:
            with pytest.raises(Withheld) as refusal:
                policy.check_file("foo", one, now)
            assert str(refusal.value) == found.withheld[one.filename]
            assert str(refusal.value).startswith(f"{one.filename} is withheld: ")
    return names


def rules(*texts: str) -> tuple[ReleaseRule, ...]:
    """Read rules."""
    return tuple(map(ReleaseRule.parse, texts))


OLD, NEW = file("foo-1.0.tar.gz"), file("foo-2.0.tar.gz")


def test_no_rules() -> None:
    """The project is the very same object, for ever."""
    whole = project(OLD, file("foo-dev.tar.gz", age=None))
    selection = ReleasePolicy().select(whole, NOW)
    assert selection.project is whole
    assert not selection.is_outdated(NOW + 1000 * DAY)


@pytest.mark.parametrize(
    ("text", "name", "matches"),
    [
        ("foo", "foo", True),
        ("Foo_Bar", "foo-bar", True),
        ("foo", "foo-bar", False),
        ("acme-*", "acme-lib", True),
        ("acme-*", "acme", False),
        ("*", "anything", True),
        ("foo<5", "foo", True),
        ("foo <5", "foo", True),
        ("foo*==1.*", "foobar", True),
    ],
)
def test_patterns(text: str, name: str, matches: bool) -> None:
    """They are matched against normalized names, and the whole of them."""
    assert ReleaseRule.parse(text).matches_project(name) is matches


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "<5",
        "foo<",
        "foo<<5",
        "foo=5",
        "foo bar",
        "foo/bar",
        "foo[extra]",
        "-foo",
        "föö",
        "foo<5\n",
        "foo==é",
    ],
)
def test_bad_rules(text: str) -> None:
    """Each is refused in one line."""
    with pytest.raises(ConfigurationError) as refusal:
        ReleaseRule.parse(text)
    assert len(str(refusal.value).splitlines()) == 1


def test_allow() -> None:
    """Nothing but what is named, in the versions named; one rule is enough."""
    policy = ReleasePolicy(allow=rules("foo<2", "foo==3.*", "acme-*"))
    assert offered(
        policy, OLD, NEW, file("foo-3.1.tar.gz"), file("foo-1.5rc1.tar.gz"), file("foo-dev.tar.gz")
    ) == [
        "foo-1.0.tar.gz",
        "foo-3.1.tar.gz",
        "foo-1.5rc1.tar.gz",
    ]
    with pytest.raises(NameWithheld, match="bar is withheld: no allow rule names it"):
        policy.check_name("bar")
    policy.check_name("acme-lib")


def test_deny() -> None:
    """Never what is named, allowed or not; of what is no version nobody knows, so it is denied as well."""
    policy = ReleasePolicy(deny=rules("foo>=2", "evil-*"), allow=rules("foo", "evil-*"))
    assert offered(policy, OLD, NEW, file("foo-dev.tar.gz")) == ["foo-1.0.tar.gz"]
    with pytest.raises(NameWithheld, match=r"evil-twin is withheld by the rule deny=evil-\*"):
        policy.select(project(name="evil-twin"), NOW)
    with pytest.raises(NameWithheld):
        policy.check_file("evil-twin", OLD, NOW)
    assert "deny=foo>=2" in policy.select(project(NEW), NOW).project.withheld[NEW.filename]


def test_only_wheels() -> None:
    wheel = file("foo-1.0-py3-none-any.whl")
    assert offered(ReleasePolicy(only_wheels=True), OLD, wheel, file("foo-1.0-py3.9.egg")) == [wheel.filename]


def test_before() -> None:
    """An index as of a date: what was uploaded at that very time is not there yet."""
    policy = ReleasePolicy(before=NOW - 10 * DAY)
    older, same = (
        file("foo-1.0.tar.gz", age=10 * DAY + timedelta(microseconds=1)),
        file("foo-2.tar.gz", age=10 * DAY),
    )
    assert offered(policy, older, same, file("foo-3.tar.gz", age=DAY)) == [older.filename]
    assert "before=2026-06-05T12:00" in policy.select(project(same), NOW).project.withheld[same.filename]
    assert not policy.select(project(same), NOW).is_outdated(NOW + 1000 * DAY)


def test_min_age() -> None:
    """A file comes of age when it is as old as that, and not before."""
    policy = ReleasePolicy(min_age=3 * DAY)
    young, younger = file("foo-2.0.tar.gz", age=2 * DAY), file("foo-3.0.tar.gz", age=DAY)
    whole = project(OLD, young, younger)
    selection = policy.select(whole, NOW)
    assert selection.project.files == (OLD,)
    assert selection.project.withheld[young.filename] == (
        "foo-2.0.tar.gz is withheld: min-age=3d, until 2026-06-16 12:00 UTC"
    )
    assert selection.until == NOW + DAY
    assert not selection.is_outdated(NOW + DAY - timedelta(microseconds=1))
    assert selection.is_outdated(NOW + DAY)
    later = policy.select(whole, NOW + DAY)
    assert later.project.files == (OLD, young)
    assert later.until == NOW + 2 * DAY
    assert policy.select(whole, NOW + 2 * DAY).project is whole


def test_min_age_of_the_future() -> None:
    """A wrong clock somewhere does no harm."""
    ages = [-DAY, NOW - datetime.max.replace(tzinfo=UTC)]
    assert (
        offered(
            ReleasePolicy(min_age=3 * DAY), *(file(f"foo-{n}.tar.gz", age=age) for n, age in enumerate(ages))
        )
        == []
    )


def test_min_age_exemptions() -> None:
    """For whom one does not want to wait."""
    policy = ReleasePolicy(min_age=3 * DAY, ageless=("acme-*", "foo"))
    assert offered(policy, file("foo-1.0.tar.gz", age=DAY), file("foo-2.0.tar.gz", age=None)) != []
    acme = project(file("acme_x-1.0.tar.gz", age=DAY), name="acme-x")
    assert policy.select(acme, NOW).project is acme
    assert policy.select(project(file("bar-1.0.tar.gz", age=DAY), name="bar"), NOW).project.files == ()


@pytest.mark.parametrize("policy", [ReleasePolicy(min_age=DAY), ReleasePolicy(before=NOW)])
def test_unknown_age(policy: ReleasePolicy) -> None:
    """A file of unknown age is young unless said otherwise."""
    unknown = file("foo-1.0.tar.gz", age=None)
    assert offered(policy, unknown) == []
    assert "unknown-age" in policy.select(project(unknown), NOW).project.withheld[unknown.filename]
    assert not policy.select(project(unknown), NOW).is_outdated(NOW + 1000 * DAY)
    trusting = ReleasePolicy(min_age=policy.min_age, before=policy.before, unknown_is_young=False)
    assert offered(trusting, unknown) == [unknown.filename]


def test_out_of_reach() -> None:
    """A link that could never be followed is not shown, and the reason is that of whoever refuses."""
    asked = []

    def refusal(url: str) -> str | None:
        asked.append(url)
        return "not there" if "evil" in url else None

    near = [file(f"foo-{n}.tar.gz", url=f"https://good.example.org:80/{n}") for n in range(3)]
    far = file("foo-9.tar.gz", url="http://evil.example.org/9")
    found = ReleasePolicy().select(project(*near, far), NOW, refusal).project
    assert found.files == tuple(near)
    assert found.withheld == {"foo-9.tar.gz": "foo-9.tar.gz is withheld: not there"}
    assert asked == ["https://good.example.org:80", "http://evil.example.org"]


def test_provenance_out_of_reach() -> None:
    """A file is offered without provenance that could never be fetched; nothing else of it changes."""
    good, evil = (
        file(f"foo-{n}.tar.gz", url="https://files.example.org/x", provenance_url=url)
        for n, url in enumerate(("https://good.example.org/x", "https://evil.example.org/x"))
    )
    whole = project(good, evil)
    found = ReleasePolicy().select(whole, NOW, lambda url: "not there" if "evil" in url else None)
    assert found.project == project(good, evolve(evil, provenance_url=None))
    assert found.source is whole


def test_rules_as_they_are_written() -> None:
    """For the log at the start."""
    policy = ReleasePolicy(rules("a", "b<5"), rules("c"), 3 * DAY, ("d",), NOW, only_wheels=True)
    assert policy.rules == ["allow=a,b<5", "deny=c", "min-age=3d", "before=2026-06-15T12:00", "only=wheels"]
    assert ReleasePolicy().rules == []


@given(
    st.lists(st.integers(0, 20).map(lambda days: days * DAY) | st.none(), max_size=6),
    st.integers(0, 10),
    st.none() | st.integers(-10, 10),
    st.booleans(),
    st.lists(st.integers(0, 30), max_size=4).map(sorted),
)
def test_a_selection_holds_until_it_is_over(
    ages: list[timedelta | None], min_age: int, before: int | None, young: bool, hours: list[int]
) -> None:
    """A selection is the right one at any time until it is over; and is another one then."""
    files = [file(f"foo-{n}.tar.gz", age=age) for n, age in enumerate(ages)]
    policy = ReleasePolicy(
        min_age=min_age * DAY,
        before=NOW + before * DAY if before is not None else None,
        unknown_is_young=young,
    )
    kept = policy.select(project(*files), NOW)
    for now in (NOW + 8 * hour * timedelta(hours=1) for hour in hours):
        fresh = policy.select(project(*files), now)
        assert (kept.project == fresh.project) is not kept.is_outdated(now)
        assert offered(policy, *files, now=now) == [one.filename for one in fresh.project.files]
        kept = fresh
