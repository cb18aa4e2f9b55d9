"""Framing in raw bytes: data that are not HTTP/1.1 are refused at once, and no client waits for ever."""

from base64 import b64encode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pypid.model import Principal
from pypid.testing.builds import wheel
from pypid.testing.fakes import HeldWorkers
from pypid.testing.web import upload_form

HEALTH = b"GET /+health HTTP/1.1"
SMUGGLED = b"GET /__smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
PART = b'--b\r\nContent-Disposition: form-data; name="content"; filename="a-1.tar.gz"\r\n\r\n'
"""How the body of an upload may begin."""
CI = b"Authorization: Basic " + b64encode(b"ci:secret")


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """Write a request with a Host header."""
    return b"\r\n".join([line, b"Host: x", *headers, b"", body])


def upload(*headers: bytes, body: bytes = b"") -> bytes:
    """Write an upload by somebody who may."""
    form = b"Content-Type: multipart/form-data; boundary=b"
    return request(b"POST /legacy/ HTTP/1.1", CI, form, *headers, body=body)


def chunked(body: bytes) -> bytes:
    """Write an upload in chunks."""
    return upload(CHUNKED, body=body)


def length(value: bytes, body: bytes = b"x") -> bytes:
    """Write an upload with a Content-Length."""
    return upload(b"Content-Length: " + value, body=body)


def row(name: str, data: bytes, status: int = 400) -> object:
    """Name a request and the status it is refused with; what follows it must not be taken for another."""
    return pytest.param(data + SMUGGLED, status, id=name)


