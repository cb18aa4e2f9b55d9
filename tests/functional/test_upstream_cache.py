"""A proxy under many requests at once, whose upstream goes away, and whose cache is full or cleared."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from harness.clients import Clients
from harness.daemon import Daemon
from harness.http import Transfer, ask, download
from harness.processes import wait_until
from harness.scripted import Gate, Request, ScriptedIndex, answer
from harness.upstream import FakeIndex

from pypid.testing.builds import core_metadata, sdist, wheel

Proxied = Callable[..., Daemon]
JSON = "application/vnd.pypi.simple.v1+json"
MIB = 1024 * 1024
FILENAME = "foo-1.0.tar.gz"


def long_content(length: int) -> bytes:
    """Make many bytes, quickly, of which no two megabytes are the same."""
    block = random.Random("long").randbytes(MIB)
    return b"".join(number.to_bytes(8, "big") + block[8:] for number in range(length // MIB))


def cached(daemon: Daemon, pattern: str = "*") -> list[Path]:
    """List the files in the cache."""
    return [path for path in (daemon.root / ".pypid" / "cache").rglob(pattern) if path.is_file()]


def test_t61_fifty_clients_make_one_request_for_a_cold_file(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """All of them get bytes of the 50 MB before the upstream has sent the second half."""
    started = proxied()
    content = long_content(50 * MIB)
    digest = sha256(content).digest()
    path = scripted.offer("foo", FILENAME, content)
    gate, arrived = Gate(), threading.Semaphore(0)
    length = len(content)
    head = answer(200, content)[:-length]
    scripted.script(path, head, content[: 25 * MIB], gate, content[25 * MIB :])
    url = f"{started.url}packages/foo/{FILENAME}"

    def get(_: int) -> tuple[int, bool, bytes]:
        transfer = download(url, first_byte=arrived.release)
        return transfer.status, transfer.whole, sha256(transfer.body).digest()

    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(get, number) for number in range(50)]
        for _ in waiting:
            assert arrived.acquire(timeout=60)
        assert not gate.opened.is_set()
        gate.opened.set()
        assert {one.result() for one in waiting} == {(200, True, digest)}
    assert scripted.asked.count(path) == 1
    assert scripted.asked.count("/simple/foo/") == 1
    wait_until(lambda: cached(started, FILENAME), "it is kept")
    assert download(url).body == content
    assert scripted.asked.count(path) == 1


def test_the_first_byte_comes_before_the_upstream_sent_the_second_half(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """Of 100 MB, as soon as there is more than what is held back."""
    started = proxied()
    content = long_content(100 * MIB)
    path = scripted.offer("foo", FILENAME, content)
    gate, arrived = Gate(), threading.Event()
    scripted.script(
        path, answer(200, content)[: -len(content)], content[: 50 * MIB], gate, content[50 * MIB :]
    )
    with ThreadPoolExecutor(1) as pool:
        url = f"{started.url}packages/foo/{FILENAME}"
        waiting = pool.submit(download, url, first_byte=arrived.set)
        assert arrived.wait(60)
        assert not gate.opened.is_set()
        gate.opened.set()
        assert waiting.result().body == content


def test_a_client_that_goes_away_stops_nobody(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """Nor the fetching: what was asked for once is there the next time."""
    started = proxied()
    content = long_content(4 * MIB)
    path = scripted.offer("foo", FILENAME, content)
    gate = Gate()
    scripted.script(path, answer(200, content)[: -len(content)], content[:MIB], gate, content[MIB:])
    url = f"{started.url}packages/foo/{FILENAME}"
    assert not download(url, patience=1).whole
    assert gate.reached.wait(30)
    gate.opened.set()
    wait_until(lambda: cached(started, FILENAME), "it is kept")
    assert download(url).body == content
    assert scripted.asked.count(path) == 1


def test_c84_c85_head_and_ranges_of_what_is_not_kept(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """HEAD fetches nothing; a range is right, wherever it is, and the file is kept for the next one."""
    started = proxied()
    content = long_content(2 * MIB)
    path = scripted.offer("foo", FILENAME, content)
    url = f"{started.url}packages/foo/{FILENAME}"
    head = ask(url, "HEAD")
    assert (head.status, head.headers["Content-Length"], head.headers["Accept-Ranges"]) == (
        200,
        str(len(content)),
        "bytes",
    )
    assert path not in scripted.asked
    for header, part in (
        ("bytes=-16384", content[-16384:]),
        ("bytes=5-9", content[5:10]),
        (f"bytes={MIB}-", content[MIB:]),
    ):
        transfer = download(url, headers={"Range": header})
        assert (transfer.status, transfer.body) == (206, part)
    past = ask(url, headers={"Range": f"bytes={len(content)}-"})
    assert (past.status, past.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
    assert scripted.asked.count(path) == 1


def test_t60_a_dead_upstream_is_not_noticed(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """A thousand requests for what is known: all answered, marked as stale, and hardly any asked upstream."""
    started = proxied("ttl=0s")
    for number in range(5):
        scripted.offer(f"foo{number}", f"foo{number}-1.0.tar.gz", b"foo")
        assert ask(f"{started.simple}foo{number}/").status == 200
        assert download(f"{started.url}packages/foo{number}/foo{number}-1.0.tar.gz").whole
    asked = len(scripted.requests)
    for name in ("unknown", *(f"foo{number}" for number in range(5))):
        scripted.script(f"/simple/{name}/", answer(503))

    def get(number: int) -> tuple[int, bool]:
        found = ask(f"{started.simple}foo{number % 5}/")
        return found.status, found.headers["X-Pypid-Stale"] is not None

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(get, range(1000))) == {(200, True)}
    assert len(scripted.requests) - asked < 50
    assert ask(f"{started.simple}unknown/").status == 502
    for number in range(5):
        assert download(f"{started.url}packages/foo{number}/foo{number}-1.0.tar.gz").body == b"foo"


def test_p5_a_slow_upstream_does_not_hold_up_what_is_known(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """The page that is kept is shown after a moment, while a newer one is waited for; then that one is."""
    started = proxied("ttl=0s", "timeout=60s")
    scripted.offer("foo", FILENAME, b"foo")
    assert ask(f"{started.simple}foo/").status == 200
    scripted.offer("foo", "foo-2.0.tar.gz", b"foo")
    gate, page = Gate(), scripted.page("foo")
    scripted.script("/simple/foo/", gate, answer(200, page, Content_Type=JSON))
    stale = download(f"{started.simple}foo/", patience=30)
    assert (stale.status, stale.headers["X-Pypid-Stale"] is None) == (200, False)
    assert b"foo-2.0" not in stale.body
    gate.opened.set()
    wait_until(lambda: "foo-2.0" in ask(f"{started.simple}foo/").text, "the newer page")


def test_t63_a_full_cache_makes_room(proxied: Proxied, scripted: ScriptedIndex, tmp_path: Path) -> None:
    """Of what was asked for longest ago; what is published here stays, and what is too large is not kept."""
    root = tmp_path / "tree"
    (root / "simple" / "local").mkdir(parents=True)
    local = root / "simple" / "local" / "local-1.0.tar.gz"
    local.write_bytes(long_content(2 * MIB))
    started = proxied("max-size=5M", root=root)
    for number in range(12):
        name = f"foo{number}"
        content = random.Random(name).randbytes(MIB)
        scripted.offer(name, f"{name}-1.0.tar.gz", content)
        for _ in range(2):
            assert download(f"{started.url}packages/{name}/{name}-1.0.tar.gz").body == content
            assert download(f"{started.url}packages/foo0/foo0-1.0.tar.gz").whole
        wait_until(lambda name=name: cached(started, f"{name}-1.0.tar.gz"), "it is kept")
        assert sum(path.stat().st_size for path in cached(started)) < 5.2 * MIB
    large = long_content(8 * MIB)
    scripted.offer("large", "large-1.0.tar.gz", large)
    assert download(f"{started.url}packages/large/large-1.0.tar.gz").body == large
    assert cached(started, "large*.tar.gz") == []
    # It was asked for again and again, so it was never the one to go.
    assert scripted.asked.count("/files/foo0-1.0.tar.gz") == 1
    assert scripted.asked.count("/files/foo5-1.0.tar.gz") == 1
    assert cached(started, "foo5-*") == []
    assert local.stat().st_size == 2 * MIB


def test_the_cache_may_be_deleted_while_it_is_in_use(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """Also in the middle of a download: all goes on, and comes back."""
    started = proxied("ttl=0s")
    content = long_content(4 * MIB)
    path = scripted.offer("foo", FILENAME, content)
    scripted.offer("bar", "bar-1.0.tar.gz", b"bar")
    assert download(f"{started.url}packages/bar/bar-1.0.tar.gz").body == b"bar"
    gate, arrived = Gate(), threading.Event()
    scripted.script(path, answer(200, content)[: -len(content)], content[:MIB], gate, content[MIB:])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(download, f"{started.url}packages/foo/{FILENAME}", first_byte=arrived.set)
        assert arrived.wait(60)
        shutil.rmtree(started.root / ".pypid" / "cache")
        assert ask(f"{started.simple}bar/").status == 200
        gate.opened.set()
        transfer: Transfer = waiting.result()
    assert transfer.body == content or not transfer.whole
    scripted.unscript()
    for name, right in (("foo", content), ("bar", b"bar")):
        assert download(f"{started.url}packages/{name}/{name}-1.0.tar.gz").body == right
    scripted.script("/simple/bar/", answer(500))
    wait_until(lambda: cached(started, "bar-1.0.tar.gz"), "it is kept again")
    assert download(f"{started.url}packages/bar/bar-1.0.tar.gz").body == b"bar"


def test_what_was_damaged_in_the_cache_is_fetched_again(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """Also while the daemon was not there to see it."""
    started = proxied()
    content = long_content(MIB)
    path = scripted.offer("foo", FILENAME, content)
    url = f"{started.url}packages/foo/{FILENAME}"
    assert download(url).body == content
    wait_until(lambda: cached(started, FILENAME), "it is kept")
    started.stop()
    (file,) = cached(started, FILENAME)
    status = file.stat()
    file.write_bytes(b"x" + content[1:])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    started.start()
    assert download(url).body == content
    assert scripted.asked.count(path) == 2


def test_offline_is_what_is_kept_and_nothing_else(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients
) -> None:
    """Whatever its age, and without a question to anybody, by pip and uv with nothing of their own."""
    metadata = core_metadata("foo", "1.0", None, ["bar"])
    filename, content = wheel("foo", "1.0", requires_dist=["bar"])
    scripted.offer("foo", filename, content, metadata=metadata)
    scripted.offer("bar", *sdist("bar", "1.0"))
    scripted.offer("bar", *sdist("bar", "2.0"))
    online = proxied()
    assert clients.pip_install(online.simple, "foo").version("bar") == "2.0"
    wait_until(lambda: len(cached(online, "*-*.whl")) + len(cached(online, "*.tar.gz")) == 2, "all are kept")
    online.stop()
    asked = len(scripted.requests)
    offline = proxied("offline", "ttl=0s", root=online.root)
    for path in cached(online):
        if path.suffix == ".json":
            os.utime(path, (0, 0))
    shutil.rmtree(clients.home / "uv-cache", ignore_errors=True)
    for install in (clients.pip_install, clients.uv_install):
        installed = install(offline.simple, "foo")
        assert (installed.version("foo"), installed.version("bar")) == ("1.0", "2.0")
    refused = ask(f"{offline.simple}other/", headers={"Cache-Control": "no-cache"})
    assert refused.status == 502
    assert ask(f"{offline.url}packages/bar/bar-1.0.tar.gz").status == 502
    assert len(scripted.requests) == asked


def test_c52_provenance_passes_through(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """It is as near as the file, at our own URL, whatever becomes of the upstream and of us."""
    provenance = b'{"version": 1, "attestation_bundles": [{"attestations": []}]}\n'
    path = "/integrity/foo/1.0/provenance"
    url = f"{scripted.url}{path[1:]}"
    scripted.offer("foo", FILENAME, b"foo", provenance=url)
    scripted.offer("foo", "foo-2.0.tar.gz", b"foo", provenance=f"{url}/gone")
    scripted.offer("foo", "foo-3.0.tar.gz", b"foo", provenance="https://127.0.0.1:1/provenance")
    scripted.script(path, answer(200, provenance))
    public_url = "https://packages.example.org/"
    started = proxied("ttl=0s", arguments=("--public-url", public_url))
    page = json.loads(ask(f"{started.simple}foo/", headers={"Accept": JSON}).body)
    assert [file.get("provenance") for file in page["files"]] == [
        f"{public_url}packages/foo/{FILENAME}.provenance",
        f"{public_url}packages/foo/foo-2.0.tar.gz.provenance",
        None,
    ]
    ours = f"{started.url}packages/foo/{FILENAME}.provenance"
    assert ask(ours).body == provenance
    assert ask(ours.replace("1.0", "2.0")).status == 404
    assert ask(ours.replace("1.0", "3.0")).status == 404
    scripted.script(path, answer(500))
    assert ask(ours).body == provenance
    scripted.script(path, answer(200, b"<html>"))
    assert ask(ours).body == provenance
    asked = len(scripted.requests)
    for option, status in (("offline", 200), ("name=other", 502)):
        another = proxied(option, root=started.root)
        assert ask(ours.replace(started.url, another.url)).status == status
    assert scripted.asked[asked:] == ["/simple/foo/", path]


def test_pypid_behind_pypid_behind_pypid(
    daemon: Callable[..., Daemon], proxied: Proxied, scripted: ScriptedIndex, clients: Clients
) -> None:
    """All that a page can say comes through, and so do files; each asks the one behind it once."""
    metadata = core_metadata("foo", "1.0", ">=3.8", ["bar"])
    filename, content = wheel("foo", "1.0", requires_python=">=3.8", requires_dist=["bar"])
    said = {"requires_python": ">=3.8", "yanked": "for fun"}
    scripted.offer("foo", filename, content, metadata=metadata, **said)
    scripted.offer("bar", *wheel("bar", "1.0"))
    first = proxied()
    second = daemon("--upstream", f"proxy:{first.simple}")
    third = daemon("--upstream", f"proxy:{second.simple}")
    pages = [
        json.loads(ask(f"{one.simple}foo/", headers={"Accept": JSON}).body) for one in (first, second, third)
    ]
    assert pages[0] == pages[1] == pages[2]
    (file,) = pages[2]["files"]
    assert (file["yanked"], file["requires-python"]) == ("for fun", ">=3.8")
    assert file["core-metadata"] == {"sha256": sha256(metadata).hexdigest()}
    assert file["upload-time"] == "2026-01-02T03:04:05Z"
    assert ask(f"{third.url}packages/foo/{filename}.metadata").body == metadata
    for install in (clients.pip_install, clients.uv_install):
        assert install(third.simple, "foo==1.0").version("bar") == "1.0"
    assert sorted(scripted.asked) == sorted(set(scripted.asked))


def test_an_upstream_under_a_path(
    daemon: Callable[..., Daemon], scripted: ScriptedIndex, clients: Clients
) -> None:
    """As Artifactory has it: pages deep in a path, files relative to them, elsewhere in it."""
    scripted.prefix = "/artifactory/api/pypi/py-local/"
    filename, content = wheel("foo", "1.0")
    scripted.offer("foo", filename, content, url=None)
    digest = sha256(content).hexdigest()
    link = f'<a href="../../packages/foo/1.0/{filename}#sha256={digest}" rel="internal">{filename}</a>'
    scripted.script(f"{scripted.prefix}simple/foo/", answer(200, link.encode(), Content_Type="text/html"))
    scripted.script(f"{scripted.prefix}packages/foo/1.0/{filename}", answer(200, content))
    started = daemon("--upstream", f"proxy:{scripted.simple}")
    assert clients.pip_install(started.simple, "foo").version("foo") == "1.0"
    assert clients.uv_install(started.simple, "foo").version("foo") == "1.0"
    assert all(path.startswith(scripted.prefix) for path in scripted.asked)


def test_a_plain_directory_as_an_upstream(
    daemon: Callable[..., Daemon], upstream: FakeIndex, clients: Clients, tmp_path: Path
) -> None:
    """Pages that tell nothing but names, without digests, sizes, times: what any web server lists."""
    directory = upstream.directory / "simple" / "foo"
    directory.mkdir(parents=True)
    for filename, content in (wheel("foo", "1.0"), sdist("foo", "0.9")):
        (directory / filename).write_bytes(content)
    started = daemon("--upstream", f"proxy:{upstream.simple}")
    assert clients.pip_install(started.simple, "foo").version("foo") == "1.0"
    assert clients.uv_install(started.simple, "foo<1").version("foo") == "0.9"
    assert clients.uv_install(started.simple, "foo").version("foo") == "1.0"


def test_connections_are_not_logged(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """The log is for what people want to know: not each connection to an upstream, begun and ended."""
    started = proxied()
    scripted.offer("foo", FILENAME, b"foo")
    assert download(f"{started.url}packages/foo/{FILENAME}").body == b"foo"
    started.stop()
    assert "HTTP11ClientFactory" not in started.log_text()


def test_t60_a_negative_answer_is_kept_for_a_moment(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """Who asks for what is not there again and again asks the upstream once."""
    started = proxied()
    for _ in range(20):
        assert ask(f"{started.simple}nowhere/").status == 404
    assert scripted.asked.count("/simple/nowhere/") == 1


def test_two_files_of_one_name(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """It changes upstream while clients still have the old page: each gets one of them, whole."""
    started = proxied("ttl=0s")
    gate = Gate()
    old, new = long_content(2 * MIB), long_content(3 * MIB)
    path = scripted.offer("foo", FILENAME, old)
    served: list[bytes] = []

    def serve(_: Request) -> Iterable[object]:
        served.append(new if served else old)
        body = served[-1]
        return [answer(200, body)[: -len(body)], body[:MIB], *([gate] if body is old else []), body[MIB:]]

    scripted.script_by(path, serve)
    url = f"{started.url}packages/foo/{FILENAME}"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(download, url)
        assert gate.reached.wait(30)
        scripted.offer("foo", FILENAME, new)
        second = pool.submit(download, url)
        assert second.result().body == new
        gate.opened.set()
        assert first.result().body == old
    assert download(url).body == new
