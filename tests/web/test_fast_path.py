"""Answers of the fast path are those of the routes, byte for byte."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Sequence
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, globalLogPublisher

from pypid.access.open import PrivateAccess
from pypid.auth.memory import MemoryAuthenticator
from pypid.catalog.sqlite import SqliteCatalog
from pypid.errors import StorageUnavailable
from pypid.model import Action, Credentials, Principal, Role
from pypid.storage.change_detector import SETTLED_NS, ChangeDetector
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import wheel
from pypid.testing.inline import InlineStorage
from pypid.testing.policies import ReadersAccess
from pypid.testing.web import MemorySite, basic, upload_form
from pypid.upstream.redirect import RedirectUpstream
from pypid.web.fast_path import MAX_REMEMBERED, FastPath, FastPathChannel
from pypid.web.http.channel import IndexChannel
from pypid.web.http.forwarded import TrustedProxies

JSON = "application/vnd.pypi.simple.v1+json"
HOST = "Host: index.example.org"
PAGE = "GET /simple/acme-lib/ HTTP/1.1"
CI = f"Authorization: {basic('ci', 'secret')['Authorization']}"
WRONG = f"Authorization: {basic('ci', 'wrong')['Authorization']}"


class CountingPages(FastPath):
    """Counts what was answered."""

    answered = 0

    def answer(self, segment: bytes, channel: IndexChannel) -> bool:
        """Answer, and count it."""
        done = super().answer(segment, channel)
        CountingPages.answered += done
        return done


@define
class FastSite(MemorySite):
    """A site that tells what was answered ahead of its routes."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        fast_path = self.site.fast_path
        self.site.served.fast_path = CountingPages(
            fast_path._index, fast_path._authorization, fast_path._pages, fast_path._kept_files
        )
        self.site.logFile = StringIO()

    def publish(self, name: str, version: str = "1.0") -> None:
        """Upload a wheel."""
        filename, content = wheel(name, version, requires_python=">=3.8")
        headers, body = upload_form(filename, content, name, version)
        assert self.request("POST", "/legacy/", headers | basic("ci", "secret"), body).status == 200

    def send(self, data: bytes, channel: type[IndexChannel] = FastPathChannel) -> tuple[bytes, str]:
        """Send some bytes on a new connection; return what came back and what was logged, without times."""
        self.site.protocol = channel  # type: ignore[assignment]
        self.site.logFile = StringIO()
        connection = self.connect()
        connection.send(data)
        answer = without_time(connection.received())
        log = self.site.logFile.getvalue()
        return answer, re.sub(r'" [0-9.]+ [0-9a-f]+-[0-9a-f]+ (hit|miss|-)$', '"', log, flags=re.MULTILINE)

    def same(self, data: bytes) -> int:
        """Check that the same is answered either way, and return how often it was ahead of the routes."""
        before = CountingPages.answered
        expected = self.send(data, IndexChannel)
        assert CountingPages.answered == before
        for _ in range(3):
            assert self.send(data) == expected, data
        return CountingPages.answered - before


def without_time(received: bytes) -> bytes:
    """Return what came back without the two values that no other answer has: time, and id of the request."""
    received = re.sub(rb"Date: [^\r]+", b"Date:", received)
    return re.sub(rb"X-Request-Id: [0-9a-f]+-[0-9a-f]+\r", b"X-Request-Id:\r", received)


def request(line: str, *headers: str) -> bytes:
    """Write a request without a body."""
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1")


@pytest.fixture
def site() -> FastSite:
    site = FastSite(upstreams=[RedirectUpstream("https://upstream.example.org/simple/")])
    site.publish("acme-lib")
    site.publish("acme-lib", "2.0")
    site.publish("zebra")
    return site


def test_fault_a7_a_new_project_makes_no_other_page_cold(tmp_path: Path) -> None:
    """Pages in memory go on to be served from there while projects are made, changed and removed."""
    now = time.time_ns
    site = FastSite(storage=InlineStorage(DirectoryStorage(tmp_path, detector=ChangeDetector(lambda: now()))))
    for name in ("acme-lib", "zebra"):
        site.publish(name)
    last = max(path.stat().st_ctime_ns for path in (tmp_path / "simple").iterdir())
    now = lambda: last + SETTLED_NS  # noqa: E731 - what is done from now on has not settled
    pages = [request(f"GET /simple/{name}/ HTTP/1.1", HOST) for name in ("acme-lib", "zebra")]
    for page in pages:
        site.same(page)
    for number in range(5):
        site.publish(f"new-{number}")
        (tmp_path / "simple" / f"Made-{number}").mkdir()
        before = CountingPages.answered
        for page in pages:
            assert b" 200 OK" in site.send(page)[0]
        assert CountingPages.answered == before + len(pages)


