"""Files that are answered ahead of the routes, and by the kernel: the same bytes in every way."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from email.utils import formatdate
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

from pypid.access.open import PrivateAccess
from pypid.runtime.kernel_cache import is_in_memory
from pypid.runtime.send_bytes import CHUNK
from pypid.runtime.workers import InlineWorkers
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.directory import DirectoryStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import SIGNATURE, attestation, sdist, wheel
from pypid.testing.inline import InlineStorage
from pypid.testing.policies import ReadersAccess
from pypid.testing.web import MemorySite, basic, upload_form
from pypid.testing.workers import HeldWorkers, holdings
from pypid.upload import UploadRules
from pypid.web.fast_path import FastPath, FastPathChannel
from pypid.web.fast_path.answers import FastChannel
from pypid.web.http.channel import IndexChannel
from pypid.web.routes import kept_files

HOST = "Host: index.example.org"
CI = f"Authorization: {basic('ci', 'secret')['Authorization']}"
WRONG = f"Authorization: {basic('ci', 'wrong')['Authorization']}"
WHEEL, CONTENT = wheel("acme-lib", "1.0", payload=os.urandom(3 * CHUNK))
SDIST, SOURCES = sdist("acme-lib", "1.0", payload=os.urandom(100))
LONG = bytes(range(251)) * 80_000
BORDERS = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK)
SIDECARS = (".metadata", ".provenance", ".asc")


def now() -> int:
    """Tell a time at which whatever was written has settled."""
    return time.time_ns() + 10**13


class CountingPath(FastPath):
    """Counts what was answered."""

    answered = 0

    def answer(self, segment: bytes, channel: FastChannel) -> bool:
        """Answer, and count it."""
        done = super().answer(segment, channel)
        self.answered += done
        return done


@define
class FileSite(MemorySite):
    """A site that tells what was answered ahead of its routes."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        usual = self.site.fast_path
        self.site.served.fast_path = CountingPath(
            usual._index, usual._authorization, usual._pages, usual._kept_files
        )
        self.site.logFile = StringIO()

    @property
    def answered(self) -> int:
        """How many requests were answered so far."""
        assert isinstance(self.site.fast_path, CountingPath)
        return self.site.fast_path.answered

    def publish(self, filename: str, content: bytes, name: str = "acme-lib", **fields: str) -> None:
        """Upload a file."""
        headers, body = upload_form(
            filename, content, name, filename.split("-")[1].removesuffix(".tar.gz"), **fields
        )
        answer = self.request("POST", "/legacy/", headers | basic("ci", "secret"), body)
        assert answer.status == 200, answer

    def send(self, data: bytes, channel: type[IndexChannel] = FastPathChannel) -> tuple[bytes, str]:
        """Send some bytes on a new connection; give what came back and what was logged, without times."""
        self.site.protocol = channel  # type: ignore[assignment]
        self.site.logFile = StringIO()
        connection = self.connect()
        connection.send(data)
        return undated(connection.received()), unnumbered(self.site.logFile.getvalue())

    def same(self, data: bytes) -> int:
        """See that the same is answered in each way, and give how often it was ahead of the routes."""
        before = self.answered
        expected = self.send(data, IndexChannel)
        assert self.answered == before
        for _ in range(3):
            assert self.send(data) == expected, data
        ahead = self.answered - before
        self.site.logFile = StringIO()
        with Plain(self) as plain:
            plain.send(data)
            received = undated(plain.read(len(expected[0]) + 100))
            assert (received, unnumbered(self.site.logFile.getvalue())) == expected, data
        self.site.protocol = IndexChannel  # type: ignore[assignment]
        with Plain(self) as plain:
            plain.send(data)
            assert undated(plain.read(len(expected[0]) + 100)) == expected[0], data
        self.site.protocol = FastPathChannel  # type: ignore[assignment]
        return ahead


def undated(answers: bytes) -> bytes:
    """Cut the times and the ids of the requests out of some answers."""
    answers = re.sub(rb"Date: [^\r]+", b"Date: then", answers)
    return re.sub(rb"X-Request-Id: [0-9a-f]+-[0-9a-f]+\r", b"X-Request-Id: its\r", answers)


def unnumbered(log: str) -> str:
    """Cut the time that each took, its id, and the state of the cache out of some lines of the log."""
    return re.sub(r'" [0-9.]+ [0-9a-f]+-[0-9a-f]+ (hit|miss|-)$', '"', log, flags=re.MULTILINE)


