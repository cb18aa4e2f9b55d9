"""The options after ``proxy:`` in a description."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.daemon.config import DEFAULT_UPSTREAM_URL
from pypid.errors import ConfigurationError
from pypid.upstream.options import Settings, parse_description, parse_redirect
from pypid.upstream.release_policy import ReleasePolicy, ReleaseRule

URL = "https://index.example.org/simple/"


@pytest.mark.parametrize(
    ("argument", "url", "name"),
    [
        (URL, URL, "index.example.org"),
        ("https://index.example.org/simple", URL, "index.example.org"),
        ("https://Index.Example.org", "https://Index.Example.org/", "index.example.org"),
        ("http://127.0.0.1:3141/root/pypi/+simple/", None, "127.0.0.1-3141-root-pypi"),
        ("http://[::1]:8080/simple/", None, "1-8080"),
        ("http://[fe80::a:b]/simple/", None, "fe80-a-b"),
        ("https://h/api/pypi/My_Repo/simple", "https://h/api/pypi/My_Repo/simple/", "h-api-pypi-my-repo"),
    ],
)
@pytest.mark.parametrize("options", ["", ":offline", ":ttl=5m:allow-http"])
def test_url(argument: str, url: str | None, name: str, options: str) -> None:
    """The colons in it are its own, and it gives the upstream its name."""
    settings = parse_description(argument + options)
    assert settings.url == (url or argument)
    assert settings.name == name
    assert settings.offline is (options == ":offline")


def test_defaults() -> None:
    assert parse_description(URL) == Settings(URL, "index.example.org")


def test_all_options() -> None:
    """Each sets what it says."""
    assert parse_description(
        f"{URL}:name=main:ttl=5m:max-stale=2d:timeout=10s:max-size=1GiB:merge=Foo_Bar,baz"
        ":allow=acme-*,django>=4,<5:deny=evil:min-age=3d:min-age-except=acme-*,Foo_Bar:unknown-age=old"
        r":before=2026-01-31T12\:30:only=wheels:hosts=Files.example.org,10.0.0.1\:8443,[\:\:1]\:80"
        ":credentials=/etc/pypid/upstream:offline:allow-private:allow-http"
    ) == Settings(
        url=URL,
        name="main",
        ttl=timedelta(minutes=5),
        max_stale=timedelta(days=2),
        timeout=timedelta(seconds=10),
        max_size=1024**3,
        merged=frozenset({"foo-bar", "baz"}),
        policy=ReleasePolicy(
            allow=(ReleaseRule.parse("acme-*"), ReleaseRule.parse("django>=4,<5")),
            deny=(ReleaseRule.parse("evil"),),
            min_age=timedelta(days=3),
            ageless=("acme-*", "foo-bar"),
            before=datetime(2026, 1, 31, 12, 30, tzinfo=UTC),
            unknown_is_young=False,
            only_wheels=True,
        ),
        hosts=("files.example.org", "10.0.0.1:8443", "[::1]:80"),
        credentials=Path("/etc/pypid/upstream"),
        offline=True,
        allow_private=True,
        allow_http=True,
    )


def test_the_files_of_pypi_are_as_good_as_its_pages() -> None:
    """Its pages link to another host of its own; further ones may be named still."""
    (host,) = parse_description(DEFAULT_UPSTREAM_URL).hosts
    assert host.startswith("files.")
    assert parse_description(f"{DEFAULT_UPSTREAM_URL}:hosts=mirror").hosts == ("mirror", host)
    assert parse_description(URL).hosts == ()


def test_more_options() -> None:
    settings = parse_description(f"{URL}:credentials-env=TOKEN_1:ttl=0s:unknown-age=young:before=2026-01-31")
    assert settings.credentials_variable == "TOKEN_1"
    assert settings.ttl == timedelta(0)
    assert settings.policy.unknown_is_young
    assert settings.policy.before == datetime(2026, 1, 31, tzinfo=UTC)


def test_fault_d1_statuses_that_mean_not_here() -> None:
    assert parse_description(f"{URL}:missing=403").missing == {403}
    assert parse_description(f"{URL}:missing=403, 451").missing == {403, 451}
    assert parse_description(URL).missing == frozenset()


@pytest.mark.parametrize(
    ("option", "via"),
    [
        ("via=http://proxy.example.org:3128", "http://proxy.example.org:3128"),
        ("via=https://proxy.example.org/", "https://proxy.example.org/"),
        (r"via=http\://proxy.example.org\:3128", "http://proxy.example.org:3128"),
        ("via=http://[::1]:3128", "http://[::1]:3128"),
        ("via=none", "none"),
    ],
)
@pytest.mark.parametrize("before", ["", ":ttl=5m"])
@pytest.mark.parametrize("after", ["", ":offline"])
def test_fault_d2_a_web_proxy(before: str, option: str, after: str, via: str) -> None:
    """The colons of its URL need no backslash, and may have one."""
    settings = parse_description(f"{URL}{before}:{option}{after}")
    assert (settings.url, settings.via, settings.offline) == (URL, via, bool(after))


def test_fault_d2_credentials_of_a_web_proxy() -> None:
    settings = parse_description(f"{URL}:via=http://proxy.example.org:3128:via-credentials=/etc/pypid/proxy")
    assert settings.via_credentials == Path("/etc/pypid/proxy")
    assert parse_description(URL).via is None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("via=http://alice:s3cret@proxy.example.org:3128", "use via-credentials"),
        ("via=http://s3cret@proxy.example.org", "use via-credentials"),
        ("via=proxy.example.org:3128", "like http://proxy.example.org:3128, or none"),
        ("via=socks5://proxy.example.org", "or none"),
        ("via=http://proxy.example.org/path", "like http://proxy.example.org:3128, or none"),
        ("via=http://", "like http://proxy"),
        ("via=", "via needs a value"),
        ("via=None", "or none"),
        ("via=none:via-credentials=/x", "via-credentials needs another via than none"),
    ],
)
def test_fault_d2_no_web_proxy(options: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        parse_description(f"{URL}:{options}")
    assert complaint in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (URL, (URL, "index.example.org")),
        (f"{URL}:name=a", (URL, "a")),
        ("http://127.0.0.1:8080/simple:name=a.b-c", ("http://127.0.0.1:8080/simple/", "a.b-c")),
        ("http://[::1]:3141/simple/:name=b", ("http://[::1]:3141/simple/", "b")),
    ],
)
def test_fault_d3_a_redirect_may_be_named(argument: str, expected: tuple[str, str]) -> None:
    assert parse_redirect(argument) == expected


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("", "no such option. There are: name"),
        ("nmae=a", 'did you mean "name"?'),
        ("name=", "name needs a value"),
        ("name=A", "'A' is not a short name"),
        ("name=a:name=b", "name is given twice"),
        ("ttl=5m", "no such option"),
        ("offline", "no such option"),
        ("s3cret/", "no such option"),
    ],
)
def test_fault_d3_a_redirect_has_no_other_options(options: str, complaint: str) -> None:
    """What it does not understand it does not take for a part of the URL."""
    with pytest.raises(ConfigurationError) as refusal:
        parse_redirect(f"{URL}:{options}")
    assert complaint in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_credentials_are_found_after_the_daemon_went_elsewhere(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_description(f"{URL}:credentials=token").credentials == tmp_path / "token"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("", "no such option. There are: name, ttl"),
        ("nonsense", "no such option"),
        ("tll=3m", 'did you mean "ttl"?'),
        ("TTL=3m", "no such option"),
        ("ttl", "ttl needs a value: ttl=VALUE"),
        ("ttl=", "ttl needs a value: ttl=VALUE"),
        ("ttl=3m:ttl=4m", "ttl is given twice"),
        ("ttl=3", "ttl: '3' is not a span of time"),
        ("timeout=0s", "timeout: '0s' is no time at all"),
        ("min-age=0d", "min-age: '0d' is no time at all"),
        ("offline=1", "offline takes no value"),
        ("offline=", "offline takes no value"),
        ("offline:offline", "offline is given twice"),
        ("max-size=0", "max-size: '0' is not a size"),
        ("merge=a,", "merge: '' is not the name of a project"),
        ("merge=acme-*", "merge: 'acme-*' is not the name of a project"),
        ("allow=foo<", "allow: 'foo<' has no version specifier"),
        ("allow=,foo", "allow: '' is not a rule"),
        ("deny=foo/bar", "deny: 'foo/bar' is not a pattern of project names"),
        ("min-age-except=foo", "min-age-except needs min-age"),
        ("unknown-age=old", "unknown-age needs min-age or before"),
        ("min-age=1d:unknown-age=ancient", "'ancient' is neither young nor old"),
        ("before=tomorrow", "before: 'tomorrow' is not a date"),
        ("only=sdists", "only: 'sdists' is not wheels"),
        ("hosts=https://files.example.org", "no such option"),
        ("hosts=a_b", "hosts: 'a_b' is not a host"),
        ("hosts=*.example.org", "is not a host"),
        ("name=Main", "name: 'Main' is not a short name"),
        ("name=../x", "is not a short name"),
        ("name=.", "is not a short name"),
        (f"name={'a' * 101}", "is not a short name"),
        ("credentials-env=A-B", "credentials-env: it takes the name of an environment variable"),
        ("credentials=a:credentials-env=B", "either in a file or in the environment"),
        ("missing", "missing needs a value"),
        *(
            (f"missing={status}", f"missing: '{status}' is no status")
            for status in ("500", "401", "429", "200", "40", "4O3", "-1", "\u0664\u0660\u0663")
        ),
    ],
)
def test_bad_options(options: str, complaint: str) -> None:
    """Each mistake is told in one line."""
    with pytest.raises(ConfigurationError) as refusal:
        parse_description(f"{URL}:{options}")
    assert complaint in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    "argument",
    [
        *(
            "",
            "offline",
            "/simple/",
            "index.example.org",
            "ftp://index.example.org/",
            "https://",
            "https:///simple/",
        ),
        *(
            "https://alice:s3cret@h/simple/",
            "https://s3cret@h/",
            "https://alice:s3:cret@h:80/simple/:offline",
        ),
        *("https://h:s3cret/simple/", "https://h:99999/simple/", "https://[::1/simple/", "https://h/?s3cret"),
        *("https://h/#s3cret:offline", "https://h/a b/", "https://h/\ns3cret", "https://h/simple/:s3cret=1"),
    ],
)
def test_bad_url(argument: str) -> None:
    """It is refused in one line that does not repeat it, as it may have a password in it."""
    with pytest.raises(ConfigurationError) as refusal:
        parse_description(argument)
    assert len(str(refusal.value).splitlines()) == 1
    assert "s3cret" not in str(refusal.value)


@given(st.text(st.sampled_from("ahtps:/@[]=,.*<-\\ 1é")))
def test_any_text(text: str) -> None:
    """It is read or refused."""
    for argument in (text, f"https://h/{text}", f"https://h:{text}", f"https://h/:allow={text}"):
        try:
            settings = parse_description(argument)
        except ConfigurationError:
            continue
        assert settings.url.startswith("http")
        assert settings.url.endswith("/")
