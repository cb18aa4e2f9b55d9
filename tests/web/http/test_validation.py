"""Request heads in raw bytes: well-framed requests that an index should refuse all the same."""

import json
import re
import time
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.web.http_headers import Headers

from pypid.web.http.validation import Head, check

HEALTH = b"GET /+health HTTP/1.1"
HOST = b"Host: index.example.org"
CI = b"Authorization: Basic " + b64encode(b"ci:secret")
EVIL = b"evil.example"


def head(line: bytes, *headers: bytes) -> bytes:
    """Write a request without a body."""
    return b"\r\n".join([line, *headers, b"", b""])


def row(name: str, data: bytes, status: int = 400) -> object:
    """Name a request and the status it is refused with."""
    return pytest.param(data, status, id=name)


REFUSED = [
    row("B037-ctl-in-value", head(HEALTH, HOST, b"X: \x7f\x01")),
    row("B037-del-in-value", head(HEALTH, HOST, b"X: \x7f")),
    *[
        row(f"T22-not-utf8-{name.decode()}", head(HEALTH, HOST, name + b": \xff"))
        for name in (b"Accept", b"Range", b"If-Range", b"If-None-Match", b"If-Modified-Since", b"User-Agent")
    ],
    row("B044-no-host", head(HEALTH)),
    row("B044-empty-host", head(HEALTH, b"Host:")),
    row("B045-two-hosts", head(HEALTH, b"Host: a", b"Host: b")),
    row("B045-two-hosts-http10", head(b"GET /+health HTTP/1.0", b"Host: a", b"Host: b")),
    row("B045-same-host-twice", head(HEALTH, HOST, HOST)),
    row("B046-host-at", head(HEALTH, b"Host: a@evil.example")),
    row("B046-host-space", head(HEALTH, b"Host: a evil.example")),
    row("B046-host-path", head(HEALTH, b"Host: evil.example/x")),
    row("B046-host-list", head(HEALTH, b"Host: evil.example, a")),
    row("B046-host-port", head(HEALTH, b"Host: evil.example:99999")),
    row("B046-host-port-word", head(HEALTH, b"Host: evil.example:http")),
    row("B046-host-port-empty", head(HEALTH, b"Host: evil.example:")),
    row("B046-host-html", head(HEALTH, b"Host: <evil.example>")),
    row("B046-host-utf8", head(HEALTH, b"Host: evil.example\xc3\xa9")),
    row("B046-host-brackets", head(HEALTH, b"Host: [evil.example]")),
    row("B046-host-long", head(HEALTH, b"Host: " + b"evil.example." * 30)),
    row("B052-method-lower", head(b"get /+health HTTP/1.1", HOST), 501),
    row("B052-method-unknown", head(b"BREW /+health HTTP/1.1", HOST), 501),
    row("B055-trace", head(b"TRACE / HTTP/1.1", HOST), 405),
    row("B055-connect", head(b"CONNECT a:1 HTTP/1.1", HOST), 405),
    row("B057-absolute-form", head(b"GET http://evil.example/simple/x/ HTTP/1.1", HOST)),
    row("B057-authority-form", head(b"GET evil.example:80 HTTP/1.1", HOST)),
    row("B058-target-no-slash", head(b"GET simple HTTP/1.1", HOST)),
    row("B058-target-star", head(b"GET * HTTP/1.1", HOST)),
    row("B058-target-fragment-only", head(b"GET #x HTTP/1.1", HOST)),
    row("B059-expect-foo", head(HEALTH, HOST, b"Expect: foo"), 417),
    row("B059-expect-both", head(HEALTH, HOST, b"Expect: 100-continue", b"Expect: foo"), 417),
    row("B059-expect-list", head(HEALTH, HOST, b"Expect: 100-continue, foo"), 417),
    row("B117-auth-twice", head(HEALTH, HOST, CI, b"Authorization: Basic YTpi")),
    row("B117-auth-twice-reverse", head(HEALTH, HOST, b"Authorization: Basic YTpi", CI)),
    row("B117-auth-twice-same", head(HEALTH, HOST, CI, CI)),
    row("range-twice", head(HEALTH, HOST, b"Range: bytes=0-1", b"Range: bytes=2-3")),
    row("content-type-twice", head(HEALTH, HOST, b"Content-Type: a/b", b"Content-Type: c/d")),
]