def request(line: str, *headers: str) -> bytes:
    """Write a request without a body."""
    return "\r\n".join([f"{line} HTTP/1.1", *headers, "", ""]).encode("latin-1")


def get(path: str, *headers: str) -> bytes:
    """Write a GET."""
    return request(f"GET {path}", HOST, *headers)


class Reactor(Clock):
    """Remembers which descriptors wait for what."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[object] = set()
        self.writers: set[object] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard


class Plain:
    """A connection over a real socket, whose server's side goes on when the test has it go on."""

    def __init__(self, site: MemorySite, room: int = 0) -> None:
        """Connect.

        :param room: the size of the buffers of both sockets, if they are to be small.
        """
        self.reactor = Reactor()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.socket()
            if room:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            self.client.connect(listener.getsockname())
            accepted, peer = listener.accept()
        if room:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        for one in (accepted, self.client):
            one.setblocking(False)
        channel = site.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 0))
        assert channel is not None
        self.transport = Server(accepted, channel, ("127.0.0.1", peer[1]), None, 0, self.reactor)  # type: ignore[arg-type]
        channel.makeConnection(self.transport)

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        for _turn in range(100):
            if not self.turn():
                break
        if self.transport.connected:
            self.transport.connectionLost(Failure(ConnectionError()))

    def send(self, data: bytes) -> None:
        """Send something, and have the server read it."""
        self.client.sendall(data)
        wait(lambda: self.turn())

    def turn(self) -> bool:
        """Have the reactor take one turn; give whether there was anything to do."""
        self.reactor.advance(0)
        if not self.transport.connected:
            return False
        readers = [self.transport] if self.transport in self.reactor.readers else []
        writers = [self.transport] if self.transport in self.reactor.writers else []
        readable, writable, _ = select.select(readers, writers, [], 0)
        for ready, act in ((readable, self.transport.doRead), (writable, self.transport.doWrite)):
            why = act() if ready and self.transport.connected else None
            if why:
                self.transport.connectionLost(Failure(why))
        return bool(readable or writable)

    def read(self, most: int, patience: int = 3) -> bytes:
        """Read what comes, until nothing more does or so much has come."""
        data, idle = bytearray(), 0
        while len(data) < most and idle < patience:
            self.turn()
            try:
                piece = self.client.recv(min(most - len(data), 1_000_000))
            except BlockingIOError:
                idle += 1
                time.sleep(0.0005 * idle)
                continue
            except ConnectionError:
                break
            if not piece:
                break
            data += piece
            idle = 0
        return bytes(data)


