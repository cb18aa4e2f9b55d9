"""A client that strains an upstream does not slow down the others."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from harness.daemon import Daemon
from harness.http import ask, download
from harness.processes import run, script, wait_until
from harness.scripted import STALL, ScriptedIndex, answer
from harness.upstream import FakeIndex

Proxied = Callable[..., Daemon]
SIZE = 200_000


def begun(started: Daemon, path: str) -> socket.socket:
    """Ask for a file on a connection of its own, and wait for nothing."""
    connection = socket.create_connection(("127.0.0.1", started.port), timeout=60)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return connection


def test_fault_a5_pages_that_fail_keep_nobody_from_the_others(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """However often one client asks for three pages with status 500, all others are answered."""
    started = proxied()
    for number in range(3):
        scripted.script(f"/simple/broken{number}/", answer(500))
    for number in range(4):
        for broken in range(3):
            assert ask(f"{started.simple}broken{broken}/").status == 502
        scripted.offer(f"foo{number}", f"foo{number}-1.0.tar.gz", b"foo")
        assert ask(f"{started.simple}foo{number}/").status == 200


def test_fault_a5_a_host_that_is_down_is_left_alone(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """A host that answers 503 to everything is asked a few times, and used again soon after it is back."""
    started = proxied()
    for number in range(40):
        scripted.script(f"/simple/foo{number}/", answer(503))
    for number in range(40):
        assert ask(f"{started.simple}foo{number}/").status == 502
    assert len(scripted.requests) < 30
    scripted.offer("bar", "bar-1.0.tar.gz", b"bar")
    wait_until(lambda: ask(f"{started.simple}bar/").status == 200, "the upstream is asked again")


def test_fault_a6_abandoned_downloads_hold_up_nobody(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """However many slow files were asked for and given up, the next file comes at once."""
    started = proxied()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode()
    for number in range(40):
        path = scripted.offer("slow", f"slow-{number}.tar.gz", bytes(SIZE))
        scripted.script(path, head, bytes(SIZE // 2), STALL)
    scripted.offer("fast", "fast-1.0.tar.gz", b"fast")
    clients = [begun(started, f"/packages/slow/slow-{number}.tar.gz") for number in range(40)]
    wait_until(lambda: len(scripted.requests) == 1 + 32, "all turns are taken")
    for client in clients:
        client.close()
    before = time.monotonic()
    assert download(f"{started.url}packages/fast/fast-1.0.tar.gz").whole
    assert time.monotonic() - before < 15, "it waits neither for the slow ones nor for their end"
    cache = started.root / ".pypid" / "cache"
    wait_until(lambda: len(list(cache.glob("*/partial/*"))) == 8, "all but a few are given up")


def test_fault_a12_what_the_command_refreshed_is_shown_at_once(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """A page that ``pypid cache refresh`` fetched is what the daemon shows, though its own is fresh."""
    started = proxied()
    scripted.offer("foo", "foo-1.0.tar.gz", b"foo")
    assert "foo-1.0" in ask(f"{started.simple}foo/").text
    scripted.offer("foo", "foo-2.0.tar.gz", b"foo")
    upstream = f"proxy:{scripted.simple}"
    run([script("pypid"), "--root", started.root, "cache", "refresh", "--upstream", upstream, "foo"])
    wait_until(lambda: "foo-2.0" in ask(f"{started.simple}foo/").text, "the page is shown", 10)
    scripted.forget("foo")
    run([script("pypid"), "--root", started.root, "cache", "refresh", "--upstream", upstream, "foo"])
    wait_until(lambda: ask(f"{started.simple}foo/").status == 404, "the page is gone", 10)


def test_fault_d3_an_empty_directory_is_a_project_without_files(
    daemon: Proxied, upstream: FakeIndex, tmp_path: Path
) -> None:
    """A directory that an upstream lists, and in which nothing is, is no failure."""
    (tmp_path / "upstream" / "simple" / "empty").mkdir(parents=True)
    started = daemon("--upstream", f"proxy:{upstream.simple}")
    found = ask(f"{started.simple}empty/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    assert (found.status, '"files":[]' in found.text.replace(" ", "")) == (200, True)


def test_fault_e7_a_file_that_is_not_here_is_redirected_to(daemon: Proxied, upstream: FakeIndex) -> None:
    """A link of an old lock file leads to the upstream; no private name does."""
    (upstream.directory / "simple" / "foo").mkdir(parents=True)
    (upstream.directory / "simple" / "foo" / "foo-1.0.tar.gz").write_bytes(b"foo")
    started = daemon("--upstream", f"redirect:{upstream.simple}", "--reserve", "acme-*")
    for path in ("packages/Foo/foo-1.0.tar.gz", "simple/foo/foo-1.0.tar.gz"):
        found = ask(started.url + path)
        assert (found.status, found.headers["Location"]) == (302, f"{upstream.simple}foo/foo-1.0.tar.gz")
        assert ask(found.headers["Location"]).body == b"foo"
    assert ask(f"{started.url}packages/acme-lib/acme_lib-1.0.tar.gz").status == 404