@pytest.mark.parametrize("accept", [None, "text/html", JSON, "*/*", f"{JSON}, text/html;q=0.01"])
@pytest.mark.parametrize("encoding", [None, "gzip", "gzip, deflate", "identity", "gzip;q=0"])
def test_a_page_is_answered_at_once_the_second_time(
    site: FastSite, accept: str | None, encoding: str | None
) -> None:
    """The first time it is rendered, and the headers are learned; from then on nothing is left to do."""
    headers = [HOST]
    headers += [f"Accept: {accept}"] if accept is not None else []
    headers += [f"Accept-Encoding: {encoding}"] if encoding is not None else []
    for method, path in product(("GET", "HEAD"), ("/simple/", "/simple/acme-lib/", "/simple/zebra/")):
        assert site.same(request(f"{method} {path} HTTP/1.1", *headers)) >= 2


def test_a_client_known_from_one_page_is_known_on_all(site: FastSite) -> None:
    for path in ("/simple/", "/simple/acme-lib/"):
        site.send(request(f"GET {path} HTTP/1.1", HOST, "User-Agent: pip/26.3"))
        site.send(request(f"GET {path} HTTP/1.1", HOST, "User-Agent: uv/0.13"))
    assert site.same(request("GET /simple/ HTTP/1.1", HOST, "User-Agent: uv/0.13")) == 3


def test_c100_c101_revalidation(site: FastSite) -> None:
    """Whatever the tags, the answer is the route's; a client whose tags differ is known all the same."""
    answer = site.get("/simple/acme-lib/", Accept=JSON)
    etag = answer.headers["ETag"]
    site.send(request(PAGE, HOST, f"Accept: {JSON}"))
    for tags in (etag, f'"a",{etag}', f'"a", {etag}', f"W/{etag}", "*", '"other"', "nonsense", '""'):
        data = request(PAGE, HOST, f"If-None-Match: {tags}", f"Accept: {JSON}")
        assert site.same(data) == 3
        status = 200 if tags in ('"other"', "nonsense", '""') else 304
        assert site.send(data)[0].startswith(b"HTTP/1.1 %d " % status)
    for odd in (f"If-None-Match:{etag}", f"If-None-Match:  {etag}", "If-None-Match:"):
        site.same(request(PAGE, HOST, odd, f"Accept: {JSON}"))
    twice = (f"If-None-Match: {etag}", 'If-None-Match: "x"')
    for tags in (twice, twice[::-1], (f"If-None-Match:{etag}", 'If-None-Match: "x"')):
        assert site.same(request(PAGE, HOST, *tags, f"Accept: {JSON}")) == 0


def test_fault_a9_h_the_client_of_a_proxy(site: FastSite) -> None:
    """It is in the access log as the route has it, and each one is answered at once."""
    site.site.served.proxies = TrustedProxies.of(["127.0.0.1"])
    site.send(request(PAGE, HOST, "X-Forwarded-For: 192.0.2.1"))
    for number in range(2, 5):
        data = request(PAGE, f"X-Forwarded-For: 198.51.100.9, 192.0.2.{number}", HOST)
        assert site.same(data) == 3
        assert site.send(data)[1].startswith(f'"192.0.2.{number}" ')
    site.send(request(PAGE, HOST, "Forwarded: for=192.0.2.1"))
    for number in range(2, 5):
        data = request(PAGE, f'Forwarded: for="[2001:db8::1]", for=192.0.2.{number};proto=http', HOST)
        assert site.same(data) == 3
        assert site.send(data)[1].startswith(f'"192.0.2.{number}" ')
    both = request(PAGE, "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.2", HOST)
    assert site.same(both) == 0
    assert site.send(both)[0].startswith(b"HTTP/1.1 400 ")
    for odd in ("X-Forwarded-For:192.0.2.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2"):
        site.same(request(PAGE, HOST, odd))


