"""The processes that check the archives of uploads."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.daemon import Daemon
from harness.processes import children, ended, wait_until
from harness.uploads import Upload


@pytest.fixture
def running(daemon: Callable[..., Daemon], users_file: Path) -> Daemon:
    """Start a daemon that takes uploads."""
    return daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")


def test_an_upload_starts_one_and_the_end_of_the_daemon_ends_it(
    running: Daemon, user: tuple[str, str]
) -> None:
    assert children(running.pid) == set()
    assert Upload.of("one", user).send(running).status == 200
    [pid] = children(running.pid)
    assert b"pypid.runtime.worker_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert Upload.of("two", user).send(running).status == 200
    assert children(running.pid) == {pid}
    running.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_an_upload_does_not_notice_that_it_was_killed(running: Daemon, user: tuple[str, str]) -> None:
    assert Upload.of("one", user).send(running).status == 200
    [pid] = children(running.pid)
    os.kill(pid, signal.SIGKILL)
    assert Upload.of("two", user).send(running).status == 200
    assert children(running.pid) != {pid}


def test_signals_to_all_of_a_service_do_not_end_it_before_the_daemon(
    running: Daemon, user: tuple[str, str]
) -> None:
    assert Upload.of("one", user).send(running).status == 200
    [pid] = children(running.pid)
    os.kill(pid, signal.SIGTERM)
    assert Upload.of("two", user).send(running).status == 200
    assert children(running.pid) == {pid}


def test_it_ends_when_the_daemon_crashes(running: Daemon, user: tuple[str, str]) -> None:
    assert Upload.of("one", user).send(running).status == 200
    [pid] = children(running.pid)
    running.kill()
    wait_until(lambda: ended(pid), "the end of the process")
