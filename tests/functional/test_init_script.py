"""``etc/init.d/pypid`` does what the LSB asks of it, and its log is rotated by ``etc/logrotate.d/pypid``."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.daemon import QUIET
from harness.etc import ETC, substitute
from harness.initscript import InitScript
from harness.privileges import open_directory, require_root
from harness.processes import answers, credentials, ended, require_tool, run, wait_until


@pytest.fixture
def init() -> Iterator[InitScript]:
    """Yield the installed init script; whatever it started has ended afterwards."""
    with open_directory() as directory:
        service = InitScript(directory)
        service.install()
        try:
            yield service
            if service.log.exists():
                assert not any(sign in service.log.read_text() for sign in QUIET)
        finally:
            if service.path.exists():
                run([service.path, "stop"], status=0)


def test_init_script_starts_reports_and_stops(init: InitScript) -> None:
    """The actions and exit statuses of the LSB, with a daemon that serves."""
    assert "not running" in init("status", 3)
    assert "not running" in init("reload", 7)
    assert "started" in init("start")
    assert answers(f"{init.url}+health")
    first = init.pid
    assert f"running, process {first}" in init("status")
    assert f"already running, process {first}" in init("start")
    assert "read its configuration again" in init("reload")
    wait_until(lambda: "reload: nothing has changed" in init.log.read_text(), "the log has what came of it")
    init("stop")
    wait_until(lambda: ended(first), "its end")
    assert not init.pidfile.exists()
    assert not answers(f"{init.url}+health")
    assert "not running" in init("stop")
    assert "not running" in init("status", 3)


def test_init_script_restarts(init: InitScript) -> None:
    """``restart`` starts what does not run; it and ``force-reload`` replace what does."""
    init("restart")
    first = init.pid
    init("restart")
    second = init.pid
    wait_until(lambda: ended(first), "its end")
    init("force-reload")
    wait_until(lambda: ended(second), "its end")
    assert init.pid not in (first, second)
    assert answers(f"{init.url}+health")


def test_init_script_gives_the_daemon_its_user(init: InitScript) -> None:
    """Process, tree, log and pidfile belong to it, and what is published others may read."""
    init("start")
    wait_until(lambda: (init.root / "simple").exists(), "the tree")
    assert credentials(init.pid) == (init.user.uid, init.user.gid)
    for path in (init.root, init.root / "simple", init.log, init.pidfile.parent):
        assert path.stat().st_uid == init.user.uid, path
    assert (init.root / "simple").stat().st_mode & 0o777 == 0o755


def test_init_script_after_a_crash(init: InitScript) -> None:
    """A pidfile that is left over is reported, and hinders nothing."""
    init("start")
    pid = init.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ended(pid), "the end of the daemon")
    assert "did not end well" in init("status", 1)
    init("start")
    assert init.pid != pid
    assert answers(f"{init.url}+health")


def test_init_script_spares_who_has_the_number_now(init: InitScript) -> None:
    """After a reboot the number in an old pidfile may be that of any process."""
    init.pidfile.parent.mkdir()
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        init.pidfile.write_text(str(bystander.pid))
        init("status", 1)
        assert "not running" in init("stop")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    init.pidfile.write_text("rubbish\n")
    init("status", 1)
    init("start")
    assert answers(f"{init.url}+health")


def test_init_script_says_why_it_does_not_start(init: InitScript) -> None:
    with socket.create_server(("127.0.0.1", init.port)):
        said = init("start", 1)
    assert "did not start" in said
    assert "Address already in use" in said
    init("status", 3)


@pytest.mark.parametrize(
    ("setting", "status", "hint"),
    [("PYPID_TWISTD", 5, "install pypid-server"), ("PYPID_USER", 6, "useradd")],
)
def test_init_script_names_what_is_missing(init: InitScript, setting: str, status: int, hint: str) -> None:
    init.install(**{setting: "/nonexistent/pypid"})
    assert hint in init("start", status)


def test_init_script_passes_options_as_they_are(init: InitScript) -> None:
    """A pattern is not taken for file names, even where there are some that match."""
    (init.directory / "acme-x").touch()
    options = f"--listen tcp:{init.port}:interface=127.0.0.1 --reserve acme-* --upstream none"
    init.install(PYPID_OPTIONS=options)
    init("start")
    command = Path(f"/proc/{init.pid}/cmdline").read_bytes().split(b"\0")
    assert b"acme-*" in command


def test_init_script_is_posix_and_knows_its_place(init: InitScript) -> None:
    """dash and bash take its syntax; the LSB header has what insserv asks for; usage is status 2."""
    for shell in ("dash", "bash"):
        run([require_tool(shell, f"apt-get install {shell}"), "-n", init.path])
    assert os.access(ETC / "init.d" / "pypid", os.X_OK)
    text = init.path.read_text()
    header = text[text.index("### BEGIN INIT INFO") : text.index("### END INIT INFO")]
    for keyword in ("Provides", "Required-Start", "Required-Stop", "Default-Start", "Default-Stop"):
        assert re.search(rf"^# {keyword}:\s+\S", header, re.MULTILINE), keyword
    assert "start|stop|restart|reload|force-reload|status" in init("explode", 2)


def test_logrotate_moves_the_log_and_the_daemon_follows(init: InitScript) -> None:
    """What was logged before is in the dated file, what comes after in the new one; nothing is lost."""
    require_root()
    logrotate = require_tool("logrotate", "apt-get install logrotate")
    text = substitute(
        (ETC / "logrotate.d" / "pypid").read_text(),
        {
            "pypid pypid\n": f"{init.user.name} {init.user.group}\n",
            "/var/log/pypid": str(init.log.parent),
            "/run/pypid/pypid.pid": str(init.pidfile),
        },
    )
    settings = init.directory / "logrotate.conf"
    settings.write_text(text)
    init("start")
    assert answers(f"{init.url}+health?before")
    wait_until(lambda: "?before" in init.log.read_text(), "the line in the access log")
    assert "rotating pattern" in run([logrotate, "-d", settings])
    run([logrotate, "-f", "-s", init.directory / "state", settings])
    # The daemon's own log grows from nothing once it has heard the signal.
    wait_until(
        lambda: answers(f"{init.url}+health?after") and "?after" in init.log.read_text(), "the new log"
    )
    [dated] = init.log.parent.glob("pypid.log-*")
    assert "?before" in dated.read_text()
    assert "?before" not in init.log.read_text()
    assert init.log.stat().st_uid == init.user.uid
