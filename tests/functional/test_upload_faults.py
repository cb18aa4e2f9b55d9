"""Faults at each system call of one upload to a real daemon, and disks that are full or read-only."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import pytest
from harness.clients import Clients
from harness.daemon import Daemon
from harness.faults import ONE_THREAD, injected
from harness.privileges import require_root
from harness.processes import require_tool, run, wait_until
from harness.uploads import Upload, staged

PAYLOAD = bytes(20_000)
"""Small enough to come in whole, so that each upload does the same."""

CALLS = {"write": 3, "fsync": 7, "mkdirat": 1, "linkat": 3, "unlinkat": 6, "pwrite64": 1, "sendto": 1}
"""What changes the disk, and the answer; and how often at least an upload does it.

A kill strikes before the call is done. Files are also made by ``openat``, but one of these
always comes next.
"""


@pytest.fixture
def index(tmp_path: Path, users_file: Path) -> Iterator[Daemon]:
    """Yield a daemon that does all its work in one thread, as strace counts the calls of each thread."""
    require_tool("strace", "apt-get install strace")
    daemon = Daemon(
        tmp_path / "pypi", ("--auth", f"htpasswd:{users_file}", "--upstream", "none"), twistd=ONE_THREAD
    )
    yield daemon.start()
    daemon.kill()


def check_once_published(upload: Upload, daemon: Daemon) -> None:
    """Check that a file is there, and once in the journal."""
    assert upload.is_published(daemon)
    journal: Any = ServerProxy(f"{daemon.url}pypi").changelog_since_serial(0)
    actions = [action for name, _, _, action, _ in journal if name == upload.project]
    published = ["new release", f"add py3 file {upload.filename}"]
    assert actions == ["create", f"add Owner {upload.user[0]}", *published]


@pytest.mark.parametrize("call", CALLS)
def test_t64_b268_killed_at_each_call(call: str, index: Daemon, user: tuple[str, str]) -> None:
    """P1, P4: whenever it dies, the file is then there whole or not at all, and can be uploaded again."""
    for number in count(1):
        upload = Upload.of(f"{call}-{number}", user, PAYLOAD)
        with injected(index, f"{call}:signal=KILL:when={number}"):
            try:
                answer = upload.send(index)
            except (OSError, HTTPException):
                answer = None
        if answer is not None:
            assert answer.status == 200, answer
            # Fewer would mean that the call goes by another name here.
            assert number > CALLS[call]
            return
        index.kill()
        index.start()
        assert staged(index.root) == []
        upload.is_published(index)
        assert upload.send(index).status == 200
        check_once_published(upload, index)
        assert staged(index.root) == []


FAULTS = [
    ("fsync", "EIO", {503}),
    ("fsync", "ENOSPC", {507}),
    ("write", "EIO", {503, 200}),
    ("write", "ENOSPC", {507, 200}),
    ("mkdirat", "ENOSPC", {507}),
    ("linkat", "EROFS", {403}),
    ("mkdirat", "EACCES", {403}),
    ("unlinkat", "EIO", {503, 200}),
    ("pwrite64", "ENOSPC", {200}),
    ("pwrite64", "EIO", {200}),
]
"""Calls, how they fail, and the answers; 200 where it was the log, the catalog, or the clearing away."""


@pytest.mark.parametrize(("call", "error", "statuses"), FAULTS)
def test_t69_b269_each_call_fails(
    call: str, error: str, statuses: set[int], index: Daemon, user: tuple[str, str]
) -> None:
    """C147, C185: a refused upload says so, leaves nothing, and passes when it is sent again."""
    answered = set()
    for number in count(1):
        upload = Upload.of(f"{call}-{number}", user, PAYLOAD)
        with injected(index, f"{call}:error={error}:when={number}") as output:
            answer = upload.send(index)
        if "INJECTED" not in output.read_text():
            break
        answered.add(answer.status)
        assert upload.is_published(index) == (answer.status == 200)
        if answer.status == 503:
            assert answer.text.endswith("; try again later\n")
            assert int(answer.headers["Retry-After"]) > 0
        elif answer.status == 403:
            assert "; to send it again is in vain until the administrator" in answer.text
            assert "Retry-After" not in answer.headers
        elif answer.status == 507:
            assert answer.text == "the storage is full; try again when its owner made room\n"
        # What cannot be cleared away stays until a restart.
        assert call == "unlinkat" or staged(index.root) == []
        assert upload.send(index).status == 200
        assert upload.is_published(index)
    assert number > CALLS[call]
    assert answered == statuses
    assert "Traceback" not in index.log_text()


@contextmanager
def small_disk(root: Path, options: str) -> Iterator[None]:
    """Make a root on a file system of its own."""
    require_root()
    root.mkdir()
    run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", root])
    try:
        yield
    finally:
        run(["umount", "-l", root])


@pytest.fixture(params=["size=3m", "size=64m,nr_inodes=60"], ids=["t67-b270-bytes", "t68-b271-inodes"])
def full(
    request: pytest.FixtureRequest, daemon: Callable[..., Daemon], tmp_path: Path, users_file: Path
) -> Iterator[Daemon]:
    """Yield a daemon whose disk will soon be full."""
    with small_disk(tmp_path / "small", request.param):
        index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none", root=tmp_path / "small")
        yield index
        index.stop()


def test_p11_full_disk(full: Daemon, user: tuple[str, str]) -> None:
    """Uploads get a 507 and leave nothing; reading goes on; it heals by itself."""
    uploads = (Upload.of(f"acme-{number}", user, bytes(200_000)) for number in count())
    published = []
    for upload in uploads:
        answer = upload.send(full)
        if answer.status != 200:
            break
        published.append(upload)
    for _ in range(10):
        assert (answer.status, answer.text) == (
            507,
            "the storage is full; try again when its owner made room\n",
        )
        assert staged(full.root) == []
        assert not upload.is_published(full)
        answer = upload.send(full)
    assert len(published) >= 5
    assert all(one.is_published(full) for one in published)
    shutil.rmtree(full.root / "simple" / published[0].project)
    assert upload.send(full).status == 200
    assert upload.is_published(full)


def test_fault_b3_t69_b273_read_only_disk(
    daemon: Callable[..., Daemon], tmp_path: Path, users_file: Path, user: tuple[str, str], clients: Clients
) -> None:
    """Uploads are refused, and sent once; pages and files go on, and all is well when it is mended."""
    disk = tmp_path / "small"
    with small_disk(disk, "size=8m"):
        # The catalog is elsewhere: a disk with files that are open for writing cannot be remounted by hand.
        options = ("--storage", f"directory:{disk}", "--auth", f"htpasswd:{users_file}", "--upstream", "none")
        index = daemon(*options)
        before, after = Upload.of("before", user), Upload.of("after", user)
        assert before.send(index).status == 200
        run(["mount", "-o", "remount,ro", disk])
        for _ in range(3):
            answer = after.send(index)
            assert (answer.status, answer.headers["Retry-After"]) == (403, None)
            assert answer.text == (
                "the storage cannot take a file: read-only file system; to send it again is in vain until the"
                " administrator of this index has mended that, as its log says\n"
            )
            assert before.is_published(index)
            assert not after.is_published(index)
        wheel = tmp_path / after.filename
        wheel.write_bytes(after.content)
        for client in (
            lambda: clients.twine_upload(f"{index.url}legacy/", user, wheel, status=1),
            lambda: clients.uv_publish(f"{index.url}legacy/", user, wheel, status=None),
        ):
            assert "read-only file system" in client()
        for name in ("twine", "uv"):
            sent = partial(re.findall, rf'"POST /legacy/ .*"{name}/')
            wait_until(lambda sent=sent: sent(index.log_text()), f"{name} is in the log")  # type: ignore[misc]
            assert len(sent(index.log_text())) == 1
        assert "; the file system is mounted read-only: see why, and remount it" in index.log_text()
        run(["mount", "-o", "remount,rw", disk])
        assert after.send(index).status == 200
        check_once_published(after, index)
        index.stop()


def is_removed(directory: Path) -> bool:
    """Remove a directory, and return whether that was all of it: the catalog may just be writing there."""
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


@pytest.mark.parametrize("gone", [".pypid/staging", ".pypid"])
def test_staging_vanishes(
    gone: str, daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """It is made anew: nothing in ``.pypid`` is needed but what is in flight."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    for number in range(3):
        wait_until(partial(is_removed, index.root / gone), f"{gone} is removed")
        upload = Upload.of(f"acme-{number}", user, PAYLOAD)
        assert upload.send(index).status == 200
        assert upload.is_published(index)
        assert staged(index.root) == []
