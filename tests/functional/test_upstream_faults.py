"""A faulty upstream: no client gets a wrong file as a right one, and no wrong file is cached."""

from __future__ import annotations

import gzip
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from harness.daemon import Daemon
from harness.http import Transfer, ask, download
from harness.processes import wait_until
from harness.scripted import RESET, STALL, Gate, Request, ScriptedIndex, answer

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"
SIZE = 300_000
Proxied = Callable[..., Daemon]
Script = Callable[[bytes], Iterable[object]]


def content(seed: object, size: int = SIZE) -> bytes:
    """Make bytes that do not compress, the same ones each time."""
    return random.Random(str(seed)).randbytes(size)


def kept(daemon: Daemon) -> set[str]:
    """List what is in the cache, by names."""
    return {path.name for path in (daemon.root / ".pypid" / "cache").rglob("*") if path.is_file()}


def kept_files(daemon: Daemon) -> set[str]:
    """List the distributions in the cache, whole or not."""
    return {
        name for name in kept(daemon) if not name.endswith((".json", ".sha256")) and "statistics" not in name
    }


def flipped(data: bytes, at: int) -> bytes:
    """Change one byte."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def head(length: int | None) -> bytes:
    """Write the head of a file's answer."""
    told = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + told + b"\r\n"


def chunked(data: bytes) -> bytes:
    """Write some of a body in chunks, without its end."""
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