@pytest.mark.parametrize("private", [False, True])
def test_h_credentials(private: bool) -> None:
    """C117: nobody is let in who would not be, and none is remembered."""
    site = FastSite(policy=PrivateAccess()) if private else FastSite()
    site.publish("acme-lib")
    assert bool(site.same(request(PAGE, HOST))) is not private
    assert site.same(request(PAGE, HOST, CI))
    assert site.same(request(PAGE, CI.lower().replace("basic y2", "Basic Y2"), HOST)) == 0
    for refused in (WRONG, "Authorization: Basic !", "Authorization: Bearer x", f"{CI}\r\n{CI}"):
        assert site.same(request(PAGE, HOST, refused)) == 0
        assert site.send(request(PAGE, HOST, refused))[0].startswith(b"HTTP/1.1 40")
    blocks = site.site.fast_path._blocks
    assert "Basic" not in repr(blocks)
    assert all(not block.headers.hasHeader("Authorization") for block in blocks._blocks.values())


@pytest.mark.parametrize(
    "line",
    [
        "GET /simple/acme-lib/ HTTP/1.0",
        "GET /simple/acme-lib/ HTTP/1.2",
        "GET  /simple/acme-lib/ HTTP/1.1",
        "GET /simple/acme-lib/?a=b HTTP/1.1",
        f"GET /simple/acme-lib/?format={JSON} HTTP/1.1",
        "GET /simple/acme-lib HTTP/1.1",
        "GET /simple HTTP/1.1",
        "GET /simple/Acme_Lib/ HTTP/1.1",
        "GET /simple/acme--lib/ HTTP/1.1",
        "GET /simple/acme%2Dlib/ HTTP/1.1",
        "GET /simple//acme-lib/ HTTP/1.1",
        "GET /simple/../simple/ HTTP/1.1",
        "GET /simple/nowhere/ HTTP/1.1",
        "GET /+simple/acme-lib/ HTTP/1.1",
        "GET /legacy/+simple/acme-lib/ HTTP/1.1",
        "GET /packages/ HTTP/1.1",
        "GET /+health HTTP/1.1",
        "GET http://index.example.org/simple/ HTTP/1.1",
        "POST /simple/acme-lib/ HTTP/1.1",
        "OPTIONS /simple/ HTTP/1.1",
        "TRACE /simple/ HTTP/1.1",
        "get /simple/ HTTP/1.1",
        "BREW /simple/ HTTP/1.1",
    ],
)
def test_other_requests_go_the_usual_way(site: FastSite, line: str) -> None:
    site.send(request(PAGE, HOST))
    site.send(request("GET /simple/ HTTP/1.1", HOST))
    assert site.same(request(line, HOST)) == 0


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        [HOST, HOST],
        ["Host: a b"],
        [HOST, "Connection: close"],
        [HOST, "Connection: Keep-Alive, Close"],
        [HOST, "Accept: application/json"],
        [HOST, "Content-Length: 3"],
        [HOST, "Content-Length: x"],
        [HOST, "Transfer-Encoding: chunked"],
        [HOST, "Transfer-Encoding: gzip"],
        [HOST, "Expect: something"],
        [HOST, "X: \x01"],
        [HOST, "X: \xff"],
        [HOST, "X : 1"],
        [HOST, "X"],
        [HOST, " folded"],
        [HOST, f"X: {'x' * 5000}"],
        [HOST, f"X: {'x' * 20000}"],
        [HOST, *["X: y"] * 80],
        [HOST, *["X: y"] * 600],
        [HOST, CI, " folded"],
        [HOST, "", HOST],
    ],
)
def test_other_headers_go_the_usual_way(site: FastSite, headers: Sequence[str]) -> None:
    site.send(request(PAGE, HOST))
    assert site.same(request(PAGE, *headers)) == 0


lines = st.sampled_from(
    [
        f"{method} {path} HTTP/{version}"
        for method in ("GET", "HEAD")
        for path in ("/simple/", "/simple/acme-lib/", "/simple/zebra/", "/simple/nowhere/")
        for version in ("1.1", "1.1", "1.1", "1.0")
    ]
)
names = st.sampled_from(
    (
        *("Accept", "Accept-Encoding", "Authorization", "If-None-Match", "if-none-match", "AUTHORIZATION"),
        *("Connection", "Host", "Expect", "Content-Length", "Transfer-Encoding", "Range", "Cookie"),
    )
)
values = st.sampled_from(
    (
        *("", "*", "text/html", JSON, f"{JSON};q=0", "gzip", "gzip;q=0.5, identity", "close", "keep-alive"),
        *("0", "index.example.org", "100-continue", "chunked", CI[15:], WRONG[15:], '"x"', "W/*", "\t"),
    )
)
spaces = st.sampled_from(["", " ", " ", " ", "  ", "\t"])
fields = st.builds(lambda *parts: "".join(parts), names, st.just(":"), spaces, values, spaces)
SITE = FastSite()
SITE.publish("acme-lib")
SITE.publish("zebra")


