"""Fixtures for tests with the real daemon, real clients and real web servers."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bcrypt
import pytest
from harness import secrecy
from harness.clients import Clients, make_environment
from harness.daemon import Daemon
from harness.invariants import running_daemon, status_file, unharmed
from harness.processes import require_tool, run
from harness.scripted import ScriptedIndex, scripted_index
from harness.upstream import FakeIndex, RealIndex, fake_index, find_real_index

USER = ("alice", "correct horse")
"""The one user that :func:`users_file` and :func:`htpasswd_user` know, with the password."""
secrecy.remember(USER[1])

QUICK = frozenset({"test_conformance_html", "test_conformance_negotiation", "test_conformance_files"})
"""The modules whose tests share one daemon and send it few requests. All others are slow."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the tests of this directory as slow, except those of the quick modules."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.stem not in QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Yield a function that starts a daemon with the options it is given, and waits until it answers.

    Each has a root directory of its own, or the one given as ``root``. At the end of the test they
    are stopped, and must stop well.
    """
    started: list[Daemon] = []

    def start(*arguments: str | Path, root: Path | None = None) -> Daemon:
        where = root or tmp_path / f"pypi-{len(started)}"
        started.append(Daemon(where, tuple(map(str, arguments))))
        return started[-1].start()

    yield start
    try:
        for each in started:
            each.stop()
    finally:
        for each in started:
            each.kill()


@pytest.fixture(scope="module")
def attacked_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, int]]:
    """Yield a daemon for all tests of a module, and its memory before them, in bytes."""
    with running_daemon(tmp_path_factory.mktemp("attacked")) as daemon:
        yield daemon, status_file(daemon.pid, "VmRSS")


@pytest.fixture
def attacked(attacked_daemon: tuple[Daemon, int]) -> Iterator[Daemon]:
    """Yield that daemon to one test, and check afterwards that the test did it no harm."""
    with unharmed(*attacked_daemon):
        yield attacked_daemon[0]


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    """Return a users file with :data:`USER` in it, as pypid's own libraries make one."""
    hashed = bcrypt.hashpw(USER[1].encode(), bcrypt.gensalt(5)).decode()
    path = tmp_path / "users"
    path.write_text(f"{USER[0]}:{hashed}\n")
    return path


@pytest.fixture
def htpasswd_user(tmp_path: Path) -> Path:
    """Return a users file with :data:`USER` in it, made by Apache's own tool."""
    htpasswd = require_tool("htpasswd", "apt-get install apache2-utils")
    path = tmp_path / "htpasswd"
    run([htpasswd, "-B", "-b", "-c", path, *USER])
    return path


@pytest.fixture
def user() -> tuple[str, str]:
    """Return the name and the password of the user in the users files."""
    return USER


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return a directory that all workers of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base


@pytest.fixture(scope="session")
def pip_python(shared_directory: Path) -> Path:
    """Return an interpreter that has a stock pip; the first worker that asks makes it."""
    directory = shared_directory / "pip-environment"
    with (shared_directory / "pip-environment.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = directory / "done"
        if not done.exists():
            make_environment(directory)
            done.touch()
    return directory / "bin" / "python"


@pytest.fixture
def clients(tmp_path: Path, pip_python: Path) -> Clients:
    """Return pip, uv and twine, with a home directory for this test alone."""
    home = tmp_path / "home"
    home.mkdir()
    return Clients(home, pip_python)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[FakeIndex]:
    """Yield another index, which remembers its requests."""
    directory = tmp_path / "upstream"
    directory.mkdir()
    with fake_index(directory) as index:
        yield index


@pytest.fixture(scope="session")
def real_index(pip_python: Path, tmp_path_factory: pytest.TempPathFactory) -> RealIndex:
    """Return the index that this machine's pip uses, or skip the test."""
    return find_real_index(pip_python, tmp_path_factory.mktemp("real-index"))


@pytest.fixture
def scripted() -> Iterator[ScriptedIndex]:
    """Yield another index, whose answers a test scripts, right or wrong."""
    with scripted_index() as index:
        yield index


@pytest.fixture
def proxied(daemon: Callable[..., Daemon], scripted: ScriptedIndex) -> Callable[..., Daemon]:
    """Return a function that starts a daemon in front of :func:`scripted`, with options of the proxy."""

    def start(*options: str, arguments: Sequence[str | Path] = (), root: Path | None = None) -> Daemon:
        description = ":".join(["proxy", scripted.simple, *options])
        return daemon("--upstream", description, *arguments, root=root)

    return start