TARGETS = [
    pytest.param(target, status, id=name)
    for name, target, status in [
        ("B068-dotdot", b"/packages/../../etc/passwd", 400),
        ("B068-dotdot-end", b"/simple/acme-lib/..", 400),
        ("B068-dot", b"/simple/./acme-lib/", 400),
        ("B069-dotdot-enc", b"/packages/%2e%2e/%2e%2e/x", 400),
        ("B069-dotdot-half-enc", b"/packages/.%2E/x", 400),
        ("B069-dot-enc", b"/simple/%2e/", 400),
        ("B070-slash-enc", b"/packages/..%2f..%2fetc%2fpasswd", 400),
        ("B070-slash-enc-alone", b"/simple/acme-lib%2F", 400),
        ("B071-double-enc", b"/packages/%252e%252e%252fx", 404),
        ("B071-double-enc-name", b"/simple/acme%252dlib/", 404),
        ("B072-backslash-enc", b"/packages/..%5c..%5cx", 400),
        ("B072-backslash", b"/packages/..\\..\\x", 400),
        ("B074-double-slash", b"//evil.example/%2e%2e", 404),
        ("B074-double-slash-name", b"//evil.example/", 404),
        ("B074-triple-slash", b"///evil.example/", 404),
        ("B075-nul-enc", b"/simple/a%00b/", 400),
        ("B075-newline-enc", b"/simple/a%0a/", 400),
        ("B075-del-enc", b"/simple/a%7f/", 400),
        ("B075-c1-enc", b"/simple/a%c2%85/", 400),
        ("B077-bad-utf8", b"/simple/%ff/", 400),
        ("B077-overlong-dot", b"/simple/%c0%ae/", 400),
        ("B077-surrogate", b"/simple/%ed%a0%80/", 400),
        ("B077-cut-short", b"/simple/%c3/", 400),
        ("B077-half-an-escape", b"/simple/%4", 400),
        ("B077-no-escape", b"/simple/%zz/", 400),
        ("B078-raw-utf8", b"/simple/\xc3\xa9/", 400),
        ("B078-raw-latin1", b"/simple/\xa9/", 400),
        ("B078-enc-utf8", b"/simple/%c3%a9/", 404),
        ("B078-kelvin-sign", b"/simple/%e2%84%aa/", 404),
        ("B078-line-separator", b"/simple/a%e2%80%a8b/", 404),
        ("B079-overlong", b"/simple/%c0%af%c0%ae/", 400),
        ("B082-semicolon", b"/simple/a;b/", 404),
        ("B082-semicolon-enc", b"/simple/a%3bb/", 404),
        ("B085-long-segment", b"/simple/" + b"a" * 8192 + b"/", 404),
        ("B085-long-segment-that-almost-matches", b"/simple/" + b"a-" * 4096 + b"!/", 404),
        ("B085-long-filename", b"/packages/acme-lib/" + b"a-" * 4096 + b"!", 404),
        ("B085-many-segments", b"/a" * 4096, 404),
        ("B085-many-escapes", b"/simple/" + b"%41" * 2700 + b"/", 404),
        ("B089-redirect-crlf", b"/simple/Foo%0d%0aSet-Cookie:x=1", 400),
        ("B089-redirect-crlf-bare", b"/Foo%0d%0aSet-Cookie:x=1/", 400),
        ("B090-redirect-evil", b"/simple/%2f%2fevil.example", 400),
        ("B090-redirect-evil-name", b"/%2f%2fevil.example", 400),
        ("B090-redirect-backslash", b"/%5cevil.example", 400),
        ("B093-dir-listing", b"/packages/p/", 404),
        ("B093-dir-listing-of-a-project", b"/packages/acme-lib/", 404),
        ("B093-hidden-files", b"/simple/acme-lib/.pypid", 404),
        ("B093-dot-directory", b"/.pypid/catalog.sqlite", 404),
        ("B093-users", b"/htpasswd/x", 404),
    ]
]


