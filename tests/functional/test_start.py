"""A daemon that cannot start says why on one line, and does not start."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.daemon import Daemon, refused_start
from harness.http import ask
from harness.processes import free_port, run, script

from pypid.config import DEFAULT_UPSTREAM_URL


def test_without_a_root(tmp_path: Path) -> None:
    assert "--root" in last_line(refused_start())


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--storage", "nonsense:x", "directory"),
        ("--auth", "htpaswd:/x", "htpasswd"),
        ("--access", "nonsense", "private"),
        ("--upstream", "nonsense:x", "redirect"),
        ("--upstream", "redirect:ftp//nowhere", "https://"),
        ("--upstream", "redirect:", "https://"),
        ("--listen", "tcp:no-port", "no-port"),
        ("--listen", "nonsense:8080", "nonsense"),
        ("--max-upload", "many", "500M"),
        ("--max-upload", "0", "500M"),
        ("--public-url", "packages.example.org", "https://"),
        ("--public-url", "https://", "https://"),
        ("--reserve", "acme/../*", "acme-*"),
        ("--uploads", "lax", "permissive"),
        ("--old-archives", "whl", "egg"),
        ("--overwrite", "[0-9]", "*.dev*"),
        ("--attestations", "verify", "verify:https://github.com/acme/*"),
        ("--attestations", "verify:github.com/acme", "https://github.com/acme/*"),
        ("--no-such-option", "x", "no-such-option"),
    ],
)
def test_malformed_option_names_itself(tmp_path: Path, option: str, value: str, expected: str) -> None:
    """The line has what was wrong or what would be right, and nothing is made on the disk."""
    root = tmp_path / "tree"
    line = last_line(refused_start("--root", root, option, value))
    assert expected in line
    assert not root.exists()


def test_two_upstreams_of_one_name(tmp_path: Path) -> None:
    """They would share a cache; the line says how to tell them apart, and nothing is made on the disk."""
    options = [f"proxy:{scheme}://index.example.org/simple/" for scheme in ("http", "https")]
    root = tmp_path / "tree"
    line = last_line(refused_start("--root", root, "--upstream", options[0], "--upstream", options[1]))
    assert "two upstreams are called index.example.org" in line
    assert "name=NAME" in line
    assert not root.exists()


def test_fault_d3_two_redirects_of_one_host(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """They clash until one of them is named; what is no name is no part of the URL either."""
    options = [f"redirect:https://index.example.org/{path}/simple/" for path in ("old", "new")]
    root = tmp_path / "tree"
    line = last_line(refused_start("--root", root, "--upstream", options[0], "--upstream", options[1]))
    assert "two upstreams are called index.example.org" in line
    assert "name=NAME" in line
    line = last_line(refused_start("--root", root, "--upstream", f"{options[0]}:nmae=old"))
    assert 'did you mean "name"?' in line
    started = daemon("--upstream", options[0], "--upstream", f"{options[1]}:name=new")
    answer = ask(f"{started.simple}foo/")
    assert (answer.status, answer.headers["Location"]) == (302, "https://index.example.org/old/simple/foo/")


def test_port_in_use(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    first = daemon("--upstream", "none")
    listen = f"tcp:{first.port}:interface=127.0.0.1"
    line = last_line(refused_start("--root", tmp_path / "second", "--listen", listen))
    assert str(first.port) in line
    assert "in use" in line.lower()


def test_root_that_is_a_file(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.touch()
    assert str(root) in last_line(start_on_free_port(root))


def test_root_that_cannot_be_made() -> None:
    """Not even for root can anything be made there."""
    assert "/proc/pypi" in last_line(start_on_free_port(Path("/proc/pypi")))


def test_root_that_cannot_be_written(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir(mode=0o500)
    if os.access(root, os.W_OK):
        # The super-user may write anywhere but where nobody can.
        root = Path("/proc/self")
    assert str(root) in last_line(start_on_free_port(root))


def test_unusable_users_file(tmp_path: Path) -> None:
    """Another kind of hash is refused with the user and the command that helps."""
    users = tmp_path / "users"
    users.write_text("alice:$apr1$tXAtgu1v$NzPTHTKVcvEHbRGDLyFqP1\n")
    line = last_line(start_on_free_port(tmp_path / "tree", "--auth", f"htpasswd:{users}"))
    assert "alice" in line
    assert "htpasswd -B" in line


@pytest.mark.parametrize(
    ("kind", "prefix"), [("storage", "directory:"), ("auth", "htpasswd:"), ("upstream", "redirect:")]
)
def test_help_lists_what_is_installed(kind: str, prefix: str) -> None:
    assert prefix in run([script("twistd"), "-n", "pypid", f"--help-{kind}"])


def test_help_explains_every_option() -> None:
    said = run([script("twistd"), "-n", "pypid", "--help"])
    options = "root listen storage auth access upstream reserve public-url max-upload"
    assert [option for option in options.split() if f"--{option}" not in said] == []


def test_banner_says_where_to_go(daemon: Callable[..., Daemon]) -> None:
    """The log has the address to open, and the lines for pip and twine that fit it."""
    started = daemon("--upstream", "none")
    said = started.log_text()
    assert f"--index-url {started.simple}" in said
    assert f"twine upload --repository-url {started.url}" in said


def test_banner_says_what_is_upstream(daemon: Callable[..., Daemon]) -> None:
    """PyPI, kept, if nothing is said; otherwise what was said, with its rules, in that order."""
    assert f"upstream projects that are not here are fetched from {DEFAULT_UPSTREAM_URL} and kept" in (
        daemon().log_text()
    )
    rules = "proxy:http://127.0.0.1:9/simple/:merge=Foo,bar:deny=evil:min-age=3d"
    said = daemon("--upstream", rules, "--upstream", "redirect:https://index.example.org/").log_text()
    for line in (
        "deny=evil min-age=3d",
        "merged   its files are added to what is published here of bar, foo",
    ):
        assert line in said
    assert said.index("127.0.0.1:9") < said.index("are redirected to https://index.example.org/")


def start_on_free_port(root: Path, *options: str) -> str:
    """Try to start with a root that is of no use."""
    return refused_start("--root", root, "--listen", f"tcp:{free_port()}:interface=127.0.0.1", *options)


def last_line(said: str) -> str:
    """Give the line that a terminal shows last."""
    return said.strip().splitlines()[-1]