def wait(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Take an answer apart."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def new_site(root: Path, **options: object) -> FileSite:
    """Make a site on a disk."""
    storage = InlineStorage(DirectoryStorage(root, detector=ChangeDetector(now)))
    return FileSite(storage=storage, **options)  # type: ignore[arg-type]


def fill(site: FileSite) -> FileSite:
    """Publish a wheel with all sidecar files, and an sdist."""
    vouched = json.dumps([attestation(WHEEL, CONTENT)])
    site.publish(WHEEL, CONTENT, attestations=vouched, gpg_signature=SIGNATURE)
    site.publish(SDIST, SOURCES)
    return site


@pytest.fixture
def site(tmp_path: Path) -> FileSite:
    return fill(new_site(tmp_path))


@pytest.fixture
def long(tmp_path: Path) -> Iterator[tuple[FileSite, Path]]:
    """Give a site with a file of 20 MB, asked for before, and the path of that file."""
    site = new_site(tmp_path)
    path = tmp_path / "simple" / "long" / "long-1.0.tar.gz"
    path.parent.mkdir()
    path.write_bytes(LONG)
    for _ in range(2):  # the first time, its project is not known
        site.send(request("HEAD /packages/long/long-1.0.tar.gz", HOST))
    before = site.answered
    assert site.send(request("HEAD /packages/long/long-1.0.tar.gz", HOST))[0].startswith(b"HTTP/1.1 200 ")
    assert site.answered == before + 1
    yield site, path
    assert not site.site._requests._live


GET_LONG = get("/packages/long/long-1.0.tar.gz")
FILES = (WHEEL, SDIST, *(WHEEL + one for one in SIDECARS), "acme_lib-9-py3-none-any.whl")
CALLERS = ([], [CI], [WRONG])
HEADERS: Sequence[Sequence[str]] = (
    [],
    ["Range: bytes=5-9"],
    ["Range: bytes=-5"],
    ["Range: bytes=900000000-"],
    ["Range: bytes=0-0,5-9"],
    ["Range: lines=1-2"],
    ["Range: bytes=0-5", 'If-Range: "other"'],
    ["If-None-Match: *"],
    ['If-None-Match: "other"', f"If-Modified-Since: {formatdate(2**31, usegmt=True)}"],
    [f"If-Modified-Since: {formatdate(2**31, usegmt=True)}"],
    ["If-Modified-Since: nonsense"],
    ["Accept: application/json"],
    ["Accept: image/png"],
    ["Accept: text/html", "Accept-Encoding: gzip", "Cache-Control: no-cache"],
)


@pytest.mark.parametrize("private", [False, True])
def test_each_way_gives_the_same_to_every_caller(tmp_path: Path, private: bool) -> None:
    """Every file and sidecar file, by every URL, method and caller: C117, T53."""
    site = fill(new_site(tmp_path, **({"policy": PrivateAccess()} if private else {})))
    for name, method, caller in product(FILES, ("GET", "HEAD"), CALLERS):
        for top in ("packages", "simple") if name == WHEEL else ("packages",):
            if caller == [WRONG]:
                site.reactor.advance(300)  # after which wrong passwords are forgotten
            ahead = site.same(request(f"{method} /{top}/acme-lib/{name}", HOST, *caller))
            refused = caller == [WRONG] or (private and not caller) or name == FILES[-1]
            assert ahead == 0 if refused else ahead >= 2, (name, method, caller)


@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: " ".join(headers)[:30])
def test_each_way_gives_the_same_for_all_headers(site: FileSite, headers: Sequence[str]) -> None:
    """Ranges, conditions and others: C80 to C98."""
    for name, method in product((WHEEL, WHEEL + ".metadata", WHEEL + ".provenance"), ("GET", "HEAD")):
        ahead = site.same(request(f"{method} /packages/acme-lib/{name}", HOST, *headers))
        unacceptable = headers[:1] in (["Accept: image/png"], ["Accept: text/html"])
        assert ahead == 0 if unacceptable and name.endswith(".provenance") else ahead >= 2, (name, method)


def test_the_routes_tags_are_known(site: FileSite) -> None:
    """C93: a client that has the file is told so, and a part of the same file is given with If-Range."""
    path = f"/packages/acme-lib/{WHEEL}"
    _, headers, _ = parts(site.send(get(path))[0])
    etag, date = headers["ETag"], headers["Last-Modified"]
    for lines, status in (
        ([f"If-None-Match: {etag}"], 304),
        ([f'If-None-Match: "x", W/{etag}'], 304),
        ([f"If-Modified-Since: {date}"], 304),
        (["Range: bytes=5-", f"If-Range: {etag}"], 206),
        (["Range: bytes=5-", f"If-Range: {date}"], 206),
        (["Range: bytes=5-", f"If-Range: W/{etag}"], 200),
    ):
        assert site.same(get(path, *lines)) == 3
        assert parts(site.send(get(path, *lines))[0])[0] == status
    etag = parts(site.send(get(path + ".metadata"))[0])[1]["ETag"]
    assert site.same(get(path + ".metadata", f"If-None-Match: {etag}")) == 3


@pytest.mark.parametrize(
    "path",
    [
        f"/packages/acme-lib/{WHEEL}?a=b",
        f"/packages/Acme_Lib/{WHEEL}",
        f"/packages/acme-lib/{WHEEL}/",
        f"/packages/{WHEEL}",
        "/packages/acme-lib/",
        "/packages/",
        f"/packages/acme-lib/%61{WHEEL[1:]}",
        "/packages/acme-lib/.pypid.json",
        f"/packages/acme-lib/.{WHEEL}.json",
        f"/packages/acme-lib/../acme-lib/{WHEEL}",
        f"/packages/acme-lib/{WHEEL}.metadata.metadata",
        f"/packages/zebra/{WHEEL}",
        f"/integrity/acme-lib/1.0/{WHEEL}/provenance",
    ],
)
def test_other_paths_go_the_usual_way(site: FileSite, path: str) -> None:
    site.send(get(f"/packages/acme-lib/{WHEEL}"))
    assert site.same(get(path)) == 0


