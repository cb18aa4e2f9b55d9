"""The main job with stock clients: upload, install and fall back; and the messages of failures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.archives import make_sdist, make_wheel
from harness.clients import Clients
from harness.daemon import Daemon
from harness.http import ask
from harness.processes import wait_until
from harness.upstream import SAMPLE, FakeIndex, RealIndex

from pypid.daemon.config import DEFAULT_UPSTREAM_URL

Start = Callable[..., Daemon]
User = tuple[str, str]


@pytest.fixture
def index(daemon: Start, htpasswd_user: Path) -> Daemon:
    """Return a daemon whose user was made with Apache's own tool, and that asks nobody else."""
    return daemon("--auth", f"htpasswd:{htpasswd_user}", "--upstream", "none")


def test_twine_uploads_what_pip_and_uv_install(
    index: Daemon, clients: Clients, user: User, tmp_path: Path
) -> None:
    """A wheel and an sdist, from one command, and each into fresh environments."""
    wheel = make_wheel(tmp_path, "Acme-Anvil", "1.0", requires=["acme.hammer>=1"])
    sdist = make_sdist(tmp_path, "acme.hammer", "1.2", requires_python=">=3.8")
    clients.twine_upload(index.url, user, wheel, sdist)
    for install in (clients.pip_install, clients.uv_install):
        installed = install(index.simple, "acme-anvil")
        assert installed.version("acme_anvil") == "1.0"
        assert installed.version("acme_hammer") == "1.2"


@pytest.mark.parametrize("path", ["", "legacy/", "legacy", "simple/", "pypi"])
def test_every_upload_address_of_old_takes_twine(
    index: Daemon, clients: Clients, user: User, tmp_path: Path, path: str
) -> None:
    """Whatever address stands in somebody's ``~/.pypirc``, it works."""
    clients.twine_upload(index.url + path, user, make_wheel(tmp_path, "sample", "1.0"))
    assert ask(f"{index.simple}sample/").status == 200


