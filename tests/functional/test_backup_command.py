"""``pypid backup`` beside a daemon that takes uploads, and ``pypid restore`` elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any
from xmlrpc.client import ServerProxy

import pytest
from harness.conformance import JSON, USER, LiveIndex, live_index
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script

from pypid.testing.builds import sdist, wheel

WRITERS = 4


def pypid(root: Path, *arguments: str | Path, status: int | None = 0) -> str:
    """Run the command on a root, and return its output."""
    command = [script("pypid"), "--root", root, *arguments]
    return run(command, environment=daemon_environment(), status=status).strip()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LiveIndex]:
    """Yield an index whose users and tokens are in its root, with yanked and removed files."""
    (tmp_path / "old").mkdir()
    with live_index(
        tmp_path / "old", "--auth", f"tokens:{tmp_path / 'old' / 'pypi' / 'tokens'}:optional"
    ) as live:
        (live.daemon.root / "htpasswd").write_bytes((tmp_path / "old" / "users").read_bytes())
        for name in ("quiet", "yanked", "emptied"):
            live.publish_wheel(name)
            live.publish(*sdist(name, "2.0"))
        live.yank("yanked", "1.0", reason="wrong")
        live.set_status("yanked", "deprecated", reason="old")
        live.remove("emptied", sdist("emptied", "2.0")[0])
        yield live


def journal(daemon: Daemon) -> list[Any]:
    """Return the whole journal, without the times: they may be rounded."""
    rows: Any = ServerProxy(f"{daemon.url}pypi").changelog_since_serial(0)
    return [[name, version, action, serial] for name, version, _, action, serial in rows]


def pages(daemon: Daemon) -> dict[str, bytes]:
    """Return the bytes of the list of projects and of all pages."""
    listed = ask(daemon.simple, headers={"Accept": JSON}).body
    names = [project["name"] for project in json.loads(listed)["projects"]]
    return {"": listed} | {
        name: ask(f"{daemon.simple}{name}/", headers={"Accept": JSON}).body for name in names
    }


def restored(backup: Path, root: Path) -> Daemon:
    """Restore a backup, and return a daemon of it that has not been started."""
    assert "up to serial" in pypid(root, "restore", backup)
    users = ("--auth", f"htpasswd:{root / 'htpasswd'}", "--auth", f"tokens:{root / 'tokens'}")
    return Daemon(root, ("--upstream", "none", *users))


def test_a_backup_under_upload_load_is_the_index_at_one_moment(index: LiveIndex, tmp_path: Path) -> None:
    """What was acknowledged before is in it; its journal is the beginning of the old one, and goes on."""
    stop, acknowledged = Event(), list[tuple[str, str]]()
    made = pypid(index.daemon.root, "token", "create", "--user", USER[0])
    [token] = [line for line in made.splitlines() if line.startswith("pypid_")]

    def publish(writer: int) -> None:
        for number in range(1000):
            if stop.is_set():
                return
            name = f"busy-{writer}-{number % 7}"
            published = index.publish(*wheel(name, f"{number}.0"))
            acknowledged.append((published.project, published.filename))

    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(publish, writer) for writer in range(WRITERS)]
        while len(acknowledged) < 20:
            assert not any(one.done() for one in writing)
        before, serial = acknowledged.copy(), index.json()["meta"]["_last-serial"]
        said = pypid(index.daemon.root, "backup", tmp_path / "backup.tar")
        stop.set()
        for one in writing:
            one.result()
    assert "files of projects" in said
    assert (tmp_path / "backup.tar").stat().st_mode & 0o077 == 0

    daemon = restored(tmp_path / "backup.tar", tmp_path / "new")
    assert pypid(daemon.root, "check").startswith("nothing to complain of")
    daemon.start()
    try:
        now = pages(daemon)
        for project, filename in before:
            assert filename in now[project].decode(), "it was acknowledged before the backup began"
        old, new = journal(index.daemon), journal(daemon)
        assert new == old[: len(new)]
        assert new[-1][-1] >= serial
        same = 0
        for project, page in pages(index.daemon).items():
            if project and max(row[-1] for row in old if row[0] == project) <= new[-1][-1]:
                assert now[project].replace(b"%d" % daemon.port, b"") == page.replace(
                    b"%d" % index.daemon.port, b""
                )
                same += 1
        assert same >= 3
        live = LiveIndex(daemon)
        for file in json.loads(now["quiet"])["files"]:
            assert (
                index.get(f"/packages/quiet/{file['filename']}").body
                == live.get(f"/packages/quiet/{file['filename']}").body
            )
        assert live.entry("yanked", wheel("yanked", "1.0")[0])["yanked"] == "wrong"
        # Users, tokens and owners are the same, and a removed name stays taken.
        assert live.upload(*wheel("quiet", "3.0")).status == 200
        live.credentials = {"Authorization": f"Bearer {token}"}
        assert live.upload(*wheel("quiet", "4.0")).status == 200
        assert live.upload(*sdist("emptied", "2.0", payload=b"other")).status == 409
        daemon.stop()
    finally:
        daemon.kill()


def test_restoring_beside_a_running_daemon(index: LiveIndex, tmp_path: Path) -> None:
    """The projects are there at once; the journal is the daemon's own."""
    pypid(index.daemon.root, "backup", tmp_path / "backup.tar")
    with live_index(tmp_path) as other:
        (other.daemon.root / "htpasswd").unlink(missing_ok=True)
        assert "goes on with new serials" in pypid(other.daemon.root, "restore", tmp_path / "backup.tar")
        assert other.projects() == index.projects()
        assert other.json("yanked")["files"] == index.json("yanked")["files"]
        other.publish_wheel("quiet", "5.0")
        assert "has projects" in pypid(other.daemon.root, "restore", tmp_path / "backup.tar", status=1)
