"""``pypid cache`` beside the real daemon, with an upstream that goes away, and real clients."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from harness.archives import make_sdist, make_wheel
from harness.clients import Clients
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script, wait_until
from harness.upstream import FakeIndex, fake_index


def cache(root: Path, *arguments: str | Path, status: int | None = 0) -> str:
    """Run ``pypid cache`` to its end."""
    command = [script("pypid"), "--root", root, "cache", *arguments]
    return run(command, environment=daemon_environment(), status=status)


def described(index: FakeIndex, options: str = "") -> str:
    """Describe an index as an upstream."""
    return f"proxy:{index.simple}:name=main{options}"


def lock_file(directory: Path, *lines: str) -> Path:
    """Write a requirements file."""
    path = directory / "requirements.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_installs_after_the_upstream_is_gone(
    daemon: Callable[..., Daemon], clients: Clients, tmp_path: Path, client: str
) -> None:
    """What was fetched beside a running daemon installs through it; a bad project stops nothing."""
    directory = tmp_path / "upstream"
    directory.mkdir()
    with fake_index(directory) as index:
        index.add("base", make_wheel, "1.0")
        index.add("base", make_sdist, "1.0")
        index.add("base", make_wheel, "2.0")
        broken = index.add("broken", make_wheel, "1.0")
        broken.unlink()
        wheel = index.add("top", lambda *of: make_wheel(*of, requires=["base"]), "1.0")
        started = daemon("--upstream", described(index))
        # The daemon knows of a project that was not there, and of one that had less.
        assert ask(f"{started.simple}top/").status == 200
        digest = sha256(wheel.read_bytes()).hexdigest()
        locked = lock_file(
            tmp_path, "base==1.0", "broken==1.0", f"top==1.0 --hash=sha256:{digest}", "gone==3"
        )
        said = cache(started.root, "prefetch", "-r", locked, "--upstream", described(index), status=1)
        lines = [line for line in said.splitlines() if line.startswith("pypid: ")]
        assert [line.split(":")[1].strip() for line in lines] == ["gone 3", "broken 1.0"], said
        assert "fetched 3 files, " in said
        assert "/simple/base/base-2.0-py3-none-any.whl" not in index.requests
        asked = len(index.requests)
        good = lock_file(tmp_path, "base==1.0", "top==1.0")
        assert "fetched 0 files, 0 bytes; 3 were there" in cache(
            started.root, "prefetch", "-r", good, "--upstream", described(index)
        )
        assert not any("1.0" in path for path in index.requests[asked:])
    install = clients.pip_install if client == "pip" else clients.uv_install
    assert install(started.simple, "top==1.0", "base==1.0").version("top") == "1.0"
    offline = described(index, ":offline")
    assert "3 were there" in cache(started.root, "prefetch", "-r", good, "--upstream", offline)
    assert "2.0" in cache(
        started.root, "prefetch", "-r", lock_file(tmp_path, "base==2.0"), "--upstream", offline, status=1
    )


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT])
def test_goes_on_after_an_interruption(
    daemon: Callable[..., Daemon], upstream: FakeIndex, tmp_path: Path, way: signal.Signals
) -> None:
    """What was fetched is not fetched again, and what was not fetched to its end is no obstacle."""
    started = daemon("--upstream", "none")
    first = upstream.add("first", make_wheel, "1.0")
    second = upstream.add("second", make_wheel, "1.0")
    started.stop()
    content = second.read_bytes()
    second.unlink()
    os.mkfifo(second)  # which the index waits for to be written to, and the command for the index
    locked = lock_file(tmp_path, "first==1.0", "second==1.0")
    command = ["cache", "prefetch", "-r", str(locked), "--upstream", described(upstream)]
    process = subprocess.Popen(
        # Where the tests run in the background, an interrupt is ignored unless it is said not to be.
        ["env", "--default-signal=INT", script("pypid"), "--root", str(started.root), *command],
        env=daemon_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    main = started.root / ".pypid" / "cache" / "main"
    try:
        wait_until(lambda: (main / "files" / "first" / first.name).exists(), "the first file")
        wait_until(lambda: len(list((main / "partial").iterdir())) == 1, "the second file")
        process.send_signal(way)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == (-way if way == signal.SIGKILL else 1), said
    assert "Traceback" not in said
    assert not (main / "files" / "second" / second.name).exists()
    second.unlink()
    second.write_bytes(content)
    upstream.requests.clear()
    said = cache(started.root, *command[1:])
    assert "fetched 1 files, " in said
    assert f"/simple/first/{first.name}" not in upstream.requests
    assert (main / "files" / "second" / second.name).read_bytes() == content
    assert list((main / "partial").iterdir()) == []


def test_the_daemon_takes_over_newer_pages(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """A page that the daemon has in memory is not in the way of a newer one that was fetched beside it."""
    directory = tmp_path / "upstream"
    directory.mkdir()
    with fake_index(directory) as index:
        index.add("sample", make_wheel, "1.0")
        started = daemon("--upstream", described(index, ":ttl=0s"))
        assert "sample-1.0" in ask(f"{started.simple}sample/").body.decode()
        wheel = index.add("sample", make_wheel, "2.0")
        os.utime(directory / "simple" / "sample" / "index.html", (2e9, 2e9))  # or it might not tell
        locked = lock_file(tmp_path, "sample==2.0")
        cache(started.root, "prefetch", "-r", locked, "--upstream", described(index))
    assert "sample-2.0" in ask(f"{started.simple}sample/").body.decode()
    assert ask(f"{started.url}packages/sample/{wheel.name}").body == wheel.read_bytes()


def test_housekeeping(daemon: Callable[..., Daemon], upstream: FakeIndex, tmp_path: Path) -> None:
    """Numbers, pages asked for again, files read again, and less of them."""
    one, two = (upstream.add("sample", make_wheel, version) for version in ("1.0", "2.0"))
    started = daemon("--upstream", described(upstream))
    files = started.root / ".pypid" / "cache" / "main" / "files" / "sample"
    for wheel in (one, two, two):
        assert ask(f"{started.url}packages/sample/{wheel.name}").body == wheel.read_bytes()
        wait_until((files / wheel.name).exists, f"{wheel.name} is kept")
    started.stop()
    said = cache(started.root, "stats")
    assert said.startswith("main\n")
    assert "  files  1 hits, 2 misses" in said
    saved, fetched = len(two.read_bytes()), len(one.read_bytes()) + len(two.read_bytes())
    assert f"  bytes  {saved / 1024:.1f} KiB from the cache, {fetched / 1024:.1f} KiB fetched" in said
    assert "  kept   1 pages, 2 files" in said

    upstream.requests.clear()
    named = ["--upstream", described(upstream)]
    assert cache(started.root, "refresh", *named).splitlines()[-1].startswith("refreshed 1 pages")
    assert upstream.requests[0] == "/simple/sample/"
    assert "no page of it is kept" in cache(started.root, "refresh", "other", *named, status=1)

    assert cache(started.root, "verify") == "main: 2 files are right; 0 unknown\n"
    (files / one.name).write_bytes(two.read_bytes())
    assert f"{one.name} was wrong and is removed" in cache(started.root, "verify", status=1)
    assert not (files / one.name).exists()
    assert cache(started.root, "gc").startswith("main: removed 0 files and pages")
    assert cache(started.root, "gc", "--max-size", "1").startswith(
        "main: removed 2 files and pages; 0 bytes of "
    )
    assert not (files / two.name).exists()