@pytest.mark.parametrize(("data", "status"), REFUSED)
def test_refused(site, data, status):
    """One answer that says why and echoes nothing, and then the end."""
    (answer,), connection = site.exchange(data + head(b"GET /__smuggled HTTP/1.1", HOST))
    assert (answer.status, answer.headers["Connection"]) == (status, "close")
    assert_safe(answer)
    assert not connection.transport.connected


@pytest.mark.parametrize(("data", "status"), REFUSED)
def test_refused_alike_wherever_it_is_cut(site, data, status):
    (expected,), _ = site.exchange(data)
    for at in range(1, len(data)):
        (answer,), _ = site.exchange(data[:at], data[at:])
        assert (answer.status, answer.body) == (expected.status, expected.body), data[:at]


@pytest.mark.parametrize("signed_in", [(), (CI,)], ids=["stranger", "user"])
@pytest.mark.parametrize(("target", "status"), TARGETS)
def test_target(site, target, status, signed_in):
    """Refused or not found, soon, alike for GET and HEAD, and with nowhere to go from there."""
    begun = time.thread_time()
    (answer,), connection = site.exchange(head(b"GET %s HTTP/1.1" % target, HOST, *signed_in))
    assert time.thread_time() - begun < 0.5
    assert answer.status == status
    assert "Location" not in answer.headers
    assert_safe(answer)
    connection.transport.loseConnection()
    connection = site.connect()
    connection.send(head(b"HEAD %s HTTP/1.1" % target, HOST, *signed_in))
    if b"not a well-formed" not in answer.body:  # for then it is not known to be a HEAD
        (headers,) = connection.answers("HEAD")
        assert (headers.status, headers.body) == (status, b"")
        assert headers.headers["Content-Length"] == answer.headers["Content-Length"]


def assert_safe(answer):
    """Check that an error is short, plain, and says nothing after the client."""
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.body) <= 500
    assert EVIL not in answer.body
    assert not any("evil" in value or "Set-Cookie" in name for name, value in answer.headers.items())


def test_b046_b057_a_strangers_host_is_never_echoed(site):
    """Not where it is well-formed either."""
    for target in [
        "/",
        "/simple/",
        "/simple",
        "/simple/acme-lib/",
        "/simple/Acme_Lib/",
        "/acme-lib",
        "/nowhere/x",
    ]:
        (answer,), _ = site.exchange(head(f"GET {target} HTTP/1.1".encode(), b"Host: evil.example:81"))
        assert answer.status in (200, 301, 303, 404)
        assert EVIL not in answer.body
        assert not any("evil" in value for value in answer.headers.values())


@pytest.mark.parametrize(
    "host", [b"a", b"A.example:65535", b"my_index", b"127.0.0.1:8080", b"[::1]", b"[::ffff:127.0.0.1]:80"]
)
def test_hosts_that_are_fine(site, host):
    (answer,), _ = site.exchange(head(HEALTH, b"Host: " + host))
    assert answer.status == 200


def test_b056_options_star(site):
    """There is a way to ask whether anybody is there."""
    (answer,), _ = site.exchange(head(b"OPTIONS * HTTP/1.1", HOST))
    assert (answer.status, answer.body, answer.headers["Allow"]) == (200, b"", "GET, HEAD, POST")


def test_b074_doubled_slashes_never_lead_to_another_host(site):
    """Where they lead at all it is up and down again."""
    for target in [
        "/simple//evil.example/",
        "/simple//",
        "/simple/x//",
        "/a///evil.example//?//evil.example",
    ]:
        (answer,), _ = site.exchange(head(f"GET {target} HTTP/1.1".encode(), HOST))
        assert answer.status == 301
        assert answer.headers["Location"].startswith("../")
        assert "//" not in answer.headers["Location"].partition("?")[0]
        (answer,), _ = site.exchange(head(f"POST {target} HTTP/1.1".encode(), HOST, b"Content-Length: 0"))
        assert answer.status == 404


