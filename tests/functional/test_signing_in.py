"""Users and tokens of a private index, as administrators make them and clients send them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen
from harness import secrecy
from harness.archives import make_wheel
from harness.clients import Clients
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script
from harness.tools import Toolbox
from harness.upstream import FakeIndex

from pypid.testing.web import basic

Start = Callable[..., Daemon]
PASSWORD = "correct horse: battery@staple"


@frozen
class Private:
    """A private index with one user and one release."""

    daemon: Daemon
    clients: Clients
    netloc: str

    def pypid(self, *arguments: str, answer: str = "") -> str:
        """Run the command on the index; return what it printed."""
        command = [script("pypid"), "--root", self.daemon.root, *arguments]
        environment = daemon_environment()
        done = subprocess.run(
            command, input=answer, capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, *options: str) -> str:
        """Make a token of the user."""
        token = self.pypid("token", "create", "--user", "ci", *options).strip()
        secrecy.remember(token)
        return token

    def url(self, userinfo: str) -> str:
        """Return the address of the index for installers, with credentials."""
        return f"http://{userinfo}@{self.netloc}/simple/"


@pytest.fixture
def private(daemon: Start, clients: Clients, tmp_path: Path) -> Private:
    """Start an index that nobody knows, and then give it its first user: it needs no restart."""
    started = daemon("--upstream", "none", "--access", "private")
    private = Private(started, clients, started.url.removeprefix("http://").rstrip("/"))
    private.pypid("user", "add", "ci", "--password-stdin", answer=f"{PASSWORD}\n")
    wheel = make_wheel(tmp_path, "sample", "1.0")
    clients.twine_upload(started.url, ("ci", PASSWORD), wheel)
    return private


def test_pip_takes_credentials_from_netrc(private: Private) -> None:
    netrc = Path(private.clients.environment["NETRC"])
    netrc.write_text(f'machine 127.0.0.1 login ci password "{PASSWORD}"\n')
    netrc.chmod(0o600)
    assert private.clients.pip_install(private.daemon.simple, "sample").version("sample") == "1.0"


@pytest.mark.parametrize("userinfo", ["__token__:{}", "ci:{}", "{}:", "{}"])
def test_pip_takes_a_token_from_the_url(private: Private, userinfo: str) -> None:
    """As the password of __token__ or of its user, and as a user name alone."""
    url = private.url(userinfo.format(private.token("--scope", "read")))
    private.clients.pip("download", "--no-deps", "--index-url", url, "sample")


def test_pip_takes_a_password_from_the_url(private: Private) -> None:
    private.clients.pip(
        "download",
        "--no-deps",
        "--index-url",
        private.url("ci:correct%20horse%3A%20battery%40staple"),
        "sample",
    )


def test_pip_asks_a_keyring(private: Private, tmp_path: Path) -> None:
    """Through a command of that name, which is how pip asks one that is not its own."""
    commands = tmp_path / "commands"
    commands.mkdir()
    keyring = commands / "keyring"
    keyring.write_text(f'#!/bin/sh\n[ "$1 $3" = "get ci" ] && echo "{PASSWORD}"\n')
    keyring.chmod(0o755)
    private.clients.environment["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"
    options = ["--no-deps", "--keyring-provider", "subprocess", "--index-url", private.url("ci")]
    private.clients.pip("download", *options, "sample")


@pytest.mark.parametrize("wrong", ["ci:wrong", "nobody:wrong", "__token__:pypid_wrong"])
def test_pip_with_a_wrong_password_is_told_so(private: Private, wrong: str) -> None:
    """Where it tells why it found nothing, which it does when it is asked to say more."""
    options = ["-vv", "--no-deps", "--index-url", private.url(wrong)]
    said = private.clients.pip("download", *options, "sample", status=None)
    assert "401 Client Error: the user name or password is wrong" in said


def test_uv_takes_credentials_from_the_environment(private: Private, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "application"\nversion = "1"\nrequires-python = ">=3.8"\n'
        'dependencies = ["sample"]\n'
        f'[[tool.uv.index]]\nname = "acme"\nurl = "{private.daemon.simple}"\ndefault = true\n'
    )
    environment = private.clients.environment
    environment.pop("UV_NO_CONFIG", None)
    lock = ["lock", "--directory", tmp_path]
    assert "401" in private.clients.uv(*lock, status=None)
    for username, password in [("ci", PASSWORD), ("__token__", private.token("--scope", "read"))]:
        (tmp_path / "uv.lock").unlink(missing_ok=True)
        environment |= {"UV_INDEX_ACME_USERNAME": username, "UV_INDEX_ACME_PASSWORD": password}
        private.clients.uv(*lock)
        assert "sample-1.0" in (tmp_path / "uv.lock").read_text()


def test_a_wrong_password_does_not_make_uv_go_on_to_the_next_index(
    private: Private, upstream: FakeIndex
) -> None:
    upstream.add("sample", make_wheel, "99.0")
    options = ["--index", private.url("ci:wrong"), "--default-index", upstream.simple]
    said = private.clients.uv(
        "pip", "install", "--target", private.clients.home / "target", *options, "sample", status=None
    )
    assert "401" in said
    assert upstream.requests == []


def test_poetry_takes_credentials_from_the_environment(
    private: Private, tmp_path: Path, pip_python: Path
) -> None:
    """And says so if they are wrong."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "application"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["sample"]\n[tool.poetry]\npackage-mode = false\n'
        f'[[tool.poetry.source]]\nname = "acme"\nurl = "{private.daemon.simple}"\n'
    )
    lock = [Toolbox(pip_python).environment("poetry==2.5.1") / "poetry", "lock", "--directory", tmp_path]

    def run_with(username: str, password: str, *options: str, status: int | None) -> str:
        more = {"POETRY_HTTP_BASIC_ACME_USERNAME": username, "POETRY_HTTP_BASIC_ACME_PASSWORD": password}
        environment = private.clients.environment | more
        return run([*lock, *options], environment=environment, directory=tmp_path, status=status)

    assert "Authorization error accessing" in run_with("ci", "wrong", "--no-cache", status=1)
    for username, password in [("ci", PASSWORD), ("__token__", private.token("--scope", "read"))]:
        (tmp_path / "poetry.lock").unlink(missing_ok=True)
        run_with(username, password, "--no-cache", status=0)
        assert "sample-1.0" in (tmp_path / "poetry.lock").read_text()