def test_a_storage_without_descriptors_works() -> None:
    """C: its files are sent by the routes, in chunks; sidecar files are kept in memory all the same."""
    site = fill(FileSite(storage=InlineStorage(MemoryStorage())))
    assert site.same(get(f"/packages/acme-lib/{WHEEL}")) == 0
    assert site.same(get(f"/packages/acme-lib/{WHEEL}.metadata")) == 3


def expected(size: int, wanted: str | None, if_range: bool | None) -> tuple[int, bytes]:
    """Give the status and the body for a range of :data:`LONG`'s first bytes.

    :param if_range: whether the tag in ``If-Range`` is right; ``None`` without one.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    data = LONG[:size]
    if match is None or match[0] == "bytes=-" or not size or if_range is False:
        return 200, data
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return 200, data
    start = int(first) if first else max(size - int(last), 0)
    stop = size if not (first and last) else min(int(last) + 1, size)
    return (206, data[start:stop]) if start < size else (416, b"no such bytes in this file\n")


near = st.builds(lambda border, by: max(border + by, 0), st.sampled_from(BORDERS), st.integers(-2, 2))
ranges = st.one_of(
    st.none(),
    st.builds(lambda a, b: f"bytes={a}-{b}", near | st.just(""), near | st.just("")),
    st.sampled_from(("bytes=", "bytes=1-2,5-6", "bytes=a-b", "octets=0-5", "bytes=--5")),
)


@pytest.fixture(scope="module")
def sized(tmp_path_factory: pytest.TempPathFactory) -> FileSite:
    """Give a site with a file of each size around the borders of chunks."""
    root = tmp_path_factory.mktemp("sized")
    site = new_site(root)
    directory = root / "simple" / "sized"
    directory.mkdir()
    for size in {max(border + by, 0) for border in BORDERS for by in (-1, 0, 1)}:
        (directory / f"sized-1.{size}.tar.gz").write_bytes(LONG[:size])
    return site


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(BORDERS),
    st.integers(-1, 1),
    ranges,
    st.none() | st.booleans(),
    st.sampled_from(["GET", "HEAD"]),
)
def test_ranges_are_the_models(
    sized: FileSite, border: int, by: int, wanted: str | None, if_range: bool | None, method: str
) -> None:
    """By the routes, ahead of them, by chunks and by the kernel: what the model says (C84 to C92)."""
    size = max(border + by, 0)
    path = f"/packages/sized/sized-1.{size}.tar.gz"
    lines = [f"Range: {wanted}"] if wanted is not None else []
    if if_range is not None:
        etag = parts(sized.send(request(f"HEAD {path}", HOST))[0])[1]["ETag"]
        lines.append(f"If-Range: {etag if if_range else chr(34) * 2}")
    data = request(f"{method} {path}", HOST, *lines)
    assert sized.same(data) >= 2
    status, headers, body = parts(sized.send(data)[0])
    right = expected(size, wanted, if_range)
    assert (status, body) == (right[0], right[1] if method == "GET" else b"")
    assert int(headers["Content-Length"]) == len(right[1])


@pytest.mark.parametrize("wanted", [",".join(f"{n}-{n}" for n in range(500)), "0-" + "9" * 300])
def test_absurd_ranges(site: FileSite, wanted: str) -> None:
    """Many ranges, or an absurd one, are as none: the whole file is sent, once."""
    data = get(f"/packages/acme-lib/{WHEEL}", f"Range: bytes={wanted}")
    assert site.same(data) >= 2
    assert parts(site.send(data)[0])[0] == 200


def test_ten_thousand_ranges(site: FileSite) -> None:
    wanted = ",".join(f"{n}-{n}" for n in range(10_000))
    assert site.same(get(f"/packages/acme-lib/{WHEEL}", f"Range: bytes={wanted}")) == 0


def test_what_was_kept_is_looked_at_each_time(tmp_path: Path) -> None:
    """Removed, replaced and changed files, and one whose time is over, are answered as by the routes."""
    site = fill(new_site(tmp_path, rules=UploadRules(overwrite=("1.*",))))
    path = tmp_path / "simple" / "acme-lib" / WHEEL
    paths = [f"/packages/acme-lib/{WHEEL}{suffix}" for suffix in ("", ".metadata", ".asc", ".provenance")]
    assert [site.same(get(one)) for one in paths] == [2, 3, 3, 3]
    other = wheel("acme-lib", "1.0", requires_python=">=3.9")[1]
    site.publish(WHEEL, other)
    assert parts(site.send(get(paths[0]))[0])[2] == other
    assert [site.same(get(one)) for one in paths] == [3, 3, 0, 0]
    for seconds, ahead in ((0, 1), (kept_files.SECONDS + 1, 0), (0, 1)):
        site.reactor.advance(seconds)
        before = site.answered
        assert parts(site.send(get(paths[0]))[0])[2] == other
        assert site.answered == before + ahead
    path.write_bytes(CONTENT)  # in place, which does not show in the directory
    assert parts(site.send(get(paths[0]))[0])[0] == 410
    assert site.same(get(paths[0])) == 0
    assert parts(site.send(get(paths[0]))[0])[0] == 410  # since these are not the published bytes
    path.unlink()
    assert [parts(site.send(get(one))[0])[0] for one in paths] == [404] * 4


def test_permission_is_asked_for_each_time(tmp_path: Path) -> None:
    """C108: it may be taken away between two requests of one connection."""
    policy = ReadersAccess((), {"ci": ("*",)})
    site = fill(new_site(tmp_path))
    object.__setattr__(site.site.fast_path._authorization, "policy", policy)
    data = get(f"/packages/acme-lib/{WHEEL}", CI)
    site.send(data)
    with Plain(site) as plain:
        memory = site.connect()

        def ask() -> set[int]:
            """Ask over both connections, and give the statuses."""
            memory.transport.clear()
            memory.send(data)
            plain.send(data)
            answers = memory.received(), plain.read(len(CONTENT) + 2000)
            return {parts(answer)[0] for answer in answers}

        before = site.answered
        assert ask() == ask() == {200}
        assert site.answered == before + 4
        policy.change(ci=["zebra"])
        assert ask() == {403}
        policy.change(ci=["acme-*"])
        assert ask() == {200}


def test_a_file_may_be_removed_or_replaced_while_it_is_sent(long: tuple[FileSite, Path]) -> None:
    """RELIABILITY: whoever has begun to receive it receives it to its end; and it may grow."""
    site, path = long
    for change in ("grow", "replace", "remove"):
        with Plain(site, 100_000) as plain:
            plain.send(GET_LONG)
            received = plain.read(500_000)
            if change == "grow":
                with path.open("ab") as file:
                    file.write(b"more")
                os.truncate(path, len(LONG))
                with path.open("ab") as file:
                    file.write(b"more")
            elif change == "replace":
                path.with_name("new").write_bytes(b"other" * 1000)
                path.with_name("new").rename(path)
            else:
                path.unlink()
            received += plain.read(len(LONG) + 10_000, 20)
            assert parts(received)[2] == LONG, change
        path.write_bytes(LONG)
        site.send(GET_LONG)


@pytest.mark.parametrize("room", [0, 100_000])
def test_a_file_that_shrinks_ends_the_connection(long: tuple[FileSite, Path], room: int) -> None:
    """It is never followed by other bytes, and the answer is not whole."""
    site, path = long
    with Plain(site, room) as plain:
        plain.send(GET_LONG)
        received = plain.read(300_000)
        os.truncate(path, 8_000_000)
        received += plain.read(len(LONG) + 10_000, 20)
        wait(lambda: (plain.turn(), not plain.transport.connected)[1])
        body = parts(received)[2]
        assert len(body) <= 8_000_000
        assert LONG.startswith(body)
    assert parts(site.send(get("/simple/long/"))[0])[0] == 200


def test_a_client_that_stops_reading(long: tuple[FileSite, Path]) -> None:
    """It costs a descriptor and no memory; others are served; later it reads on, or comes back by range."""
    site, _ = long
    before = holdings()
    slow = [Plain(site, 4096) for _ in range(20)]
    for one in slow:
        one.send(GET_LONG)
        assert one.transport._tempDataLen + len(one.transport.dataBuffer) < 10_000
    with Plain(site) as plain:
        plain.send(GET_LONG)
        assert parts(plain.read(len(LONG) + 10_000, 20))[2] == LONG
    got = parts(slow[0].read(100_000))[2]
    assert LONG.startswith(got)
    with Plain(site) as plain:
        plain.send(get("/packages/long/long-1.0.tar.gz", f"Range: bytes={len(got)}-"))
        assert got + parts(plain.read(len(LONG) + 10_000, 20))[2] == LONG
    for one in slow:
        with one:
            pass
    assert holdings().descriptors == before.descriptors


def test_later_requests_wait_until_the_file_is_sent(long: tuple[FileSite, Path]) -> None:
    """C179: each is answered once, in order, with files and pages mixed."""
    site, _ = long
    page, rest = get("/simple/long/"), get("/packages/long/long-1.0.tar.gz", "Range: bytes=-10")
    site.send(page)
    expected = [site.send(one)[0] for one in (GET_LONG, page, rest, rest, page)]
    site.site.logFile = StringIO()
    with Plain(site) as plain:
        plain.send(GET_LONG)
        plain.send(page)
        plain.client.sendall(rest)
        plain.turn()
        plain.client.sendall(rest + page)
        received = plain.read(sum(map(len, expected)) + 1000)
        assert undated(received) == b"".join(expected)
        assert len(site.site.logFile.getvalue().splitlines()) == 5
        plain.send(page)
        assert undated(plain.read(10_000)) == expected[1]
        # So much is sent meanwhile that it is not read before the file is sent.
        plain.client.sendall(GET_LONG)
        wait(plain.turn)
        many = page * 500
        sent = 0
        answers = bytearray()
        while len(answers) < len(expected[0]) + 500 * len(expected[1]):
            if sent < len(many):
                with suppress(BlockingIOError):
                    sent += plain.client.send(many[sent:])
            piece = plain.read(1_000_000)
            assert piece
            answers += piece
        assert undated(bytes(answers)) == expected[0] + 500 * expected[1]


def test_an_idle_connection_is_closed_after_the_usual_time(long: tuple[FileSite, Path]) -> None:
    """A file may take longer than that; the time begins when it is sent."""
    site, _ = long
    with Plain(site, 100_000) as plain:
        plain.send(GET_LONG)
        site.reactor.advance(1000)
        assert plain.transport.connected and not plain.transport.disconnecting
        assert parts(plain.read(len(LONG) + 10_000, 20))[2] == LONG
        site.reactor.advance(119)
        assert not plain.transport.disconnecting
        site.reactor.advance(2)
        assert plain.transport.disconnecting


def forget(path: Path) -> None:
    """Have the kernel drop what it has of a file in memory."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if is_in_memory(descriptor, 0, 1000):
            pytest.skip("this file system does not forget")
    finally:
        os.close(descriptor)