def test_b085_nothing_is_kept_of_pages_that_are_not_there(site):
    """A flood of long names does not fill the memory."""
    pages = site.get("/simple/acme-lib/").headers["ETag"]
    for number in range(100):
        assert site.get(f"/simple/{'a' * 90}{number}/").status == 404
    assert site.get("/simple/acme-lib/").headers["ETag"] == pages


def test_b089_a_query_stays_encoded_where_it_is_passed_on(site):
    (answer,), _ = site.exchange(head(b"GET /simple?x=%0d%0aSet-Cookie:x=1&y=\\ HTTP/1.1", HOST))
    assert (answer.status, answer.headers["Location"]) == (301, "simple/?x=%0d%0aSet-Cookie:x=1&y=\\")
    assert "Set-Cookie" not in answer.headers


def test_b093_there_is_no_listing_of_directories(site):
    """The list of all files is made of what is published, and a project's directory is not listed."""
    (answer,), _ = site.exchange(head(b"GET /packages/ HTTP/1.1", HOST))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    (answer,), _ = site.exchange(head(b"GET /packages/acme/ HTTP/1.1", HOST))
    assert answer.status == 404


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        pytest.param("Range", "bytes=" + "0-," * 5000, 200, id="B098-range-5000"),
        pytest.param("Range", "bytes=" + "0-," * 1000, 200, id="B099-range-1000"),
        pytest.param("Range", "bytes=", 200, id="B100-range-empty"),
        pytest.param("Range", "bytes=-", 200, id="B100-range-dash"),
        pytest.param("Range", "bytes", 200, id="B100-range-unit"),
        pytest.param("Range", "bytes=0-" + "9" * 5000, 200, id="B101-range-5000-digits"),
        pytest.param("Range", "bytes=" + "9" * 5000 + "-", 200, id="B101-range-5000-digits-start"),
        pytest.param("Range", "bytes=+0-+3", 200, id="B102-range-plus"),
        pytest.param("Range", "bytes=0_0-3", 200, id="B102-range-underscore"),
        pytest.param("Range", "bytes= 0-3", 200, id="B102-range-space"),
        pytest.param("Range", "bytes=0 -3", 200, id="B102-range-inner-space"),
        pytest.param("Range", "bytes=\xc2\xb2-3", 200, id="B102-range-superscript"),
        pytest.param("Range", "bytes=3-1", 200, id="B102-range-backwards"),
        pytest.param("Range", "bytes=999999999-", 416, id="B103-range-past-end"),
        pytest.param("Range", "bytes=-0", 416, id="B104-range-suffix-0"),
        pytest.param("If-Modified-Since", "garbage", 200, id="B109-ims-garbage"),
        pytest.param("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT", 304, id="B109-ims-9999"),
        pytest.param("If-Modified-Since", "Fri, 31 Dec 99999 23:59:59 GMT", 200, id="B109-ims-99999"),
        pytest.param("If-Modified-Since", "Thu, 01 Jan -001 00:00:00 GMT", 200, id="B109-ims-negative"),
        pytest.param("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 200, id="B109-ims-1970"),
        pytest.param("If-None-Match", '"' * 5000, 200, id="B109-inm-quotes"),
        pytest.param("If-None-Match", 'W/"' * 3000, 200, id="B109-inm-open"),
        pytest.param("If-Range", '"' * 5000, 200, id="B109-if-range"),
        pytest.param("Accept", "text/html;q=" + "9" * 5000, 200, id="accept-digits"),
        pytest.param("Cookie", "a" * 10_000, 200, id="cookie"),
        pytest.param("Cookie", ";=;" * 3000, 200, id="cookie-pieces"),
    ],
)
def test_conditions_and_ranges(site, name, value, status):
    """Never more than the file is sent, whatever is asked for."""
    line = f"{name}: {value}".encode("latin-1")
    (answer,), _ = site.exchange(head(f"GET {site.path} HTTP/1.1".encode(), HOST, line))
    assert answer.status == status
    size = len(site.content)
    if status == 200:
        assert answer.body == site.content
    elif status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{size}"
    else:
        assert answer.body == b""