def test_uv_publishes(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    files = (make_wheel(tmp_path, "sample", "1.0"), make_sdist(tmp_path, "sample", "1.0"))
    clients.uv_publish(f"{index.url}legacy/", user, *files)
    page = ask(f"{index.simple}sample/").text
    assert all(file.name in page for file in files)


def test_same_bytes_again_are_harmless(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    """A release job that is run again succeeds, and changes nothing."""
    wheel = make_wheel(tmp_path, "sample", "1.0")
    clients.twine_upload(index.url, user, wheel)
    published = index.root / "simple" / "sample" / wheel.name
    before = published.stat()
    clients.twine_upload(index.url, user, wheel)
    clients.uv_publish(f"{index.url}legacy/", user, wheel)
    assert published.stat().st_mtime_ns == before.st_mtime_ns
    assert published.stat().st_ino == before.st_ino


def test_other_bytes_are_refused(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    """A file that is published never changes, and whoever tries reads why it was refused."""
    wheel = make_wheel(tmp_path, "sample", "1.0")
    clients.twine_upload(index.url, user, wheel)
    before = wheel.read_bytes()
    make_wheel(tmp_path, "sample", "1.0", payload=b"changed")
    said = " ".join(clients.twine_upload(index.url, user, wheel, options=("--verbose",), status=None).split())
    assert "409" in said
    assert "exist" in said or "already" in said
    assert "409" in clients.uv_publish(f"{index.url}legacy/", user, wheel, status=None)
    assert (index.root / "simple" / "sample" / wheel.name).read_bytes() == before


def test_wrong_password_says_so(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "sample", "1.0")
    wrong = (user[0], "wrong")
    said = clients.twine_upload(index.url, wrong, wheel, options=("--verbose",), status=None)
    assert "401" in said
    assert "the user name or password is wrong" in " ".join(said.split())
    said = clients.uv_publish(f"{index.url}legacy/", wrong, wheel, status=None)
    assert "password is wrong" in " ".join(said.split())
    assert ask(f"{index.simple}sample/").status == 404


def test_without_users_an_upload_is_told_how_to_make_one(
    daemon: Start, clients: Clients, user: User, tmp_path: Path
) -> None:
    """Reading works, and the refusal names the command."""
    started = daemon("--upstream", "none")
    wheel = make_wheel(tmp_path, "sample", "1.0")
    said = clients.twine_upload(started.url, user, wheel, options=("--verbose",), status=None)
    assert "403" in said
    assert f"pypid--root{started.root}useraddNAME" in "".join(said.split())
    assert ask(started.simple).status == 200


def test_users_file_in_the_root_counts(
    daemon: Start, htpasswd_user: Path, clients: Clients, user: User, tmp_path: Path
) -> None:
    """``<root>/htpasswd`` needs no option."""
    root = tmp_path / "tree"
    root.mkdir()
    shutil.copy(htpasswd_user, root / "htpasswd")
    started = daemon("--upstream", "none", root=root)
    clients.twine_upload(started.url, user, make_wheel(tmp_path, "sample", "1.0"))
    assert clients.pip_install(started.simple, "sample").version("sample") == "1.0"


def test_file_that_was_copied_in_is_served_at_once(daemon: Start, clients: Clients, tmp_path: Path) -> None:
    """The tree of a plain web server works as it stands, also while the daemon runs."""
    root = tmp_path / "tree"
    project = root / "simple" / "pip"
    project.mkdir(parents=True)
    make_sdist(tmp_path, "pip", "1.0.1").rename(project / "pip-1.0.1.tar.gz")
    started = daemon("--upstream", "none", root=root)
    assert "pip-1.0.1.tar.gz" in ask(f"{started.simple}pip/").text
    sdist = make_sdist(tmp_path, "pip", "1.0.2")
    shutil.copy(sdist, project)
    answer = ask(f"{started.simple}pip/pip-1.0.2.tar.gz")
    assert (answer.status, answer.body) == (200, sdist.read_bytes())
    assert "pip-1.0.2.tar.gz" in ask(f"{started.simple}pip/").text
    wheel = make_wheel(tmp_path, "dropped", "1.0")
    (root / "simple" / "dropped").mkdir()
    shutil.copy(wheel, root / "simple" / "dropped")
    assert "dropped" in ask(started.simple).text
    assert clients.pip_install(started.simple, "dropped").version("dropped") == "1.0"


def test_pip_pointed_at_the_bare_host(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    clients.twine_upload(index.url, user, make_wheel(tmp_path, "Acme.Anvil", "1.0"))
    assert clients.pip_install(index.url, "Acme.Anvil").version("acme_anvil") == "1.0"
    assert clients.uv_install(index.url, "Acme.Anvil").version("acme_anvil") == "1.0"


def test_project_that_is_not_here_comes_from_the_upstream(
    daemon: Start, upstream: FakeIndex, clients: Clients
) -> None:
    upstream.add("public", make_wheel, "2.0")
    started = daemon("--upstream", f"redirect:{upstream.simple}")
    assert clients.pip_install(started.simple, "public").version("public") == "2.0"
    assert clients.uv_install(started.simple, "public").version("public") == "2.0"
    assert "/simple/public/" in upstream.requests


def test_t01_local_project_hides_the_upstream_one(
    daemon: Start, upstream: FakeIndex, clients: Clients, users_file: Path, user: User, tmp_path: Path
) -> None:
    """A higher version of the same name elsewhere is never seen, nor is the name told there."""
    upstream.add("acme-anvil", make_wheel, "99.0")
    started = daemon("--upstream", f"redirect:{upstream.simple}", "--auth", f"htpasswd:{users_file}")
    clients.twine_upload(started.url, user, make_wheel(tmp_path, "acme-anvil", "1.0"))
    for spelling in ("acme-anvil", "Acme_Anvil", "ACME.anvil"):
        assert clients.pip_install(started.simple, spelling).version("acme_anvil") == "1.0"
        assert clients.uv_install(started.simple, spelling).version("acme_anvil") == "1.0"
    assert clients.pip(
        "download", "--index-url", started.simple, "--retries", "0", "acme-anvil==99.0", status=None
    )
    assert upstream.requests == []


def test_t02_reserved_name_is_never_asked_for(daemon: Start, upstream: FakeIndex, clients: Clients) -> None:
    """A private name that is not published yet cannot be claimed by anybody else."""
    upstream.add("acme-secret", make_wheel, "99.0")
    upstream.add("public", make_wheel, "1.0")
    started = daemon("--upstream", f"redirect:{upstream.simple}", "--reserve", "acme-*")
    for path in ("simple/acme-secret/", "simple/Acme_Secret/", "simple/acme.secret/", "acme-secret/"):
        answer = ask(started.url + path)
        while answer.status in (301, 303):
            answer = ask(f"{started.simple}acme-secret/")
        assert answer.status == 404, path
    clients.pip("download", "--index-url", started.simple, "--retries", "0", "acme-secret", status=None)
    assert upstream.requests == []
    assert clients.pip_install(started.simple, "public").version("public") == "1.0"


def test_real_upstream(daemon: Start, real_index: RealIndex, clients: Clients, tmp_path: Path) -> None:
    """A stock pip gets a public project through pypid from the index that this machine uses."""
    options = () if real_index.url == DEFAULT_UPSTREAM_URL else ("--upstream", f"proxy:{real_index.url}")
    started = daemon(*options)
    clients.environment |= real_index.environment
    clients.pip("download", "--no-deps", "--index-url", started.simple, "--dest", tmp_path / "got", SAMPLE)
    assert [path.name.split("-")[0] for path in (tmp_path / "got").iterdir()] == [SAMPLE]
    for path in (f"/simple/{SAMPLE}/", f"/packages/{SAMPLE}/"):
        wait_until(lambda path=path: path in started.log_text(), f"{path} in the log")
