"""The choice of a web proxy for a host."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import CannotStart, ConfigurationError
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.upstream_failures import UnusableAnswer
from pypid.upstream.http.web_proxies import WebProxies, WebProxy, proxy_origin, read_web_proxies

SECURE = Origin("https", "index.example.org", 443)
PLAIN = Origin("http", "index.example.org", 80)
PROXY = "http://proxy.example.org:3128"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def chosen(origin: Origin, via: str | None = None) -> str | None:
    """Name the proxy that a host is asked through."""
    proxy = read_web_proxies(via, None).of(origin)
    return None if proxy is None else str(proxy)


@pytest.mark.parametrize(
    ("variables", "secure", "plain"),
    [
        ({}, None, None),
        ({"https_proxy": PROXY}, PROXY, None),
        ({"http_proxy": PROXY}, None, PROXY),
        ({"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}, PROXY, PROXY),
        ({"HTTPS_PROXY": "http://other", "https_proxy": PROXY}, PROXY, None),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, None, None),
        ({"all_proxy": PROXY}, PROXY, PROXY),
        ({"ALL_PROXY": PROXY, "http_proxy": "http://other"}, PROXY, "http://other"),
        ({"https_proxy": "proxy.example.org:3128"}, PROXY, None),
        ({"https_proxy": f" {PROXY}/ "}, PROXY, None),
        ({"https_proxy": "HTTPS://Proxy.example.org"}, "https://proxy.example.org", None),
        ({"https_proxy": "http://[::1]:3128"}, "http://[::1]:3128", None),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None, None),
        ({"https_proxy": PROXY, "no_proxy": "*"}, None, None),
        ({"all_proxy": PROXY, "NO_PROXY": "index.example.org"}, None, None),
        ({"all_proxy": PROXY, "no_proxy": "other, .Example.org"}, None, None),
        ({"all_proxy": PROXY, "no_proxy": "example.org:443"}, None, PROXY),
        ({"all_proxy": PROXY, "no_proxy": "ample.org,,index.example.org.,10.0.0.0/8"}, PROXY, PROXY),
    ],
)
def test_fault_d2_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], secure: str | None, plain: str | None
) -> None:
    """It is read as pip reads it; an option goes before it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (chosen(SECURE), chosen(PLAIN)) == (secure, plain)
    assert chosen(SECURE, "none") is None
    assert chosen(SECURE, "http://of.option:1") == chosen(PLAIN, "http://of.option:1") == "http://of.option:1"


@pytest.mark.parametrize(
    ("listed", "host", "exempt"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("10.1.2.3:80", "10.1.2.3", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8,10.0.0.0/8", "fe80::1", False),
        ("10.0.0.0/8", "ten.example.org", False),
        ("10.0.0.1/33, nonsense/8,192.0.2.0/24", "192.0.2.7", True),
    ],
)
def test_fault_d2_no_proxy_lists_networks_too(
    monkeypatch: pytest.MonkeyPatch, listed: str, host: str, exempt: bool
) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", listed)
    assert (chosen(Origin("https", host, 443)) is None) is exempt


def test_fault_d2_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are in the variable, quoted, or in a file, which goes before; and in no text."""
    file = tmp_path / "proxy"
    file.write_text("ann:s3cret\n")
    file.chmod(0o600)
    monkeypatch.setenv("https_proxy", "http://b%40b:pa%3A%C3%9F@proxy.example.org:3128")
    for path, expected in ((None, "b@b:pa:ß"), (file, "ann:s3cret")):
        proxy = read_web_proxies(None, path).of(SECURE)
        assert proxy is not None
        assert proxy.authorization == b"Basic " + b64encode(expected.encode())
        assert str(proxy) == PROXY
        assert "Basic" not in repr(proxy)
        assert "pa" not in repr(proxy)
    proxy = read_web_proxies(PROXY, file).of(PLAIN)
    assert proxy is not None
    assert proxy.authorization == b"Basic " + b64encode(b"ann:s3cret")
    with pytest.raises(CannotStart, match="cannot read"):
        read_web_proxies(PROXY, tmp_path / "nowhere")


@pytest.mark.parametrize(
    "value",
    [
        "socks5://alice:s3cret@proxy.example.org:1080",
        "socks5h://proxy.example.org",
        "http://",
        "http://proxy.example.org:s3cret",
        "http://proxy.example.org/s3cret/",
        "http://a b",
        "proxy.example.org:3128:s3cret",
    ],
)
def test_fault_d2_variables_of_no_use(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """They are no reason to go without a proxy; the variable is named, and never what is in it."""
    monkeypatch.setenv("https_proxy", value)
    proxies = read_web_proxies(None, None)
    with pytest.raises(UnusableAnswer, match="the environment variable https_proxy ") as refusal:
        proxies.of(SECURE)
    assert "s3cret" not in str(refusal.value)
    assert proxies.of(PLAIN) is None
    assert chosen(SECURE, "none") is None


@given(st.text(st.sampled_from("htps:/@[]=,.%3 é\\?#")))
def test_fault_d2_any_url_is_read_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://h{text}"):
        try:
            origin = proxy_origin(url)
        except ConfigurationError:
            continue
        assert origin.scheme in ("http", "https")
        assert str(WebProxy(origin, "")).startswith(origin.scheme)


def test_no_proxies() -> None:
    assert WebProxies({}).of(SECURE) is None