FORWARDING = [
    b"X-Forwarded-For: 6.6.6.6",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: evil.example",
    b"X-Forwarded-Prefix: /evil",
    b"X-Forwarded-Port: 666",
    b"Forwarded: for=6.6.6.6;host=evil.example;proto=https",
    b"X-Real-IP: 6.6.6.6",
    b"X-Original-URL: /simple/evil/",
    b"X-Rewrite-URL: /simple/evil/",
    b"X-HTTP-Method-Override: DELETE",
]


@pytest.mark.parametrize("target", ["/", "/simple/", "/simple/acme-lib/", "/simple/Acme_Lib/", "/acme-lib"])
def test_b121_xff_spoof(site, target):
    """Whatever a stranger says of hosts and addresses, links and log are the same."""
    line = f"GET {target} HTTP/1.1".encode()
    answers, lines = [], []
    for headers in [(), FORWARDING]:
        site.access_log.truncate(site.access_log.seek(0))
        (answer,), _ = site.exchange(head(line, HOST, *headers), patience=0)
        answer.headers.pop("Date"), answer.headers.pop("X-Request-Id")
        answers.append(answer)
        lines.append(re.sub(r" [0-9.]+ [0-9a-f-]+ \S+$", "", site.access_log.getvalue()))
    assert answers[0] == answers[1]
    assert lines[0] == lines[1]
    assert lines[0].startswith('"127.0.0.1" ')


def test_i4_what_clients_say_of_themselves_is_escaped_in_the_log(site):
    """Nobody writes lines of their own, or steers a terminal."""
    agent, referrer = b'User-Agent: a" 200 \xc3\xa9', b"Referer: \\x22\xc2\x85\xe2\x80\xae"
    for headers in [(agent, referrer), (agent, b"X: \x01")]:
        site.exchange(head(b'GET /simple/%0a%22"x HTTP/1.1', HOST, *headers))
    lines = site.access_log.getvalue()
    assert lines.count("\n") == 2
    assert lines.isascii()
    assert lines.replace("\n", "").isprintable()


def test_a_page_is_as_it_was_after_all_of_them(site):
    """The pages, too, are what they were."""
    before = json.loads(site.get("/simple/acme-lib/", Accept="application/vnd.pypi.simple.v1+json").body)
    for each in [*REFUSED, *TARGETS]:
        data = each.values[0] if each in REFUSED else head(b"GET %s HTTP/1.1" % each.values[0], HOST)
        site.exchange(data)
    after = json.loads(site.get("/simple/acme-lib/", Accept="application/vnd.pypi.simple.v1+json").body)
    assert before == after
    assert datetime.fromisoformat(after["files"][0]["upload-time"]).tzinfo == UTC


@given(
    method=st.sampled_from([b"GET", b"POST", b"OPTIONS", b"get"]) | st.binary(min_size=1, max_size=8),
    target=st.sampled_from([b"/", b"*", b"/simple/a%2f"]) | st.binary(max_size=40).map(b"/".__add__),
    host=st.none() | st.binary(max_size=20),
)
def test_whatever_passes_is_a_path_of_plain_names(method, target, host):
    """What is behind the gate never sees what could lead out of a directory, or into a header."""
    headers = Headers({} if host is None else {b"Host": [host.translate(None, b"\r\n")]})
    refusal = check(Head(method, target, b"HTTP/1.1", headers))
    if refusal is None:
        assert target.isascii()
        assert target.decode().isprintable()
        assert b" " not in target
        assert host
        assert not any(part in (b".", b"..") for part in target.partition(b"?")[0].split(b"/"))
        assert not target.startswith(b"//")
    else:
        assert refusal.status in (200, 301, 400, 404, 405, 417, 501)