@settings(deadline=None)
@given(lines, st.lists(fields, max_size=5), st.sampled_from(["", "\r\n", "GET / HTTP/1.1\r\n"]))
def test_whatever_is_sent_the_answer_is_the_routes(line: str, headers: list[str], more: str) -> None:
    """Differential: odd and ordinary headers in any mixture, and something behind them."""
    SITE.reactor.advance(300)  # after which wrong passwords are forgotten
    SITE.same(request(line, HOST, *headers) + more.encode())


def test_all_that_is_shown_is_looked_at_each_time(site: FastSite) -> None:
    """C73, C99: what was published since is there, though the page was known."""
    assert site.same(request(PAGE, HOST))
    site.publish("acme-lib", "3.0")
    assert b"acme_lib-3.0" in site.send(request(PAGE, HOST))[0]
    assert site.same(request(PAGE, HOST)) == 3
    index = request("GET /simple/ HTTP/1.1", HOST)
    assert site.same(index)
    site.publish("new-one")
    assert b"new-one" in site.send(index)[0]


def test_p11_a_project_need_not_be_in_memory(site: FastSite) -> None:
    """Its page is, and the catalog knows of all projects whether they are as they were."""
    assert site.same(request(PAGE, HOST))
    assert isinstance(site.catalog, SqliteCatalog)
    site.catalog._state.cache.clear()
    before = CountingPages.answered
    assert site.send(request(PAGE, HOST))[0].startswith(b"HTTP/1.1 200 ")
    assert CountingPages.answered == before + 1
    assert "acme-lib" not in site.catalog._state.cache


@define
class FickleAccess:
    """Changes its mind about who may read."""

    summary: str = "as the mood takes it"
    is_open: bool = True

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        """Permit it or not."""
        return self.is_open or principal is not None

    def visibility_key(self, principal: Principal | None) -> None:
        """Show everything to those who may see anything."""


def test_access_is_checked_each_time() -> None:
    """C108: a page that was public a moment ago is not given to strangers, nor to shared caches."""
    policy = FickleAccess()
    site = FastSite(policy=policy)  # type: ignore[arg-type]
    site.publish("acme-lib")
    assert site.same(request(PAGE, HOST)) and site.same(request(PAGE, HOST, CI))
    policy.is_open = False
    assert site.same(request(PAGE, HOST)) == 0
    assert site.send(request(PAGE, HOST))[0].startswith(b"HTTP/1.1 401 ")
    assert site.same(request(PAGE, HOST, CI)) == 3
    assert b"Cache-Control: private, no-cache" in site.send(request(PAGE, HOST, CI))[0]


def test_t80_each_reader_is_answered_with_their_own_list() -> None:
    """At once, but for the first time; and as the rules are now."""
    users = {"ann": ("acme-*",), "bob": ("zebra",), "ci": ("*",)}
    policy = ReadersAccess(("pub-*",), users)
    site = FastSite(policy=policy, authenticators=[MemoryAuthenticator(dict.fromkeys(users, "secret"))])
    for name in ("acme-lib", "pub-lib", "zebra"):
        site.publish(name)
    readers = [[], *([f"Authorization: {basic(user, 'secret')['Authorization']}"] for user in users)]
    lists = [request("GET /simple/ HTTP/1.1", HOST, *reader) for reader in readers]
    assert [site.same(one) for one in lists] == [2, 3, 3, 3]
    seen = [re.findall(rb'href="([a-z-]*)/"', site.send(one)[0]) for one in lists]
    assert seen == [
        [b"pub-lib"],
        [b"acme-lib", b"pub-lib"],
        [b"pub-lib", b"zebra"],
        [b"acme-lib", b"pub-lib", b"zebra"],
    ]
    policy.change(bob=["acme-lib"])
    assert site.send(lists[0])[0].startswith(b"HTTP/1.1 401 ")
    assert site.send(lists[1])[0].startswith(b"HTTP/1.1 403 ")
    assert re.findall(rb'href="([a-z-]*)/"', site.send(lists[2])[0]) == [b"acme-lib"]


@define(eq=False)
class SlowAuthenticator:
    """Knows everybody, sooner or later."""

    waiting: list[Deferred[None]] = field(factory=list)
    slow: bool = False

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def revision(self) -> None:
        """Be asked each time."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Know somebody."""
        if self.slow:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        return Principal(credentials.username)


