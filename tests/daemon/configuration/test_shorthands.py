"""The recognition of descriptions, and the questions about other texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypid.daemon.configuration import shorthands
from pypid.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("9000", "tcp:9000:interface=127.0.0.1"),
        ("09000", "tcp:9000:interface=127.0.0.1"),
        ("0", "tcp:0:interface=127.0.0.1"),
        ("127.0.0.1:9000", "tcp:9000:interface=127.0.0.1"),
        ("localhost:9000", "tcp:9000:interface=127.0.0.1"),
        ("127.0.0.1:9000/", "tcp:9000:interface=127.0.0.1"),
        ("0.0.0.0:80", "tcp:80:interface=0.0.0.0"),
        ("*:80", "tcp:80:interface=0.0.0.0"),
        ("192.0.2.7:80", "tcp:80:interface=192.0.2.7"),
        ("[::1]:9000", "tcp:9000:interface=\\:\\:1"),
        ("[::]:9000", "tcp:9000:interface=\\:\\:"),
        ("/run/pypid.sock", "unix:/run/pypid.sock:mode=660"),
        ("unix:/run/pypid.sock", "unix:/run/pypid.sock:mode=660"),
        ("unix:/run/pypid.sock:mode=600", "unix:/run/pypid.sock:mode=600"),
        ("tcp:9000", "tcp:9000"),
        ("tcp6:9000", "tcp6:9000"),
        ("tcp:9000:interface=127.0.0.1", "tcp:9000:interface=127.0.0.1"),
        ("systemd:domain=INET:name=http", "systemd:domain=INET:name=http"),
        ("acme:9000", "acme:9000"),
        ("", ""),
    ],
)
def test_fault_f5_endpoints(text: str, description: str) -> None:
    assert shorthands.endpoint(text) == description


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (":9000", "--listen 127.0.0.1:9000"),
        (":9000", "--listen 0.0.0.0:9000"),
        ("http://127.0.0.1:9000/", "--listen 127.0.0.1:9000"),
        ("packages.example.org:9000", "--listen 0.0.0.0:9000"),
        ("999.0.0.1:9000", "--listen 0.0.0.0:9000"),
        ("127.0.0.1:99999", "up to 65535"),
        ("99999", "up to 65535"),
    ],
)
def test_fault_f5_endpoints_that_are_not_plain(text: str, line: str) -> None:
    """The error has the line to write."""
    with pytest.raises(ConfigurationError) as refusal:
        shorthands.endpoint(text)
    assert line in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["index.example.org/simple/", "index.example.org:8080", "192.0.2.7/simple/"])
def test_fault_f5_upstream_without_a_scheme(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"write --upstream https://{text}"):
        shorthands.upstream(text)


def test_fault_f5_other_descriptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://index.example.org/simple/:ttl=5m"
    assert shorthands.upstream(url) == f"proxy:{url}"
    assert shorthands.upstream("HTTP://index.example.org/") == "proxy:HTTP://index.example.org/"
    assert (
        shorthands.authenticator("/etc/pypid/htpasswd:legacy=yes")
        == "htpasswd:/etc/pypid/htpasswd:legacy=yes"
    )
    assert shorthands.authenticator("./users") == "htpasswd:./users"
    assert shorthands.authenticator("etc/users") == "htpasswd:etc/users"
    assert shorthands.access("/etc/pypid/rules.toml") == "rules:/etc/pypid/rules.toml"
    assert shorthands.access("rules.toml") == "rules:rules.toml"
    assert shorthands.storage("/srv/wheels") == "directory:/srv/wheels"
    monkeypatch.chdir(tmp_path)
    assert shorthands.authenticator("users.txt") == "users.txt"
    Path("users.txt").touch()
    assert shorthands.authenticator("users.txt") == "htpasswd:users.txt"


@pytest.mark.parametrize(
    "description", ["acme", "acme:x", "htpasswd:/x", "tokens:x/y", "none", "open", "", ":"]
)
def test_descriptions_stay_as_they_are(description: str) -> None:
    """Whatever its prefix, as a plugin may have it."""
    for function in (shorthands.upstream, shorthands.authenticator, shorthands.access, shorthands.storage):
        assert function(description) == description
