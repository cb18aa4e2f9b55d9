"""Which header hands a file over, and when there is none."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import CannotStart, ConfigurationError
from pypid.tap import Options
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.offload import Offload

ROOT = Path("/var/pypi")
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


def test_a_file_below_the_root() -> None:
    path = ROOT / "simple/acme/acme-1.0+local.1-py3-none-any.whl"
    assert Offload.of("nginx:/pypid-files/", ROOT).header(path) == (
        b"X-Accel-Redirect",
        b"/pypid-files/simple/acme/acme-1.0+local.1-py3-none-any.whl",
    )
    assert Offload.of("apache", ROOT).header(path) == (b"X-Sendfile", bytes(path))


@pytest.mark.parametrize("description", ["nginx:/files/", "apache"])
def test_files_elsewhere_are_sent_from_here(description: str, tmp_path: Path) -> None:
    """And behind a symbolic link to the root, the web server gets the path that its configuration has."""
    for path in ("/etc/passwd", "/var/pypi-other/x", "/var"):
        assert Offload.of(description, ROOT).header(Path(path)) is None
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    offload = Offload.of(description, tmp_path / "link")
    header = offload.header(tmp_path.resolve() / "real" / "x.whl")
    assert header is not None
    assert header[1].decode() in ("/files/x.whl", str(tmp_path / "link" / "x.whl"))


@given(st.lists(NAMES, min_size=1, max_size=3), st.sampled_from(["nginx:/files/", "apache"]))
def test_any_name_is_one_line_and_read_back(names: list[str], description: str) -> None:
    path = ROOT.joinpath(*names)
    header = Offload.of(description, ROOT).header(path)
    assert header is not None
    assert header[1].isascii()
    assert header[1].decode().isprintable()
    assert unquote_to_bytes(header[1]).removeprefix(b"/files").endswith(bytes(path.relative_to(ROOT)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither nginx:/prefix/ nor apache"),
        ("lighttpd", "neither nginx:/prefix/ nor apache"),
        ("apache:/x/", "neither nginx:/prefix/ nor apache"),
        ("nginx", "write nginx:/pypid-files/"),
        ("nginx:/", "write nginx:/pypid-files/"),
        ("nginx:files", "write nginx:/files/"),
        ("nginx:/files", "write nginx:/files/"),
        ("nginx:/a/../b/", "needs the path"),
        ("nginx:/a b/", "needs the path"),
        ("nginx:/a\n/", "needs the path"),
    ],
)
def test_what_is_wrong_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Offload.of(text, ROOT)


def test_the_option_needs_a_proxy_that_is_trusted(tmp_path: Path) -> None:
    options = Options()
    options.parseOptions(["--root", str(tmp_path), "--offload", "apache", "--trust-proxy", "127.0.0.1"])
    assert options.config().offload == Offload.of("apache", tmp_path)
    assert options.config().proxies == TrustedProxies.of(["127.0.0.1"])
    with pytest.raises(CannotStart, match=r"^pypid: --offload: .*write --trust-proxy 127\.0\.0\.1"):
        Options().parseOptions(["--root", str(tmp_path), "--offload", "apache"])


def test_the_option_for_host_names(tmp_path: Path) -> None:
    options = Options()
    words = [
        "--root",
        str(tmp_path),
        "--allowed-host",
        "*.example.org",
        "--public-url",
        "https://a.example.net/",
    ]
    options.parseOptions(words)
    hosts = options.config().hosts
    assert [hosts.has(name) for name in ("x.example.org", "a.example.net", "evil.example")] == [
        True,
        True,
        False,
    ]
    with pytest.raises(CannotStart, match=r"^pypid: --allowed-host: .*is not a host name"):
        Options().parseOptions(["--root", str(tmp_path), "--allowed-host", "https://example.org/"])
