"""The notation of option values."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypid.daemon import config
from pypid.errors import CannotStart, ConfigurationError
from pypid.tap import Options
from pypid.upstream.memory import MemoryUpstream
from pypid.upstream.none import NoUpstream
from pypid.upstream.redirect import RedirectUpstream
from pypid.web.http.forwarded import TrustedProxies


def test_version_pattern() -> None:
    for good in ("*.dev*", "0.*", "1!*+local.*"):
        assert config.version_pattern(good) == good
    for bad in ("", "*.DEV*", "1.0 ", "[0-9]", "1.?", "x" * 101, "1.0\n", "../*"):
        with pytest.raises(ConfigurationError, match=r"\*\.dev\*"):
            config.version_pattern(bad)


def test_upstreams_have_names_of_their_own() -> None:
    """Those that keep nothing, and are of another kind, may have the name of one that does."""
    url = "https://index.example.org/simple/"
    fine = [MemoryUpstream([]), MemoryUpstream([], name="other"), RedirectUpstream(url), NoUpstream()]
    config.check_names(fine)
    config.check_names([*fine, MemoryUpstream([], name="index.example.org")])
    for other in (MemoryUpstream([], name="other"), RedirectUpstream(url)):
        with pytest.raises(ConfigurationError, match=f"two upstreams are called {other.name}; .*name=NAME"):
            config.check_names([*fine, other])


def test_realm() -> None:
    for good in ("pypi", "Acme's [own] index #1!", "x" * 100):
        assert config.realm(good) == good
    for bad in ("", 'a"b', "a\\b", "a\n", "é", "x" * 101, "\x7f"):
        with pytest.raises(ConfigurationError, match="is not a realm"):
            config.realm(bad)


def test_fault_e3_keep_alive() -> None:
    for good in ("1", "120", "86400"):
        assert config.keep_alive(good) == float(good)
    for bad in ("", "0", "86401", "-5", "1.5", "2m", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 5000):
        with pytest.raises(ConfigurationError, match="is not a number of seconds between 1 and 86400"):
            config.keep_alive(bad)


def test_old_archives() -> None:
    assert config.old_archives("egg") == {".egg"}
    assert config.old_archives(" .tar.bz2, zip,rpm") == {".tar.bz2", ".zip", ".rpm"}
    for bad in ("", "egg,", "whl", "tar.gz", "deb", "egg zip"):
        with pytest.raises(ConfigurationError, match="zip, tgz"):
            config.old_archives(bad)


def test_upload_rules() -> None:
    rules = config.upload_rules("permissive", frozenset({".egg"}), ["*.dev*"])
    assert (rules.strict, rules.old_archives, rules.overwrite) == (False, {".egg"}, ("*.dev*",))
    assert config.upload_rules("strict", frozenset(), []).strict
    with pytest.raises(ConfigurationError, match="neither"):
        config.upload_rules("lax", frozenset(), [])
    with pytest.raises(ConfigurationError, match="old-archives"):
        config.upload_rules("strict", frozenset({".egg"}), [])


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp:8080:interface=127.0.0.1",
        "tcp:interface=127.8.9.1:port=80",
        "tcp6:8080:interface=\\:\\:1",
        "ssl:443:interface=127.0.0.1:privateKey=key",
        "unix:/run/pypid.sock:mode=660",
    ],
)
def test_strangers_may_upload_from_this_machine(endpoint: str) -> None:
    assert config.access_policy("anyone", [config.DEFAULT_LISTEN, endpoint]) == "anyone"


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp:8080",
        "tcp:8080:interface=0.0.0.0",
        "tcp:8080:interface=192.0.2.1",
        "tcp6:8080:interface=\\:\\:",
        "tcp:8080:interface=",
        "tcp:8080:interface=127.0.0.1.example.org",
        "systemd:domain=INET:name=http",
        "haproxy:unix:/run/pypid.sock",
        "unixlike:/run/pypid.sock",
        "other:interface=127.0.0.1",
        "",
    ],
)
def test_strangers_from_elsewhere_are_to_be_meant(endpoint: str) -> None:
    """Where others than this machine might upload, that has to be said twice; reading is another matter."""
    for text in ("anyone", "anyone:"):
        with pytest.raises(ConfigurationError, match="say anyone:anyone"):
            config.access_policy(text, [config.DEFAULT_LISTEN, endpoint])
    for text in ("anyone:anyone", "open", "private", "rules:/etc/pypid/rules.toml"):
        assert config.access_policy(text, [endpoint]) == text


def test_fault_a9_trusted_proxies(tmp_path: Path) -> None:
    options = Options()
    options.parseOptions(["--root", str(tmp_path), "--trust-proxy", "127.0.0.1", "--trust-proxy", "unix"])
    assert options.config().proxies == TrustedProxies.of(["127.0.0.1", "unix"])
    for bad in ("nginx", "10.0.0.1/8", "::/0"):
        with pytest.raises(CannotStart, match=r"^pypid: --trust-proxy: ") as raised:
            Options().parseOptions(["--root", str(tmp_path), "--trust-proxy", bad])
        assert len(str(raised.value).splitlines()) == 1


def test_fault_e3_keep_alive_as_an_option(tmp_path: Path) -> None:
    options = Options()
    options.parseOptions(["--root", str(tmp_path), "--keep-alive", "620"])
    assert options.config().keep_alive == 620
    with pytest.raises(CannotStart, match=r"^pypid: --keep-alive: "):
        Options().parseOptions(["--root", str(tmp_path), "--keep-alive", "a minute"])