def test_who_has_to_wait_goes_the_usual_way() -> None:
    """An authenticator that does not know at once is waited for, and no loose end is left."""
    authenticator = SlowAuthenticator()
    site = FastSite(authenticators=[authenticator])
    site.publish("acme-lib")
    assert site.same(request(PAGE, HOST, CI))
    authenticator.slow = True
    connection = site.connect()
    connection.send(request(PAGE, HOST, CI))
    assert connection.received() == b""
    for one in authenticator.waiting:
        one.callback(None)
    (answer,) = connection.answers("GET")
    assert (answer.status, len(authenticator.waiting)) == (200, 2)
    connection.send(request(PAGE, HOST, CI))
    complaints: list[LogEvent] = []
    globalLogPublisher.addObserver(complaints.append)
    for one in authenticator.waiting[2:]:
        one.errback(StorageUnavailable("too busy"))
    gc.collect()
    globalLogPublisher.removeObserver(complaints.append)
    (answer,) = connection.answers("GET")
    assert answer.status == 503
    assert not [event for event in complaints if "log_failure" in event]


def bodies(data: bytes) -> list[bytes]:
    """Take answers apart, all of which must be 200."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        found.append(data[:length])
        data = data[length:]
    return found


def test_c179_on_one_connection(site: FastSite) -> None:
    """One after the other, together, in pieces, or behind an upload: each is answered once, in order."""
    one, other = request(PAGE, HOST), request("GET /simple/ HTTP/1.1", HOST)
    connection = site.connect()

    def exchange(*pieces: bytes) -> list[bytes]:
        connection.transport.clear()
        for piece in pieces:
            connection.send(piece)
        return bodies(connection.received())

    page, index = exchange(one, other)
    assert exchange(one, other, one, other) == [page, index, page, index]
    assert exchange(one + other + one) == [page, index, page]
    assert exchange(one[:20], one[20:], other) == [page, index]
    assert exchange(one + other[:30], other[30:], one) == [page, index, page]
    filename, content = wheel("acme-lib", "5.0")
    headers, body = upload_form(filename, content, "acme-lib", "5.0")
    lines = [HOST, CI, f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    upload = request("POST /legacy/ HTTP/1.1", *lines)
    said, page = exchange(upload + body, one)
    assert said.startswith(b"published") and b"acme_lib-5.0" in page


def test_an_idle_connection_is_closed_after_the_usual_time(site: FastSite) -> None:
    """A page that was answered at once counts as something that was done."""
    site.send(request(PAGE, HOST))
    connection = site.connect()
    for _ in range(3):
        site.reactor.advance(40)
        connection.send(request(PAGE, HOST))
        assert connection.answers("GET")[0].status == 200
    site.reactor.advance(119)
    assert connection.transport.connected
    site.reactor.advance(2)
    assert not connection.transport.connected


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /simple/ HTTP/1.1\r\nHost: x\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x",
        b"GET /simple/?a=",
        b" \r\n",
        request("GET /simple/ HTTP/1.1", HOST, "Connection: close"),
        request("GET /simple/ HTTP/1.1", HOST, "Transfer-Encoding: chunked"),
    ],
)
def test_what_was_begun_goes_on(site: FastSite, begun: bytes) -> None:
    """What looks like a request is none behind the half of another one, or where no more is taken."""
    one = request(PAGE, HOST)
    site.send(one)
    received = []
    for channel in (IndexChannel, FastPathChannel):
        site.site.protocol = channel  # type: ignore[assignment]
        connection = site.connect()
        connection.send(begun)
        connection.send(one)
        received.append(without_time(connection.received()))
    assert received[0] == received[1]


def test_a_body_is_no_request(site: FastSite) -> None:
    """What looks like a request inside a body is a part of the body."""
    one = request(PAGE, HOST)
    site.send(one)
    connection = site.connect()
    connection.send(request("GET /simple/ HTTP/1.1", HOST, f"Content-Length: {len(one)}"))
    connection.send(one)
    assert len(connection.answers("GET")) == 1


@pytest.mark.slow
def test_only_so_many_are_remembered(site: FastSite) -> None:
    for number in range(MAX_REMEMBERED + 5):
        site.send(request(PAGE, HOST, f"User-Agent: {number}"))
    assert len(site.site.fast_path._blocks._blocks) == MAX_REMEMBERED
    assert site.same(request(PAGE, HOST, f"User-Agent: {MAX_REMEMBERED + 4}")) == 3
