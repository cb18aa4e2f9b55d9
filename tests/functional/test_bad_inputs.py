"""Malformed and malicious requests to the real daemon over real sockets: each is refused, without effects."""

from __future__ import annotations

import itertools
import re
import select
import socket
import ssl
import struct
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from harness.daemon import Daemon
from harness.http import ask
from harness.invariants import CI, CONTENT, FILE, descriptors, healthy, running_daemon, status_file, unharmed
from harness.processes import PATIENCE, wait_until

from pypid.testing.builds import wheel
from pypid.testing.web import upload_form

SIGN_IN = b"Authorization: " + CI["Authorization"].encode()
HEALTH = b"GET /+health HTTP/1.1"
SMUGGLED = b"GET /__smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
PART = b'--b\r\nContent-Disposition: form-data; name="content"; filename="a-1.tar.gz"\r\n\r\n'
LARGE_NAME, LARGE = wheel("large", "1.0", payload=bytes(32 * 1024 * 1024))
SLOW_READERS = 40
A_BUFFER = 512 * 1024
"""What a reader may hold in memory, in bytes: a chunk that is read, one that is being sent, and some more."""
TWO_BUFFERS = 16 * 1024 * 1024
"""More than the buffers of the two sockets of a connection take, in bytes, when nobody reads from one."""


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """Write a request with a Host header."""
    return b"\r\n".join([line, b"Host: x", *headers, b"", body])


def upload(*headers: bytes, body: bytes = b"") -> bytes:
    """Write an upload by somebody who may."""
    form = b"Content-Type: multipart/form-data; boundary=b"
    return request(b"POST /legacy/ HTTP/1.1", SIGN_IN, form, *headers, body=body)


def get(target: bytes, *headers: bytes) -> bytes:
    """Write a GET."""
    return request(b"GET %s HTTP/1.1" % target, *headers)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield the one daemon that all of it is sent to, with two files published."""
    with running_daemon(tmp_path_factory.mktemp("bad-inputs"), (LARGE_NAME, LARGE, "large")) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def memory(running: Daemon) -> int:
    """Return the resident memory of the daemon before anything bad was sent to it, in bytes."""
    return status_file(running.pid, "VmRSS")


@pytest.fixture
def daemon(running: Daemon, memory: int) -> Iterator[Daemon]:
    """Yield the daemon, and see afterwards that nothing came of what the test did to it."""
    with unharmed(running, memory):
        yield running


def connect(daemon: Daemon, patience: float = 2) -> socket.socket:
    """Open a connection on which nothing takes longer than ``patience``, in seconds."""
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=patience)


def read_all(connection: socket.socket) -> bytes:
    """Read to the end, be it a clean one or not; a silence is a :exc:`TimeoutError`."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionError:
        pass
    return received


def send_all(connection: socket.socket, data: bytes) -> None:
    """Send as much as is taken."""
    with suppress(ConnectionError):
        connection.sendall(data)