def test_p14_a_stalled_disk_holds_up_nobody(long: tuple[FileSite, Path]) -> None:
    """What is not in memory is read by workers; meanwhile others are served, and clients may leave."""
    site, path = long
    workers = HeldWorkers()
    site.storage._reading = workers
    kept = site.site.fast_path._kept_files.find("long", path.name)
    assert isinstance(kept, kept_files.KeptFile)
    kept.content._workers = workers  # type: ignore[attr-defined]
    page = site.send(get("/simple/long/"))[0]
    before = holdings()
    forget(path)
    with Plain(site) as patient, Plain(site) as gone, Plain(site) as other:
        received = b""
        for one in (gone, patient):
            one.send(GET_LONG)
            # Only a look at what is not in memory makes the kernel read some of it.
            received = one.read(len(LONG), 20)
            assert received.startswith(b"HTTP/1.1 200 OK") and len(received) < len(LONG)
        assert not workers.is_idle
        other.send(get("/simple/long/"))
        assert undated(other.read(10_000, 20)) == page
        workers.finish()
        gone.client.close()
        wait(lambda: gone.turn() or not gone.transport.connected)
        for _ in range(1000):
            workers.work()
            received += patient.read(len(LONG), 3)
            if len(parts(received)[2]) == len(LONG):
                break
        assert parts(received)[2] == LONG
    workers.work_all()
    assert holdings().descriptors == before.descriptors
    assert not site.site._requests._live


def test_a_disk_that_fails_ends_the_connection(long: tuple[FileSite, Path]) -> None:
    site, path = long
    kept = site.site.fast_path._kept_files.find("long", path.name)
    assert isinstance(kept, kept_files.KeptFile)

    class Failing(InlineWorkers):
        """Workers whose disk fails."""

        def run(self, function: Callable[..., object], *args: object) -> object:  # type: ignore[override]
            """Fail."""

            def fail() -> None:
                from pypid.errors import StorageUnavailable

                raise StorageUnavailable("the disk")

            return super().run(fail)

    kept.content._workers = Failing()  # type: ignore[attr-defined]
    forget(path)
    with Plain(site) as plain:
        plain.send(GET_LONG)
        wait(lambda: plain.turn() or not plain.transport.connected)
        assert parts(plain.read(10_000) + b"\r\n\r\n")[2] in (b"", b"\r\n\r\n")
    assert not site.site._requests._live
