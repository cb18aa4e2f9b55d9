"""A daemon that cannot start gives the reason in one line."""

from __future__ import annotations

import html
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest
from harness.archives import make_wheel
from harness.daemon import Daemon, daemon_environment, refused_start
from harness.http import ask
from harness.processes import free_port, run, script, wait_until

from pypid import __version__
from pypid.daemon.config import DEFAULT_UPSTREAM_URL
from pypid.testing.web import basic


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
        ("--listen", ":9000", "--listen 127.0.0.1:9000"),
    ],
)
def test_malformed_option_names_itself(tmp_path: Path, option: str, value: str, expected: str) -> None:
    """The line has what was wrong or what would be right, and nothing is made on the disk."""
    root = tmp_path / "tree"
    line = last_line(refused_start("--root", root, option, value))
    assert expected in line
    assert not root.exists()


def test_fault_f5_what_is_plain_is_taken(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """A port, an address, a URL, and paths of directories and of files."""
    root, ports = tmp_path / "tree", [free_port() for _ in range(3)]
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(5)).decode()
    (tmp_path / "users").write_text(f"alice:{hashed}\n")
    (tmp_path / "rules.toml").write_text('[default]\nread = [":users"]\n')
    (directory := tmp_path / "files" / "simple" / "foo").mkdir(parents=True)
    make_wheel(directory, "foo", "1.0")
    started = daemon(
        *("--port", str(ports[0]), "--listen", str(ports[1]), "--listen", f"[::1]:{ports[2]}"),
        *("--upstream", "http://127.0.0.1:9/simple/:name=ours", "--storage", tmp_path / "files"),
        *("--auth", tmp_path / "users", "--access", tmp_path / "rules.toml"),
        root=root,
    )
    for url in (*(f"http://127.0.0.1:{port}/" for port in ports[:2]), f"http://[::1]:{ports[2]}/"):
        assert ask(f"{url}simple/").status == 401
        assert ask(f"{url}simple/", headers=basic("alice", "secret")).status == 200
    wait_until(lambda: "projects 1, with 1 file," in started.log_text(), "what is in the storage")
    assert "no index until now" not in started.log_text()  # of the root, where it need not be
    assert "http://127.0.0.1:9/simple/" in started.log_text()


def test_fault_f9_version() -> None:
    command = [script("twistd"), "pypid", "--version"]
    assert run(command, environment=daemon_environment()) == f"pypid {__version__}\n"


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
    assert "choose another port, as in --port" in line


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
    assert "1 user has apr1-MD5 hashes" in line  # fault F4
    assert f"--auth htpasswd:{users}:legacy=yes" in line


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


def test_fault_f1_the_line_for_the_first_user(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """It works as it stands in the log, on the front page and in the answer to an upload."""
    started = daemon("--upstream", "none", root=tmp_path / "my pypi")
    said = (
        re.search(r"make one with `(.*)`", started.log_text()),
        re.search(r"<code>(\S*pypid .*)</code>", html.unescape(ask(started.url).body.decode())),
        re.search(r"with `(.*)`", ask(started.url, "POST").body.decode()),
    )
    for number, found in enumerate(said):
        assert found is not None, number
        line = found[1].replace("NAME", f"user-{number}")
        subprocess.run(
            ["/bin/sh", "-c", f"{line} --password-stdin"],
            input=b"secret\n",
            env={"PATH": "/usr/bin:/bin"},
            check=True,
        )
    assert len((started.root / "htpasswd").read_text().splitlines()) == 3


def test_fault_f1_strangers_are_not_told_where_things_lie(daemon: Callable[..., Daemon]) -> None:
    """They are when only this machine can ask; the log has the line in any case."""
    started = daemon("--upstream", "none", "--listen", f"0.0.0.0:{free_port()}")
    for said in (ask(started.url).body.decode(), ask(started.url, "POST").body.decode()):
        assert str(started.root) not in said
        assert "log" in said
    assert f"--root {started.root} user add NAME" in started.log_text()


def test_fault_f2_a_new_root_is_said_to_be_new(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """So that a mistyped one is noticed; the next time it is not new."""
    root = tmp_path / "mistyped"
    started = daemon("--upstream", "none", root=root)
    surprise = f"projects none: {root} held no index until now"
    assert started.log_text().count(surprise) == 1
    started.restart()
    wait_until(lambda: f"projects none yet, in {root}" in started.log_text(), "the number of projects")
    assert started.log_text().count(surprise) == 1


def test_fault_f2_what_is_there_is_counted(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """Projects, files, users and tokens; also before the catalog was ever made."""
    root = tmp_path / "tree"
    for project, versions in (("foo", ("1.0", "2.0")), ("bar", ("1.0",))):
        directory = root / "simple" / project
        directory.mkdir(parents=True)
        for version in versions:
            make_wheel(directory, project, version)
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(5)).decode()
    (root / "htpasswd").write_text(f"alice:{hashed}\nbob:{hashed}\n")
    run([script("pypid"), "--root", root, "token", "create", "--user", "alice"])
    started = daemon("--upstream", "none", root=root)
    wait_until(lambda: f"projects 2, with 3 files, in {root}" in started.log_text(), "the numbers")
    assert f"users    2 users of {root / 'htpasswd'}" in started.log_text()
    assert f"users    1 token in {root / 'tokens'}" in started.log_text()
    assert "no index until now" not in started.log_text()


def test_fault_f2_what_is_kept_from_upstreams(daemon: Callable[..., Daemon]) -> None:
    """Which names are; or that none are, where that matters."""
    url = "http://127.0.0.1:9/simple/"
    said = daemon("--upstream", url, "--reserve", "acme-*", "--reserve", "foo").log_text()
    assert "reserved acme-*, foo: never asked for upstream" in said
    said = daemon("--upstream", url).log_text()
    assert "reserved no names" in said
    assert "--reserve 'acme-*'" in said
    assert "reserved" not in daemon("--upstream", "none").log_text()


def test_fault_f6_where_anybody_may_upload(daemon: Callable[..., Daemon], users_file: Path) -> None:
    """The page and the log do not ask for users first; nor does the page speak of an upstream in vain."""
    started = daemon("--upstream", "none", "--access", "anyone")
    page = ask(started.url).body.decode()
    assert f"twine upload --repository-url {started.url}legacy/" in page
    assert "Nobody need sign in" in page
    for said in (page, started.log_text()):
        assert "user add" not in said
    assert "looked up at the upstream" not in page
    with_users = ask(daemon("--access", "anyone", "--auth", f"htpasswd:{users_file}").url).body.decode()
    assert "Nobody need sign in" in with_users
    assert "__token__" in with_users
    assert "looked up at the upstream" in with_users


def start_on_free_port(root: Path, *options: str) -> str:
    """Try to start with a root that is of no use."""
    return refused_start("--root", root, "--listen", f"tcp:{free_port()}:interface=127.0.0.1", *options)


def last_line(said: str) -> str:
    """Return the line that a terminal shows last."""
    return said.strip().splitlines()[-1]