def wrong() -> Mapping[str, Script]:
    """Name the ways in which the answer to a question for a file can be wrong, each time it is asked for."""
    cases: dict[str, Script] = {
        "b239-first-byte": lambda data: [answer(200, flipped(data, 0))],
        "b239-middle-byte": lambda data: [answer(200, flipped(data, SIZE // 2))],
        "b239-last-byte": lambda data: [answer(200, flipped(data, SIZE - 1))],
        "another-file": lambda _: [answer(200, content("another"))],
        "a-page-instead": lambda _: [answer(200, b"<html>Please sign in</html>", Content_Type="text/html")],
        "one-byte-short": lambda data: [answer(200, data[:-1])],
        "one-byte-more": lambda data: [answer(200, data + b"x")],
        "more-without-length": lambda data: [head(None), data + b"x"],
        "nothing": lambda _: [answer(200, b"")],
        "gzip-that-is-none": lambda data: [answer(200, data[:-1], Content_Encoding="gzip")],
        "gzipped": lambda data: [answer(200, gzip.compress(data), Content_Encoding="gzip")],
        "part-instead": lambda data: [
            answer(206, data[: SIZE // 2], Content_Range=f"bytes 0-{SIZE // 2 - 1}/{SIZE}")
        ],
        "two-lengths": lambda data: [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            data,
        ],
        "not-http": lambda _: [b"220 ftp.example.org ready\r\n"],
    }
    for percent in (0, 1, 50, 99):
        stop = SIZE * percent // 100
        cases[f"b240-reset-at-{percent}"] = lambda data, stop=stop: [head(SIZE), data[:stop], RESET]
        cases[f"b240-end-at-{percent}"] = lambda data, stop=stop: [head(SIZE), data[:stop]]
        cases[f"b240-end-at-{percent}-without-length"] = lambda data, stop=stop: [head(None), data[:stop]]
        cases[f"b240-end-at-{percent}-in-chunks"] = lambda data, stop=stop: [CHUNKED, chunked(data[:stop])]
    cases["reset-in-the-head"] = lambda _: [b"HTTP/1.1 200 OK\r\nContent-Le", RESET]
    return cases


def test_t57_t58_b239_b240_no_client_gets_a_wrong_file_for_a_right_one(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """Flipped bytes, short, long, reset at any point: it never comes whole, nor is any of it kept.

    Once the upstream answers as it should, so does pypid.
    """
    started = proxied()
    cases = wrong()
    files = {name: f"{name.replace('-', '_')}-1.0.tar.gz" for name in cases}
    for name, filename in files.items():
        path = scripted.offer(name, filename, content(name))
        scripted.script(path, *cases[name](content(name)))

    def get(name: str) -> Transfer:
        return download(f"{started.url}packages/{name}/{files[name]}")

    with ThreadPoolExecutor(len(cases)) as pool:
        transfers = dict(zip(cases, pool.map(get, cases), strict=True))
    for name, transfer in transfers.items():
        right = content(name)
        if transfer.status == 200:
            assert not transfer.whole, name
            assert transfer.body != right, name
            assert transfer.headers["Content-Length"] == str(SIZE)
        else:
            assert (transfer.status, transfer.whole) == (502, True), (name, transfer.body)
            assert b"127.0.0.1" in transfer.body
    # Where bytes were sent at all, they were not held back longer than need be.
    assert transfers["b240-reset-at-50"].status == 200
    assert kept_files(started) == set()
    scripted.unscript()
    wait_until(lambda: get("nothing").status == 200, "the breaker closes")
    for name in cases:
        transfer = get(name)
        assert (transfer.status, transfer.whole, transfer.body) == (200, True, content(name)), name
    wait_until(lambda: kept_files(started) == set(files.values()), "all are kept")


def test_t57_a_range_is_of_the_right_file(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """Also the part of a wrong file in which every byte is right is not given for a part of the right one."""
    started = proxied()
    right = content("foo")
    path = scripted.offer("foo", "foo-1.0.tar.gz", right)
    url = f"{started.url}packages/foo/foo-1.0.tar.gz"
    scripted.script(path, answer(200, flipped(right, 5)))
    transfer = download(url, headers={"Range": "bytes=-1000"})
    assert not (transfer.status == 206 and transfer.whole)
    assert transfer.body == b"" or transfer.status == 502
    scripted.unscript()
    # Who comes in the very moment in which the wrong file is given up is told so.
    wait_until(lambda: download(url, headers={"Range": "bytes=-1000"}).status == 206, "it is fetched anew")
    assert download(url, headers={"Range": "bytes=-1000"}).body == right[-1000:]


@pytest.mark.parametrize("with_ranges", [True, False])
def test_t58_an_interrupted_download_goes_on_unseen(
    proxied: Proxied, scripted: ScriptedIndex, with_ranges: bool
) -> None:
    """By a range, or from the start where the upstream knows none; the client sees one whole file."""
    started = proxied()
    right = content("foo")
    path = scripted.offer("foo", "foo-1.0.tar.gz", right)
    asked: list[str | None] = []

    def serve(request: Request) -> Iterable[object]:
        asked.append(request.headers.get("range"))
        if len(asked) == 1:
            return [head(SIZE), right[: SIZE // 2], RESET]
        if with_ranges and (wanted := asked[-1]):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            return [answer(206, right[start:], Content_Range=f"bytes {start}-{SIZE - 1}/{SIZE}")]
        return [answer(200, right)]

    scripted.script_by(path, serve)
    transfer = download(f"{started.url}packages/foo/foo-1.0.tar.gz")
    assert (transfer.status, transfer.whole, transfer.body) == (200, True, right)
    assert asked[0] is None
    assert asked[1] is not None


def test_t57_what_has_no_digest_is_pinned_when_it_is_first_used(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """Later fetches must give the same bytes, even though nobody but pypid knows which those were."""
    started = proxied()
    path = scripted.offer("foo", "foo-1.0.tar.gz", content("first"), hashes={}, size=None)
    url = f"{started.url}packages/foo/foo-1.0.tar.gz"
    assert download(url).body == content("first")
    wait_until(lambda: "foo-1.0.tar.gz" in kept(started), "it is kept")
    (cached,) = (started.root / ".pypid" / "cache").rglob("foo-1.0.tar.gz")
    cached.unlink()
    scripted.script(path, answer(200, content("second")))
    transfer = download(url)
    assert not (transfer.status == 200 and transfer.whole)
    assert kept_files(started) == set()
    scripted.unscript()
    assert download(url).body == content("first")


BAD_PAGES: Mapping[str, Iterable[object]] = {
    "broken-json": [answer(200, b'{"files": [', Content_Type=JSON)],
    "json-of-another-kind": [answer(200, b"[1, 2]", Content_Type=JSON)],
    "json-next-version": [answer(200, b'{"meta": {"api-version": "2.0"}, "files": []}', Content_Type=JSON)],
    "deep-json": [answer(200, b"[" * 200_000, Content_Type=JSON)],
    "json-in-latin-1": [answer(200, b'{"name": "\xe4"}', Content_Type=JSON)],
    "a-picture": [answer(200, b"\x89PNG", Content_Type="image/png")],
    "no-type": [answer(200, b"<html></html>")],
    "short": [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 999\r\n\r\n<a href="],
    "gzip-that-is-none": [answer(200, b"<html>", Content_Type=HTML, Content_Encoding="gzip")],
    "gzip-cut-short": [
        answer(200, gzip.compress(b"<html>" * 999)[:-20], Content_Type=HTML, Content_Encoding="gzip")
    ],
    "gzip-bomb": [
        answer(
            200,
            gzip.compress(b"<a href='x-1.0.tar.gz'>x</a>" + b" " * (100 * 1024 * 1024), 1),
            Content_Type=HTML,
            Content_Encoding="gzip",
        )
    ],
    "huge": [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n",
        *([b" " * (1024 * 1024)] * 80),
    ],
    "unknown-encoding": [answer(200, b"<html>", Content_Type=HTML, Content_Encoding="br")],
    "not-http": [b"nonsense\r\n\r\n"],
    "reset": [b"HTTP/1.1 200 OK\r\nContent-Le", RESET],
    "b244-500": [answer(500)],
    "b244-teapot": [answer(418)],
    "b244-403": [answer(403)],
    "b246-no-location": [answer(302)],
}


@pytest.mark.parametrize("name", BAD_PAGES)
def test_t59_b244_nonsense_instead_of_a_page_is_a_502(
    proxied: Proxied, scripted: ScriptedIndex, name: str
) -> None:
    """And while a page is kept it is shown instead, marked as stale."""
    started = proxied("ttl=0s")
    for project in ("foo", "bar"):
        scripted.offer(project, f"{project}-1.0.tar.gz", content("foo"))
    good = ask(f"{started.simple}foo/")
    assert (good.status, good.headers["X-Pypid-Stale"]) == (200, None)
    for project in ("foo", "bar"):
        scripted.script(f"/simple/{project}/", *BAD_PAGES[name])
    refused = ask(f"{started.simple}bar/")
    assert refused.status == 502, refused.text
    assert refused.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert len(refused.body) < 500
    stale = ask(f"{started.simple}foo/")
    assert (stale.status, stale.body) == (200, good.body)
    assert stale.headers["X-Pypid-Stale"].endswith(" GMT")
    assert ask(f"{started.url}+health").status == 200


def test_t59_what_a_page_says_beside_files_of_its_own_is_passed_over(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """Other links, other projects' files, broken names, and tags that try to be more than that."""
    started = proxied()
    scripted.offer("foo", "foo-1.0.tar.gz", content("foo"))
    links = [
        '<a href="../../files/foo-1.0.tar.gz#sha256=%s">foo-1.0.tar.gz</a>',
        '<a href="../../files/bar-1.0.tar.gz">bar-1.0.tar.gz</a>',
        '<a href="javascript:alert(1)//foo-2.0.tar.gz">foo-2.0.tar.gz</a>',
        '<a href="file:///etc/foo-3.0.tar.gz">foo-3.0.tar.gz</a>',
        '<a href="data:text/html,foo-4.0.tar.gz">foo-4.0.tar.gz</a>',
        '<a href="../../files/foo-5.0.tar.gz%%0d%%0aSet-Cookie:x">foo-5.0.tar.gz</a>',
        '<a href="../../../../etc/passwd">foo-6.0.tar.gz</a>',
        '<a href="../../files/..%%2f..%%2ffoo-7.0.tar.gz">foo-7.0.tar.gz</a>',
        '<a href="../../files/foo-8.0.tar.gz" data-yanked="&quot;&gt;<script>alert(1)</script>">f</a>',
        "<script>alert(1)</script>",
    ]
    digest = sha256(content("foo")).hexdigest()
    body = ("<!DOCTYPE html>" + "\n".join(links) % digest).encode()
    scripted.script("/simple/foo/", answer(200, body, Content_Type=HTML))
    page = ask(f"{started.simple}foo/").text
    assert "foo-1.0.tar.gz" in page
    for evil in ("bar-1.0", "javascript", "file:", "data:", "passwd", "<script", "\r", "Set-Cookie", ".."):
        assert evil not in page.replace("../../packages/foo/", ""), evil
    assert download(f"{started.url}packages/foo/foo-1.0.tar.gz").body == content("foo")


def test_t58_b244_statuses_of_an_upstream_have_statuses_here(
    proxied: Proxied, scripted: ScriptedIndex
) -> None:
    """404 is "nobody has it"; all else is trouble, for pages, files and metadata alike."""
    started = proxied()
    metadata = b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n"
    wheel = "foo-1.0-py3-none-any.whl"
    path = scripted.offer("foo", wheel, content("foo"), metadata=metadata)
    assert ask(f"{started.simple}nowhere/").status == 404
    for suffix in ("", ".metadata"):
        # Metadata that is promised and not there is taken out of the wheel.
        for one in {"", suffix}:
            scripted.script(path + one, answer(404))
        assert ask(f"{started.url}packages/foo/{wheel}{suffix}").status == 404
        for one in {"", suffix}:
            scripted.script(path + one, answer(500))
        failed = ask(f"{started.url}packages/foo/{wheel}{suffix}")
        assert (failed.status, failed.headers["ETag"], failed.headers["Accept-Ranges"]) == (502, None, None)
    assert ask(f"{started.url}packages/foo/foo-9.0.tar.gz").status == 404
    scripted.unscript()
    wait_until(
        lambda: ask(f"{started.url}packages/foo/{wheel}.metadata").body == metadata, "the breaker closes"
    )
    scripted.script(path + ".metadata", answer(200, b"Name: evil"))
    assert ask(f"{started.url}packages/foo/{wheel}.metadata").body == metadata
    assert download(f"{started.url}packages/foo/{wheel}").body == content("foo")


def test_t57_metadata_that_is_not_what_the_page_promises(proxied: Proxied, scripted: ScriptedIndex) -> None:
    started = proxied()
    wheel = "foo-1.0-py3-none-any.whl"
    path = scripted.offer("foo", wheel, content("foo"), metadata=b"Name: foo")
    scripted.script(path + ".metadata", answer(200, b"Name: bar"))
    assert ask(f"{started.url}packages/foo/{wheel}.metadata").status == 502
    scripted.unscript()
    assert ask(f"{started.url}packages/foo/{wheel}.metadata").body == b"Name: foo"


def test_b242_a_stalled_upstream_is_a_504_and_holds_up_nobody_else(
    proxied: Proxied, scripted: ScriptedIndex, tmp_path: Path
) -> None:
    """Before the head, and in the body of a page; what is here is answered meanwhile."""
    root = tmp_path / "tree"
    (root / "simple" / "local").mkdir(parents=True)
    (root / "simple" / "local" / "local-1.0.tar.gz").write_bytes(b"local")
    started = proxied("timeout=2s", root=root)
    scripted.offer("known", "known-1.0.tar.gz", content("known"))
    scripted.script("/simple/silent/", STALL)
    scripted.script("/simple/half/", head(5000), b"<a", STALL)
    assert ask(f"{started.simple}known/").status == 200
    scripted.script("/files/known-1.0.tar.gz", STALL)
    urls = [
        f"{started.simple}silent/",
        f"{started.simple}half/",
        f"{started.url}packages/known/known-1.0.tar.gz",
    ]
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(ask, url) for url in urls]
        wait_until(lambda: len(scripted.asked) == 4, "they ask")
        assert b"local-1.0" in ask(f"{started.simple}local/").body
        assert not any(one.done() for one in waiting)
        assert [one.result().status for one in waiting] == [504, 504, 504]


def test_b242_a_body_that_stalls_is_not_the_end_of_it(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """What came is sent on at once; the rest when it comes."""
    started = proxied()
    right, gate = content("foo"), Gate()
    path = scripted.offer("foo", "foo-1.0.tar.gz", right)
    scripted.script(path, head(SIZE), right[:200_000], gate, right[200_000:])
    there = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        url = f"{started.url}packages/foo/foo-1.0.tar.gz"
        waiting = pool.submit(download, url, first_byte=there.set)
        assert there.wait(30)
        assert gate.reached.is_set()
        assert not waiting.done()
        gate.opened.set()
        assert waiting.result().body == right


def test_b244_a_busy_upstream_is_left_alone(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """It is not asked again before the time that it named is over; what is kept is shown meanwhile."""
    started = proxied("ttl=0s")
    scripted.offer("foo", "foo-1.0.tar.gz", content("foo"))
    assert ask(f"{started.simple}foo/").status == 200
    for project, status in (("foo", 503), ("bar", 429)):
        scripted.script(f"/simple/{project}/", answer(status, Retry_After="250"))
    assert ask(f"{started.simple}bar/").status == 502
    asked = len(scripted.asked)
    for _ in range(20):
        assert ask(f"{started.simple}bar/").status == 502
        stale = ask(f"{started.simple}foo/")
        assert (stale.status, stale.headers["X-Pypid-Stale"] is None) == (200, False)
    assert len(scripted.asked) == asked


def test_a_page_that_changes_and_a_project_that_goes_away(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """They do so here too: a withdrawn project is not shown as stale, nor its files."""
    started = proxied("ttl=0s")
    scripted.offer("foo", "foo-1.0.tar.gz", content("foo"))
    assert download(f"{started.url}packages/foo/foo-1.0.tar.gz").whole
    scripted.offer("foo", "foo-1.0.tar.gz", content("changed"))
    transfer = download(f"{started.url}packages/foo/foo-1.0.tar.gz")
    assert (transfer.status, transfer.body) == (200, content("changed"))
    scripted.offer("foo", "foo-1.0.tar.gz", content("changed"), yanked="broken")
    assert 'data-yanked="broken"' in ask(f"{started.simple}foo/").text
    scripted.forget("foo")
    assert ask(f"{started.simple}foo/").status == 404
    assert ask(f"{started.url}packages/foo/foo-1.0.tar.gz").status == 404