REFUSED = [
    row("B001-cl-te", upload(b"Content-Length: 4", CHUNKED, body=b"0\r\n\r\n")),
    row("B002-te-cl", upload(CHUNKED, b"Content-Length: 4", body=b"0\r\n\r\n")),
    row("B003-cl-twice-same", upload(b"Content-Length: 1", b"Content-Length: 1", body=b"x")),
    row("B004-cl-twice-diff", upload(b"Content-Length: 1", b"Content-Length: 0", body=b"x")),
    row("B005-cl-list", length(b"1, 1")),
    row("B006-cl-plus", length(b"+1")),
    row("B007-cl-minus", length(b"-1")),
    row("B008-cl-underscore", length(b"1_0")),
    row("B009-cl-hex", length(b"0x1")),
    row("B010-cl-empty", length(b"")),
    row("B010-cl-superscript", length(b"\xb2")),
    row("B011-cl-19-digits", length(b"9" * 19), 413),
    row("B012-cl-1e18", length(b"1" + b"0" * 18, b"x" * 10), 413),
    row("B012-cl-1e18-less-1", length(b"9" * 18, b"x" * 10), 413),
    row("B012-cl-1e18-get", request(HEALTH, b"Content-Length: 1" + b"0" * 18), 413),
    row("B013-cl-space-colon", upload(b"Content-Length : 1", body=b"x")),
    row("B015-te-x", upload(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    row("B016-te-list", upload(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")),
    row("B017-te-gzip", upload(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    row("B018-te-identity", upload(b"Transfer-Encoding: identity", b"Content-Length: 1", body=b"x")),
    row("B018-te-empty", upload(b"Transfer-Encoding:", b"Content-Length: 1", body=b"x")),
    row("B019-te-vtab", upload(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n")),
    row("B020-te-twice", upload(CHUNKED, CHUNKED, body=b"0\r\n\r\n")),
    row("B021-te-http10", request(b"GET /+health HTTP/1.0", CHUNKED, body=b"0\r\n\r\n")),
    row("B022-te-obsfold", upload(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n")),
    row("B022-te-obsfold-tab", upload(b"Transfer-Encoding:\r\n\tchunked", body=b"0\r\n\r\n")),
    row("B023-chunk-plus", chunked(b"+1\r\nx\r\n0\r\n\r\n")),
    row("B024-chunk-0x", chunked(b"0x1\r\nx\r\n0\r\n\r\n")),
    row("B025-chunk-underscore", chunked(b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n")),
    row("B026-chunk-negative", chunked(b"-1\r\nx\r\n0\r\n\r\n")),
    row("B026-chunk-empty", chunked(b"\r\nx\r\n0\r\n\r\n")),
    row("B026-chunk-blank", chunked(b"1 \r\nx\r\n0\r\n\r\n")),
    row("B028-chunk-no-crlf", chunked(b"1\r\nxXX0\r\n\r\n")),
    row("B029-chunk-ext-lf", chunked(b"1;a=\nb\r\nx\r\n0\r\n\r\n")),
    row("B033-bare-lf", request(HEALTH, b"X: a").replace(b"\r\n", b"\n")),
    row("B033-bare-lf-line", request(HEALTH, b"X: a").replace(b"\r\n", b"\n", 1)),
    row("B034-lf-in-value", request(HEALTH, b"X: a\n" + CHUNKED)),
    row("B035-cr-in-value", request(HEALTH, b"X: a\rY: b")),
    row("B036-nul-in-value", request(HEALTH, b"X: a\0b")),
    row("B038-obs-fold", request(HEALTH, b"X: a\r\n b")),
    row("B038-obs-fold-first", b"GET /+health HTTP/1.1\r\n Host: x\r\n\r\n"),
    row("B039-no-colon", request(HEALTH, b"XX")),
    row("B040-empty-name", request(HEALTH, b": a")),
    row("B040-strange-name", request(HEALTH, b"X(a): b")),
    row("B047-http09", b"GET /\r\n"),
    row("B048-http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    row("B049-http19", request(b"GET /+health HTTP/1.9")),
    row("B049-http-lower", request(b"GET /+health http/1.1")),
    row("B050-tls-hello", bytes.fromhex("160301020001 0001fc0303") + b"\x5a" * 64),
    row("B051-blank-lines", b"\r\n" * 50 + request(HEALTH)),
    row("B053-method-ctl", request(b"G\x01T /+health HTTP/1.1")),
    row("B053-line-of-two-blanks", request(b"GET  /+health HTTP/1.1")),
]
"""Each of them is refused and the connection closed, wherever the network cuts it up."""

LONG = [
    row("B011-cl-5000-digits", length(b"9" * 5000), 413),
    row("B030-chunk-ext-long", chunked(b"1;a=" + b"b" * 5000 + b"\r\nx\r\n0\r\n\r\n")),
    row("B031-chunk-trailers-1mb", chunked(b"0\r\n" + b"a: b\r\n" * 170_000 + b"\r\n")),
    row("B031-chunk-trailer-endless", chunked(b"0\r\na: " + b"b" * 1_000_000 + b"\r\n\r\n")),
    row("B041-headers-501", request(HEALTH, *[b"X-%d: a" % n for n in range(501)])),
    row("B042-header-17k", request(HEALTH, b"X: " + b"a" * 17_000), 431),
    row("B042-headers-17k", request(HEALTH, *[b"X: " + b"a" * 8_500] * 2)),
    row("B043-uri-17k", request(b"GET /%s HTTP/1.1" % (b"a" * 17_000)), 414),
    row("B043-uri-endless", b"GET /" + b"a" * 1_000_000, 414),
]


@pytest.mark.parametrize(("data", "status"), [*REFUSED, *LONG])
def test_refused(site, data, status):
    """One answer that says why and echoes nothing, and then the end."""
    (answer,), connection = site.exchange(data)
    assert (answer.status, answer.headers["Connection"]) == (status, "close")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.body) < 100
    assert not connection.transport.connected


@pytest.mark.parametrize(("data", "status"), REFUSED)
def test_refused_alike_wherever_it_is_cut(site, data, status):
    """A split at every offset changes nothing of the answer."""
    (expected,), _ = site.exchange(data)
    for at in range(1, len(data)):
        (answer,), connection = site.exchange(data[:at], data[at:])
        assert (answer.status, answer.body) == (expected.status, expected.body), data[:at]
        assert not connection.transport.connected


@pytest.mark.parametrize(("data", "status"), [*REFUSED, *LONG])
def test_refused_in_small_pieces(site, data, status):
    """However many they are."""
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    (answer,), connection = site.exchange(*pieces)
    assert answer.status == status
    assert not connection.transport.connected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request(HEALTH).replace(b"\r\n", b"\n"), id="B033-bare-lf"),
        pytest.param(request(HEALTH, b"X: a\nY: b")[:-4], id="B033-bare-lf-late"),
        pytest.param(bytes.fromhex("16030102000100 01fc0303") + b"\x5a" * 64, id="B050-tls-hello"),
    ],
)
def test_refused_though_no_line_ends(site, data):
    """There is nothing to wait for, and clients that were told the wrong scheme would."""
    for pieces in [[data], [data[at : at + 1] for at in range(len(data))]]:
        (answer,), connection = site.exchange(*pieces)
        assert answer.status == 400
        assert not connection.transport.connected


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        pytest.param(
            request(HEALTH, b"Content-Length: 5", body=b"12345") + request(HEALTH),
            [200, 200],
            id="B014-cl-on-get",
        ),
        pytest.param(
            request(HEALTH, CHUNKED, body=b"5;a=b\r\n12345\r\n0\r\nX: a\r\n\r\n") + request(HEALTH),
            [200, 200],
            id="B014-te-on-get",
        ),
        pytest.param(b"\r\n" + request(HEALTH) + b"\r\n" + request(HEALTH), [200, 200], id="B051-blank-line"),
        pytest.param(request(b"GET /+health HTTP/1.0") + SMUGGLED, [200], id="http10"),
        pytest.param(b"GET /+health HTTP/1.0\r\n\r\n", [200], id="http10-without-host"),
        pytest.param(request(HEALTH, b"Connection: close") + SMUGGLED, [200], id="close"),
        pytest.param(
            request(b"GET /nowhere/x/y HTTP/1.1") + request(HEALTH), [404, 200], id="kept-alive-after-404"
        ),
        pytest.param(request(b"OPTIONS * HTTP/1.1"), [200], id="B056-options-star"),
        pytest.param(
            request(b"POST /legacy/ HTTP/1.1", CI, b"Content-Length: 0") + request(HEALTH),
            [400, 200],
            id="kept-alive-after-a-bad-form",
        ),
    ],
)
def test_in_sync_wherever_it_is_cut(site, data, statuses):
    """Bodies end where they end, and the next request is the next request."""
    expected, _ = site.exchange(data)
    assert [answer.status for answer in expected] == statuses
    for at in range(1, len(data)):
        answers, connection = site.exchange(data[:at], data[at:])
        assert [(a.status, a.body) for a in answers] == [(a.status, a.body) for a in expected], data[:at]
        connection.transport.loseConnection()


@pytest.mark.slow
def test_an_upload_in_chunks_wherever_it_is_cut(make_site):
    """It is published, whole, and the request after it is answered."""
    filename, content = wheel("acme", "1.0")
    headers, form = upload_form(filename, content, "acme", "1.0")
    type_line = f"Content-Type: {headers['Content-Type']}".encode()
    body = b"%x\r\n%s\r\n3;x=y\r\n%s\r\n0\r\n\r\n" % (len(form) - 3, form[:-3], form[-3:])
    data = request(b"POST /legacy/ HTTP/1.1", CI, type_line, CHUNKED, body=body) + request(HEALTH)
    for at in [*range(300), *range(300, len(data), 7)]:
        site = make_site()
        answers, _ = site.exchange(data[:at], data[at:])
        assert [answer.status for answer in answers] == [200, 200]
        assert site.get(f"/packages/acme/{filename}").body == content


def test_t25_b066_a_thousand_pipelined_requests_are_answered_in_order(site):
    targets = [b"/p%d" % number for number in range(1000)]
    answers, _ = site.exchange(b"".join(request(b"GET %s HTTP/1.1" % target) for target in targets))
    assert [a.headers["Location"] for a in answers] == [f"simple{t.decode()}/" for t in targets]


class HeldAuthenticator:
    """Takes its time with everybody."""

    def __init__(self):
        self.waiting = []

    def is_usable(self):
        """Say yes."""
        return True

    async def revision(self):
        """Have nobody remembered."""
        return object()

    async def authenticate(self, credentials):
        """Wait to be told whether somebody is known."""
        self.waiting.append(Deferred())
        return Principal(credentials.username) if await self.waiting[-1] else None


@pytest.fixture
def held():
    """Return an authenticator that waits."""
    return HeldAuthenticator()


@pytest.fixture
def held_site(make_site, held):
    """Return a site where it takes time to know who somebody is."""
    return make_site(authenticators=[held])


def test_t25_the_answers_wait_for_the_first(held_site, held):
    """Whoever asks in one go gets the answers in that order, though the first takes long."""
    first = request(b"GET /simple/p0/ HTTP/1.1", CI)
    others = [request(b"GET /simple/p%d/ HTTP/1.1" % number) for number in range(1, 50)]
    answers, connection = held_site.exchange(first + b"".join(others))
    assert answers == []
    held.waiting[0].callback(True)
    assert [a.text for a in held_site.read(connection)] == [
        f"there is no project p{number}\n" for number in range(50)
    ]


def test_a_malformed_body_has_one_answer_while_its_sender_is_not_known_yet(held_site, held):
    """What is found out about the sender later is said to nobody."""
    for known in [True, False]:
        (answer,), connection = held_site.exchange(chunked(b"1\r\nxXX"))
        held.waiting.pop().callback(known)
        assert [a.status for a in held_site.read(connection)] == [answer.status] == [400]


def test_a_client_that_is_gone_is_not_told_that_it_is_unknown(held_site, held):
    for known in [True, False]:
        connection = held_site.connect()
        connection.send(length(b"100", b"x"))
        connection.transport.loseConnection()
        held.waiting.pop().callback(known)
        assert connection.received() == b""


def test_a_body_that_nobody_asked_for_is_refused_once_in_whatever_chunks(site):
    """Also when more chunks are at hand than are looked at."""
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    for line, headers in [(HEALTH, []), (b"POST /elsewhere/ HTTP/1.1", [CI])]:
        (answer,), connection = site.exchange(request(line, *headers, CHUNKED, body=chunk * 6 + b"z"))
        assert answer.status == 413
        assert not connection.transport.connected


def test_an_upload_in_chunks_has_a_limit(site):
    """It is told as soon as it is passed."""
    chunk = b"80000\r\n" + b"x" * 0x80000 + b"\r\n"
    (answer,), connection = site.exchange(chunked(b"%x\r\n%s\r\n" % (len(PART), PART) + chunk * 4))
    assert answer.status == 413
    assert not connection.transport.connected


def test_b060_100_continue_is_for_http11(site):
    """A client of HTTP/1.0 would take it for the answer (RFC 9110, section 10.1.1)."""
    for version, statuses in [(b"1.1", [100, 200]), (b"1.0", [200])]:
        head = request(b"GET /+health HTTP/" + version, b"Expect: 100-Continue", b"Content-Length: 1")
        answers, _ = site.exchange(head, b"x")
        assert [answer.status for answer in answers] == statuses


def test_a_download_that_is_broken_off_is_no_whole_answer(site):
    """Nothing behind it is answered, and nothing goes on to be read."""
    filename, content = wheel("big", "1.0", payload=b"x" * 1_000_000)
    headers, body = upload_form(filename, content, "big", "1.0")
    lines = [f"{name}: {value}".encode() for name, value in headers.items()]
    site.exchange(request(b"POST / HTTP/1.1", CI, *lines, b"Content-Length: %d" % len(body), body=body))
    site.access_log.truncate(site.access_log.seek(0))
    connection = site.connect()
    write = connection.transport.write

    def write_and_be_full(data):
        write(data)
        connection.channel.pauseProducing()

    connection.transport.write = write_and_be_full
    target = f"GET /packages/big/{filename} HTTP/1.1".encode()
    connection.send(request(target) + request(b"GET /__smuggled HTTP/1.1"))
    assert 0 < len(connection.received()) < len(content)
    connection.transport.producer.stopProducing()  # as a socket does when it is closed
    connection.transport.loseConnection()
    [line] = site.access_log.getvalue().splitlines()
    sent = int(line.split('HTTP/1.1" 200 ')[1].split()[0])
    assert sent < len(content), "the log has what was sent of it, and nothing behind it"


def test_b061_half_a_request_and_the_end(site):
    """A client may leave at any time."""
    data = upload(b"Content-Length: 10", body=b"12345")
    for at in range(len(data)):
        connection = site.connect()
        connection.send(data[:at])
        connection.transport.loseConnection()
        assert connection.received() == b""
        assert site.storage.staged == 0


def test_b062_a_slow_head_has_twenty_seconds(site):
    """However it trickles."""
    connection = site.connect()
    for byte in request(HEALTH):
        connection.send(bytes([byte]))
        site.reactor.advance(5)
        if connection.received():
            break
    (answer,) = site.read(connection)
    assert answer.status == 408
    assert connection.transport.connected
    site.reactor.advance(2)
    assert not connection.transport.connected


def test_b062_the_deadline_is_each_requests_own(site):
    """A connection that is kept alive has as much time for the next head."""
    connection = site.connect()
    for _ in range(3):
        connection.send(request(HEALTH)[:20])
        site.reactor.advance(15)
        connection.send(request(HEALTH)[20:])
        site.reactor.advance(15)
    assert [answer.status for answer in site.read(connection)] == [200, 200, 200]


def test_b062_a_silent_client_is_sent_away(site):
    """At first after a minute."""
    for data in [b"", b"\r\n"]:
        connection = site.connect()
        connection.send(data)
        site.reactor.advance(61)
        assert not connection.transport.connected


@pytest.mark.parametrize("seconds", [None, 5, 600])
@pytest.mark.parametrize("line", [HEALTH, b"GET /simple/acme-lib/ HTTP/1.1"])
def test_fault_e3_a_connection_outlasts_the_proxys_patience(make_site, seconds, line):
    """Between requests it is kept for longer than nginx and others keep theirs, or as it is said."""
    site = make_site(**({} if seconds is None else {"keep_alive": seconds}))
    connection = site.connect()
    for _ in range(3):
        # The last one is answered ahead of the routes.
        connection.send(request(line))
        site.reactor.advance((seconds or 120) - 1)
        assert connection.transport.connected
    assert [answer.status for answer in site.read(connection)] == [200, 200, 200]
    site.reactor.advance(2)
    assert not connection.transport.connected


def test_fault_e3_nothing_else_has_more_time(make_site):
    """Neither a head, nor a body that has stopped, nor what was begun and never became a request."""
    site = make_site(keep_alive=600)
    for begun, seconds in [(request(HEALTH)[:-2], 21), (length(b"1000000", PART), 91), (b"\r\n", 61)]:
        connection = site.connect()
        connection.send(request(HEALTH))
        site.reactor.advance(100)
        connection.send(begun)
        site.reactor.pump([1] * seconds)
        assert not connection.transport.connected


@pytest.mark.parametrize("interval", [1, 1000], ids=["B063-slow-body", "B064-short-body"])
def test_a_slow_body(site, interval):
    """After a grace of half a minute it must come at a kilobyte per second, or what came is forgotten."""
    connection = site.connect()
    connection.send(length(b"1000000", PART))
    for second in range(32):
        site.reactor.advance(1)
        if second % interval == 0:
            connection.send(b"x")
    (answer,) = site.read(connection)
    assert (answer.status, site.storage.staged) == (408, 0)
    site.reactor.advance(2)
    assert not connection.transport.connected


def test_b063_a_body_that_keeps_its_pace_may_take_long(site):
    connection = site.connect()
    connection.send(length(b"1000000", PART))
    for _ in range(300):
        connection.send(b"x" * 1100)
        site.reactor.advance(1)
    assert connection.transport.connected
    assert connection.received() == b""
    connection.transport.loseConnection()


def test_b064_a_body_that_ends_in_a_reset(make_site):
    """Nothing is left of it, whatever the worker is at."""
    workers = HeldWorkers()
    site = make_site(workers=workers)
    for work in [workers.work, workers.work_all, int]:
        connection = site.connect()
        connection.send(length(b"1000", PART + b"abc"))
        assert site.storage.staged == 1
        work()
        connection.transport.abortConnection()
        workers.work_all()
        assert site.storage.staged == 0


def test_every_timer_ends_with_its_connection(site):
    """Whatever it was at."""
    ending = request(b"GET /+health HTTP/1.0") + b"abc"
    whole = [request(HEALTH), length(b"10", b"12345"), chunked(b"1\r\nxXX"), b"\r\n", ending]
    before = len(site.reactor.getDelayedCalls())
    for data in [*whole, *[data[:30] for data in whole], *[data[:-60] for data in whole]]:
        connection = site.connect()
        connection.send(data)
        connection.transport.loseConnection()
        assert len(site.reactor.getDelayedCalls()) == before


def test_one_line_in_the_access_log_for_each_request(site):
    for data in [
        request(HEALTH),
        request(b"GET /nowhere/x HTTP/1.1"),
        request(HEALTH, b"Host: y"),
        chunked(b"1\r\nxXX"),
        length(b"9" * 18),
    ]:
        site.access_log.truncate(site.access_log.seek(0))
        site.exchange(data)
        assert site.access_log.getvalue().count("\n") == 1, data


PIECES = st.sampled_from(
    [
        request(HEALTH),
        request(b"POST /legacy/ HTTP/1.1", CI),
        b"GET / HTTP/1.1\r\n",
        b"POST /simple/ HTTP/1.1\r\n",
        b"HEAD /simple/acme-lib/ HTTP/1.0\r\n",
        b"Host: x\r\n",
        CI + b"\r\n",
        b"Content-Type: multipart/form-data; boundary=b\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 100000\r\n",
        CHUNKED + b"\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"Range: bytes=0-\r\n",
        b"Cookie: a\r\n",
        b"\r\n",
        b"\n",
        b" ",
        b"5\r\n12345\r\n",
        b"0\r\n\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b'Content-Disposition: form-data; name="a"\r\n\r\n',
        b"x" * 70_000,
    ]
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(PIECES | st.binary(max_size=40), max_size=12),
    together=st.booleans(),
    late=st.floats(0, 90),
)
def test_nothing_that_anybody_sends_is_a_failure(site, pieces, together, late):
    """Whatever the bytes, all that comes back is whole answers, none of them a 500."""
    connection = site.connect()
    for data in [b"".join(pieces)] if together else pieces:
        connection.send(data)
    site.reactor.advance(late)
    received = connection.received()
    connection.transport.loseConnection()
    assert b"HTTP/1.1 5" not in received.replace(b"HTTP/1.1 501", b"")
    site.check()