def test_twine_and_uv_upload_with_a_token(private: Private, tmp_path: Path) -> None:
    """By .pypirc, by the environment, and within the token's limits alone."""
    token = private.token("--scope", "upload", "--project", "acme-*")
    (private.clients.home / ".pypirc").write_text(
        "[distutils]\nindex-servers = acme\n"
        f"[acme]\nrepository = {private.daemon.url}\nusername = __token__\npassword = {token}\n"
    )
    private.clients.twine("upload", "--repository", "acme", make_wheel(tmp_path, "acme-a", "1.0"))
    environment = private.clients.environment
    environment |= {"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": token, "UV_PUBLISH_TOKEN": token}
    where = ["--repository-url", f"{private.daemon.url}legacy/"]
    private.clients.twine("upload", *where, make_wheel(tmp_path, "acme-b", "1.0"))
    publish = ["publish", "--trusted-publishing", "never", "--publish-url", f"{private.daemon.url}legacy/"]
    private.clients.uv(*publish, make_wheel(tmp_path, "acme-c", "1.0"))
    said = private.clients.uv(*publish, make_wheel(tmp_path, "other", "1.0"), status=None)
    assert "this token of ci may not upload here: not permitted for project other" in " ".join(said.split())
    user = basic("ci", PASSWORD)
    projects = ask(private.daemon.simple, headers={**user, "Accept": "text/html"}).text
    assert [name in projects for name in ("acme-a", "acme-b", "acme-c", "other")] == [True] * 3 + [False]


def test_every_carrier_of_a_token_gets_the_same_answer(private: Private) -> None:
    """For what it is for and for what it is not for; and none once it is revoked."""
    token = private.token("--scope", "read")
    carriers = [
        basic("__token__", token),
        basic("ci", token),
        basic(token, ""),
        {"Authorization": f"Bearer {token}"},
    ]
    yank = f"{private.daemon.url}project/sample/1.0/yank"
    for carrier in carriers:
        assert ask(f"{private.daemon.simple}sample/", headers=carrier).status == 200
        assert ask(yank, method="POST", headers=_form(carrier), body=b"reason=x").status == 403
    assert ask(f"{private.daemon.simple}sample/", headers=basic("bob", token)).status == 401
    private.pypid("token", "revoke", token)
    for carrier in carriers:
        assert ask(f"{private.daemon.simple}sample/", headers=carrier).status == 401


def test_t51_a_token_is_in_no_log_and_on_no_command_line(private: Private) -> None:
    token = private.token()
    for carrier in (basic("__token__", token), basic(token, ""), {"Authorization": f"Bearer {token}x"}):
        ask(f"{private.daemon.simple}sample/", headers=carrier)
    ask(f"{private.daemon.url}packages/sample/{token}", headers=basic("__token__", token))
    assert token[15:] not in private.pypid("token", "list")
    private.daemon.stop()
    log = private.daemon.log_text()
    secrecy.assert_in_none(log)
    assert f"/packages/sample/{token[:14]}_... " in log
    assert token[15:] not in log


def _form(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Content-Type": "application/x-www-form-urlencoded"}