def statuses(received: bytes) -> list[int]:
    """Return the statuses of all answers."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


def row(name: str, data: bytes, status: int = 400) -> object:
    """Name a request and the status it is answered with; the connection ends with it, or is ended."""
    return pytest.param(data, status, id=name)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        row("B001-cl-te", upload(b"Content-Length: 4", CHUNKED, body=b"0\r\n\r\n")),
        row("B002-te-cl", upload(CHUNKED, b"Content-Length: 4", body=b"0\r\n\r\n")),
        row("B004-cl-twice-diff", upload(b"Content-Length: 1", b"Content-Length: 0", body=b"x")),
        row("B011-cl-5000-digits", upload(b"Content-Length: " + b"9" * 5000), 413),
        row("B012-cl-1e18", upload(b"Content-Length: 1" + b"0" * 18, body=b"x" * 10), 413),
        row("B018-te-identity", upload(b"Transfer-Encoding: identity", b"Content-Length: 1", body=b"x")),
        row("B021-te-http10", request(b"GET / HTTP/1.0", CHUNKED, body=b"0\r\n\r\n")),
        row("B022-te-obsfold", upload(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n")),
        row("B024-chunk-0x", upload(CHUNKED, body=b"0x1\r\nx\r\n0\r\n\r\n")),
        row("B028-chunk-no-crlf", upload(CHUNKED, body=b"1\r\nxXX0\r\n\r\n")),
        row("B030-chunk-ext-long", upload(CHUNKED, body=b"1;a=" + b"b" * 5000 + b"\r\nx\r\n0\r\n\r\n")),
        row("B031-chunk-trailers-1mb", upload(CHUNKED, body=b"0\r\n" + b"a: b\r\n" * 170_000 + b"\r\n")),
        row("B033-bare-lf", request(HEALTH).replace(b"\r\n", b"\n")),
        row("B034-lf-in-value", request(HEALTH, b"X: a\n" + CHUNKED)),
        row("B036-nul-in-value", request(HEALTH, b"X: a\0b")),
        row("B037-ctl-in-value", request(HEALTH, b"X: \x7f\x01")),
        row("B041-headers-501", request(HEALTH, *[b"X-%d: a" % number for number in range(501)])),
        row("B042-header-17k", request(HEALTH, b"X: " + b"a" * 17_000), 431),
        row("B043-uri-17k", get(b"/" + b"a" * 17_000), 414),
        row("B044-no-host", b"GET / HTTP/1.1\r\n\r\n"),
        row("B045-two-hosts", request(HEALTH, b"Host: y")),
        row("B048-http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        row("B051-blank-lines", b"\r\n" * 50 + request(HEALTH)),
        row("B052-method-lower", request(b"get / HTTP/1.1"), 501),
        row("B057-absolute-form", get(b"http://evil.example/simple/x/")),
        row("B059-expect-foo", request(HEALTH, b"Expect: foo"), 417),
        row("B060-expect-unauth", upload().replace(SIGN_IN + b"\r\n", b"Content-Length: 9999999\r\n"), 401),
        row("B068-dotdot", get(b"/packages/../../etc/passwd")),
        row("B070-slash-enc", get(b"/packages/..%2f..%2fetc%2fpasswd")),
        row("B075-nul-enc", get(b"/simple/a%00b/")),
        row("B089-redirect-crlf", get(b"/simple/Foo%0d%0aSet-Cookie:x=1")),
        row("B117-auth-twice", request(HEALTH, SIGN_IN, b"Authorization: Basic YTpi")),
        row("T22-not-utf8", request(HEALTH, b"Accept: \xff")),
    ],
)
def test_refused(daemon: Daemon, data: bytes, status: int) -> None:
    """There is one answer, an end within two seconds, and what follows is not taken for a request."""
    with connect(daemon) as connection:
        send_all(connection, data + SMUGGLED)
        received = read_all(connection)
    assert statuses(received) == [status]
    assert b"evil" not in received
    assert b"Set-Cookie" not in received


@pytest.mark.parametrize(
    ("data", "status"),
    [
        row("B014-cl-on-get", request(HEALTH, b"Content-Length: 5", body=b"12345"), 200),
        row("B056-options-star", request(b"OPTIONS * HTTP/1.1"), 200),
        row("B127-no-boundary", upload(b"Content-Length: 0").replace(b"; boundary=b", b""), 400),
        row("B071-double-enc", get(b"/packages/%252e%252e%252fx"), 404),
        row("B085-long-segment", get(b"/simple/" + b"a-" * 4000 + b"!/"), 404),
        row("B098-range-5000", get(FILE, b"Range: bytes=" + b"0-," * 5000), 200),
        row("B100-range-empty", get(FILE, b"Range: bytes="), 200),
        row("B103-range-past-end", get(FILE, b"Range: bytes=999999999-"), 416),
        row("B112-auth-empty", get(b"/simple/", b"Authorization: Basic"), 401),
        row("B113-auth-nonutf8", get(b"/simple/", b"Authorization: Basic //46//4="), 401),
        row("B114-auth-nul", get(b"/simple/", b"Authorization: Basic YQA6eA=="), 401),
        row("B115-auth-73", get(b"/simple/", b"Authorization: Basic " + b64encode(b"ci:" + b"x" * 73)), 401),
        row("B116-auth-64k", get(b"/simple/", b"Authorization: Basic " + b64encode(b"x:" * 6000)), 401),
    ],
)
def test_answered(daemon: Daemon, data: bytes, status: int) -> None:
    """It has its answer, no longer than the file, and so has the next request, if there is one."""
    last = request(HEALTH, b"Connection: close")
    with connect(daemon) as connection:
        connection.sendall(data + last)
        received = read_all(connection)
    assert statuses(received) in ([status], [status, 200])
    assert len(received) < len(CONTENT) + 2000


def test_b050_https_to_this_port_fails_at_once(daemon: Daemon) -> None:
    """A client that was told the wrong scheme does not hang."""
    context = ssl.create_default_context()
    with connect(daemon) as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="localhost")


def test_b061_half_close(daemon: Daemon) -> None:
    """Whoever says that nothing more will come has an answer, or a clean end."""
    with connect(daemon) as connection:
        connection.sendall(request(HEALTH))
        connection.shutdown(socket.SHUT_WR)
        assert statuses(read_all(connection)) in ([], [200])


def test_b066_a_thousand_pipelined_requests(daemon: Daemon) -> None:
    """They are answered in order."""
    with connect(daemon, 20) as connection:
        targets = b"".join(get(b"/p%d" % number) for number in range(999))
        connection.sendall(targets + request(b"GET /p999 HTTP/1.1", b"Connection: close"))
        received = read_all(connection)
    assert re.findall(rb"\r\nLocation: simple/p(\d+)/\r\n", received) == [b"%d" % n for n in range(1000)]


def is_at_rest(daemon: Daemon) -> bool:
    """True if the daemon has next to nothing to do for a fifth of a second."""
    before = busy_time(daemon)
    time.sleep(0.2)
    return busy_time(daemon) - before < 0.01


def busy_time(daemon: Daemon) -> float:
    """Return for how long the threads of the daemon have worked, or waited for a processor, in seconds."""
    times = [path.read_text().split() for path in Path(f"/proc/{daemon.pid}/task").glob("*/schedstat")]
    return sum(int(worked) + int(waited) for worked, waited, _ in times) / 1e9


def blocks_taken(connection: socket.socket, block: bytes, limit: int) -> int:
    """Send until there is an answer, an error or ``limit`` bytes; return how many bytes were taken."""
    sent = 0
    while sent < limit and not select.select([connection], [], [], 0)[0]:
        if not select.select([connection], [connection], [], 2)[1]:
            break
        sent += connection.send(block)
    return sent


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: 1073741824"],
        [b"Content-Length: 1073741824", b"Expect: 100-continue"],
        [b"Content-Length: 1073741824", b"Authorization: Basic YTpi"],
        [CHUNKED],
    ],
    ids=["B126-unauth-1gb", "B060-expect", "wrong-password", "chunked"],
)
def test_an_upload_by_nobody_is_refused_by_its_head(daemon: Daemon, headers: list[bytes]) -> None:
    """The answer comes before more of the body was sent than lies in the buffers of two sockets."""
    form = b"Content-Type: multipart/form-data; boundary=b"
    block = b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if CHUNKED in headers else b"x" * 0x10000
    with connect(daemon, PATIENCE) as connection:
        connection.sendall(request(b"POST /legacy/ HTTP/1.1", form, *headers))
        # As a client would that sends what it has while the network takes time.
        time.sleep(0.02)
        sent = blocks_taken(connection, block, 1 << 30)
        received = read_all(connection)
    assert statuses(received) == [401]
    assert sent < TWO_BUFFERS


def test_b126_who_goes_on_sending_is_cut_off(daemon: Daemon) -> None:
    """A client that never looks at the answer fills the buffers of two sockets, and then has an error."""
    head = request(b"POST /legacy/ HTTP/1.1", b"Content-Length: 1073741824")
    block, sent = b"x" * 0x10000, 0
    # A connection that stays open takes nothing more, which is a TimeoutError.
    with connect(daemon, PATIENCE) as connection, pytest.raises(ConnectionError):
        connection.sendall(head)
        while sent < 1 << 30:
            sent += connection.send(block)
    assert sent < TWO_BUFFERS


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
def test_b157_client_abort(daemon: Daemon, percent: int) -> None:
    """An upload that ends in a reset leaves nothing."""
    headers, body = upload_form(*wheel("gone", "1.0", payload=b"x" * 300_000), "gone", "1.0")
    lines = [f"{name}: {value}".encode() for name, value in headers.items()]
    with connect(daemon) as connection:
        head = request(b"POST / HTTP/1.1", SIGN_IN, *lines, b"Content-Length: %d" % len(body))
        connection.sendall(head + body[: len(body) * percent // 100])
        time.sleep(0.1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ask(f"{daemon.simple}gone/").status == 404


def test_t26_slow_heads(daemon: Daemon) -> None:
    """Two hundred of them harm nobody else, and each is at its end after twenty seconds.

    They send a byte every now and then until they are answered, so that no limit on silence ends them.
    """
    head = itertools.chain(HEALTH, itertools.repeat(ord("x")))
    with ExitStack() as stack:
        slow = {stack.enter_context(connect(daemon, PATIENCE)) for _ in range(200)}
        begun = time.monotonic()
        while slow:
            assert time.monotonic() - begun < PATIENCE
            answered, _, _ = select.select(slow, [], [], 0.2)
            for connection in answered:
                assert statuses(read_all(connection)) == [408]
            assert not answered or time.monotonic() - begun > 18
            slow -= {*answered}
            byte = bytes([next(head)])
            for connection in slow:
                send_all(connection, byte)
            healthy(daemon)


def test_t26_slow_readers(daemon: Daemon) -> None:
    """Who asks for much and takes nothing holds no more of it in memory than a buffer."""
    large = get(f"/packages/large/{LARGE_NAME}".encode())
    with connect(daemon, 30) as connection:  # what a first download loads is no reader's
        connection.sendall(large.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        assert statuses(read_all(connection)) == [200]
    before = status_file(daemon.pid, "VmRSS")
    with ExitStack() as stack:
        readers = []
        for _ in range(SLOW_READERS):
            connection = stack.enter_context(socket.socket())
            connection.settimeout(30)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", daemon.port))
            connection.sendall(large * 4)
            readers.append(connection)
        for connection in readers:
            assert connection.recv(12) == b"HTTP/1.1 200"
        # Each has got all that it takes: the daemon has nothing to do any more but to wait for them.
        wait_until(lambda: is_at_rest(daemon), "the daemon waits for its readers", PATIENCE)
        healthy(daemon)

        def held() -> int:
            return status_file(daemon.pid, "VmRSS") - before

        # What passed through memory on the way goes back to the system in its own time.
        wait_until(lambda: held() < SLOW_READERS * A_BUFFER, "the readers' memory is small", 20)
        # It does wait for them: the files are still open.
        assert descriptors(daemon.pid) > 2 * SLOW_READERS


def test_i4_one_line_for_each_request(daemon: Daemon) -> None:
    """Good or bad, each that could be read as one is in the access log, once, after its client's address."""

    def lines() -> list[str]:
        line = re.compile(r'"127\.0\.0\.1" - (?:-|ci) \[[^]]*\] "([A-Z]+ /\S*probe\S*) HTTP/1\.1" \d{3} ')
        return line.findall(daemon.log_text())

    spoofed = (b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-Host: evil.example")
    for number, data in enumerate(
        [
            get(b"/+health?probe=%d"),
            get(b"/nowhere/probe/%d", *spoofed),
            request(b"HEAD /simple/?probe=%d HTTP/1.1"),
            get(b"/simple/%%00probe%d"),
            get(b"/probe%d", b"Host: y"),
            request(b"POST /legacy/?probe=%d HTTP/1.1", b"Content-Length: 99999999"),
            upload(CHUNKED, body=b"zz\r\n").replace(b"/legacy/", b"/legacy/?probe=%d"),
        ]
    ):
        with connect(daemon) as connection:
            connection.sendall(data.replace(b"%d", b"%d" % number).replace(b"%%", b"%"))
            assert statuses(connection.recv(65536)), data
        wait_until(lambda count=number + 1: len(lines()) == count, f"a line for {data!r}", 2)
    assert len(set(lines())) == 7
