"""Whether clients should be sent to a daemon: ``/+ready`` and ``pypid status``, as things go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script, wait_until
from harness.scripted import RESET, Gate, ScriptedIndex, answer


def status(root: Path, *options: str, expected: int = 0) -> str:
    """Run ``pypid status``, and return what it says."""
    command = [script("pypid"), "--root", root, "status", *options]
    return run(command, environment=daemon_environment(), status=expected)


def wrong(daemon: Daemon) -> dict[str, str]:
    """Return the condition of each part of a daemon that is not all right."""
    said = ask(f"{daemon.url}+ready", headers={"Accept": "application/json"})
    found = json.loads(said.body)
    assert (said.status, said.headers["Cache-Control"]) == (200 if found["ready"] else 503, "no-store")
    return {one["part"]: one["condition"] for one in found["parts"] if one["condition"] != "ok"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, or skip the test."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small tmpfs")
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", root], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount a tmpfs (CAP_SYS_ADMIN): {mounted.stderr.decode()}")
    yield root
    subprocess.run(["umount", "-l", root], check=True)


def test_a_daemon_that_is_well(daemon: Callable[..., Daemon]) -> None:
    started = daemon("--upstream", "none")
    ready = ask(f"{started.url}+ready")
    assert (ready.status, ready.text) == (200, "ready\nstorage: ok\ndisk: ok\ncatalog: ok\n")
    assert ask(f"{started.url}+health").text == ask(f"{started.url}health").text == "ok\n"
    assert status(started.root) == ready.text
    assert json.loads(status(started.root, "--json"))["ready"] is True


def test_the_command_finds_the_daemon_where_it_listens(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """Also on a UNIX socket, and not one that has ended, or died."""
    started = daemon("--upstream", "none", "--listen", f"unix:{tmp_path / 'socket'}")
    path = started.root / ".pypid" / "daemon.json"
    found = json.loads(path.read_text())
    assert found == {"pid": started.pid, "urls": [started.url, f"unix:{tmp_path / 'socket'}"]}
    path.write_text(json.dumps({"pid": started.pid, "urls": found["urls"][1:]}))
    assert status(started.root).startswith("ready\n")
    path.write_text(json.dumps(found))
    started.stop()
    assert not path.exists()
    assert "no daemon runs on" in status(started.root, expected=1)
    started.start()
    pid = started.pid
    started.kill()
    assert f"process {pid}, does not answer" in status(started.root, expected=1)


def test_a_full_disk(daemon: Callable[..., Daemon], small_disk: Path) -> None:
    """It is not ready while there is no room, says why, and is ready again with the room."""
    started = daemon("--upstream", "none", root=small_disk)
    assert wrong(started) == {}
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    wait_until(lambda: wrong(started).keys() >= {"storage", "disk"}, "it is not ready")
    assert ask(f"{started.url}+health").status == 200
    said = status(small_disk, expected=1)
    assert said.startswith("not ready\n")
    assert "storage: failed: the storage is full" in said
    filler.unlink()
    wait_until(lambda: wrong(started) == {}, "it is ready again")


def test_an_upstream_that_is_down(proxied: Callable[..., Daemon], scripted: ScriptedIndex) -> None:
    """It is told, and the daemon is ready all the same: what is here is served without it."""
    started = proxied("name=there")
    assert wrong(started) == {}
    for number in range(9):
        scripted.script(f"/simple/missing-{number}/", RESET)
        ask(f"{started.url}simple/missing-{number}/")
    wait_until(lambda: wrong(started) == {"upstream there": "degraded"}, "it says that the upstream is down")
    said = status(started.root)
    assert said.startswith("ready, but not everything works\n")
    assert "upstream there: degraded: " in said
    assert "failed again and again" in said


def test_a_daemon_that_stops_is_not_ready(proxied: Callable[..., Daemon], scripted: ScriptedIndex) -> None:
    """Whoever is connected is told so, while a request under way is let end."""
    gate = Gate()
    scripted.script("/simple/slow/", gate, answer(404))
    started = proxied()
    watching, busy = (HTTPConnection("127.0.0.1", started.port, timeout=30) for _ in range(2))
    watching.request("GET", "/+ready")
    assert watching.getresponse().read().startswith(b"ready\n")
    busy.request("GET", "/simple/slow/")
    assert gate.reached.wait(30)
    os.kill(started.pid, signal.SIGTERM)

    def is_told() -> bool:
        watching.request("GET", "/+ready")
        said = watching.getresponse()
        return (said.status, said.read()) == (503, b"not ready\ndaemon: failed: it is stopping\n")

    wait_until(is_told, "it says that it stops")
    watching.close()
    busy.close()
    started.kill()
