"""Requests to an upstream over HTTP."""

from __future__ import annotations

import gzip
import random
import time
import tracemalloc
from base64 import b64encode
from typing import Any
from unittest.mock import ANY

from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.http import datetimeToString

from pypid import __version__
from pypid.errors import CannotStart, NotFound, UpstreamFailed, UpstreamTimedOut
from pypid.testing.fakes import Synchronous
from pypid.testing.steps import scratch
from pypid.testing.wires import Wires
from pypid.upstream.http.allowed_hosts import UrlPolicy
from pypid.upstream.http.client import Answer, UpstreamClient
from pypid.upstream.http.response_bodies import discard

INDEX = "https://index.example.org/simple/"
PAGE = INDEX + "foo/"
LIMIT = 1000


class OriginSteps:
    """An upstream at the end of a wire."""

    reach: dict[str, Any] = {}  # noqa: RUF012
    credentials: str | None = None
    missing: tuple[int, ...] = ()

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.clock = Clock()
        self.wires = Wires()
        path = None
        if self.credentials is not None:
            path = scratch(self) / "credentials"  # type: ignore[arg-type]
            path.write_text(self.credentials)
        reach = UrlPolicy(INDEX, **self.reach)
        self.origin = UpstreamClient(reach, self.clock, 30.0, path, None, self.wires, self.missing, "none")
        self.origin.open()

    def ask(self, url: str = PAGE, headers: dict[str, str] | None = None) -> Deferred[Answer]:
        """Begin to ask for a page."""
        return Deferred.fromCoroutine(self.origin.page(url, headers or {}, LIMIT))

    def stream(self, url: str = PAGE) -> Deferred[Any]:
        """Begin to ask for a file."""
        return Deferred.fromCoroutine(self.origin.stream(url, {}))

    def why(self, asking: Deferred[Any], kind: type[UpstreamFailed] = UpstreamFailed) -> str:
        """Return the reason why a question was in vain."""
        return str(self.failureResultOf(asking, kind).value)  # type: ignore[attr-defined]


class PageTests(OriginSteps, Synchronous):
    """Pages, and other small things."""

    def test_request(self) -> None:
        """It says who asks, and what it is told to; nothing else (T52)."""
        self.ask(headers={"Accept": "text/html", "If-None-Match": '"x"'})
        target, headers = self.wires.last.request()
        self.assertEqual(self.wires.last.url, "https://index.example.org:443")
        self.assertEqual(target, "/simple/foo/")
        self.assertEqual(
            headers,
            {
                "host": "index.example.org",
                "user-agent": f"pypid/{__version__}",
                "accept": "text/html",
                "accept-encoding": "gzip",
                "if-none-match": '"x"',
            },
        )

    def test_answers(self) -> None:
        """Some statuses are answers."""
        for status in (200, 304, 404, 410):
            asking = self.ask()
            self.wires.last.answer(status, b"" if status == 304 else b"page", ETag='"x"')
            answer = self.successResultOf(asking)
            self.assertEqual((answer.status, answer.url), (status, PAGE))
            self.assertEqual(answer.body, b"" if status == 304 else b"page")
            self.assertEqual(answer.headers.getRawHeaders("ETag"), ['"x"'])

    def test_connection_is_used_again(self) -> None:
        """One connection serves several questions."""
        for _ in range(3):
            asking = self.ask()
            self.wires.last.answer(200, b"page")
            self.successResultOf(asking)
        self.assertEqual(len(self.wires.made), 1)

    def test_b244_other_statuses(self) -> None:
        """The others are failures, which name the host and the status (B244)."""
        for status in (204, 206, 300, 400, 401, 403, 416, 451, 500, 502):
            asking = self.ask()
            self.wires.last.answer(status, b"secret")
            self.assertEqual(self.why(asking), f"index.example.org: it answers with status {status}")
            self.wires.last.lose()

    def test_gzip(self) -> None:
        """What is packed is unpacked; nothing in it is missing or added."""
        # Always the same bytes: what is damaged may by chance inflate to more than is taken.
        page = random.Random(1).randbytes(400) * 2
        packed = gzip.compress(page)
        for body, expected in (
            (packed, page),
            (packed[:-1], "its answer, which is gzip, ended early"),
            (packed[:5], "its answer, which is gzip, ended early"),
            (packed + b"x", "its answer, which is gzip, goes on after its end"),
            (packed + packed, "its answer, which is gzip, goes on after its end"),
            (page, "its answer is labelled as gzip and is not"),
            (packed[:50] + b"xxxx" + packed[54:], "its answer is labelled as gzip and is not"),
            (b"", b""),
        ):
            asking = self.ask()
            self.wires.last.answer(200, body, Content_Encoding="gzip")
            if isinstance(expected, bytes):
                self.assertEqual(self.successResultOf(asking).body, expected)
            else:
                self.assertEqual(self.why(asking), f"index.example.org: {expected}")
                self.wires.last.lose()

    def test_other_encodings(self) -> None:
        """An encoding that was not asked for is refused."""
        asking = self.ask()
        self.wires.last.answer(200, b"page", Content_Encoding="br")
        self.assertIn("an encoding that was not asked for", self.why(asking))

    def test_too_long(self) -> None:
        """Pages have bounds, also unpacked, and without a length; the rest is not read."""
        for body, headers in (
            (b"x" * (LIMIT + 1), {}),
            (gzip.compress(bytes(10_000_000)), {"Content_Encoding": "gzip"}),
        ):
            asking = self.ask()
            self.wires.last.answer(200, body, **headers)
            self.assertIn("longer than 1000 bytes", self.why(asking))
            self.assertTrue(not headers or self.wires.last.is_closed)
            self.wires.last.lose()
        asking = self.ask()
        self.wires.last.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LIMIT + 1))
        self.assertIn("longer than 1000 bytes", self.why(asking))
        self.assertTrue(self.wires.last.is_closed)

    def test_bombs(self) -> None:
        """What a few bytes would unpack to takes no memory."""
        bomb = gzip.compress(bytes(20_000_000))
        asking = self.ask()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.wires.last.answer(200, bomb, Content_Encoding="gzip")
        self.assertIn("longer than", self.why(asking))
        self.assertLess(tracemalloc.get_traced_memory()[1], 2_000_000)

    def test_just_short_enough(self) -> None:
        """The bound itself is within bounds."""
        asking = self.ask()
        self.wires.last.answer(200, gzip.compress(bytes(LIMIT)), Content_Encoding="gzip")
        self.assertEqual(self.successResultOf(asking).body, bytes(LIMIT))

    def test_b240_ends_early(self) -> None:
        """A page that ends early is no page, wherever it ends (B240)."""
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        for length in (0, 5, len(whole) - 5, len(whole) - 1):
            asking = self.ask()
            self.wires.last.send(whole[:length])
            self.wires.last.lose()
            self.assertEqual(self.why(asking), "index.example.org: it closed the connection")
            self.origin._breakers.clear()

    def test_no_http(self) -> None:
        """What is not HTTP is told as such."""
        asking = self.ask()
        self.wires.last.send(b"220 mail.example.org ESMTP\r\n\r\n")
        self.assertIn("its answer is not HTTP as it should be", self.why(asking))

    def test_b242_no_answer_in_time(self) -> None:
        """There is a time for all of it: to connect, to answer, to the end of the page (B242)."""

        def dripping() -> None:
            self.wires.last.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
            for _ in range(30):
                self.clock.advance(0.9)
                self.wires.last.send(b"x")

        for begin in (lambda: None, dripping):
            asking = self.ask()
            begin()
            self.assertNoResult(asking)
            self.clock.advance(30)
            self.assertEqual(
                self.why(asking, UpstreamTimedOut), "index.example.org: it did not answer in time"
            )
            self.assertTrue(self.wires.last.is_closed)
        self.wires.silent = True
        asking = self.ask()
        self.clock.advance(30)
        self.why(asking, UpstreamTimedOut)

    def test_cannot_connect(self) -> None:
        """Each way not to be connected has words of its own."""
        for failure, words in (
            (error.DNSLookupError("x"), "its name cannot be looked up"),
            (error.ConnectionRefusedError(), "it refuses connections"),
            (error.NoRouteError(), "it cannot be connected to"),
            (error.TimeoutError(), "it did not answer in time"),
            (
                TLSError([("SSL routines", "", "certificate verify failed")]),
                "TLS failed: certificate verify failed",
            ),
            (TLSError(), "TLS failed: it closed the connection"),
            (VerificationError([]), "its certificate is for another name"),
        ):
            self.wires.failure = failure
            self.assertEqual(self.why(self.ask()), f"index.example.org: {words}")
            self.origin._breakers.clear()

    def test_cancelled(self) -> None:
        """Who asks may go away."""
        asking = self.ask()
        asking.cancel()
        self.failureResultOf(asking)
        self.assertTrue(self.wires.last.is_closed)

    def test_close(self) -> None:
        """Closing it closes all connections, whether something is being asked or not."""
        first = self.ask()
        self.wires.last.answer(200, b"page")
        self.successResultOf(first)
        second, third = self.ask(), self.ask()
        self.wires.made[0].answer(200, b"page")
        self.successResultOf(second)
        self.origin.close()
        self.failureResultOf(third)
        self.assertEqual([wire.is_closed for wire in self.wires.made], [True, True])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StreamTests(OriginSteps, Synchronous):
    """Files."""

    def test_request(self) -> None:
        """Files are asked for as they are."""
        self.stream()
        _, headers = self.wires.last.request()
        self.assertEqual(headers["accept-encoding"], "identity")

    def test_body_takes_its_time(self) -> None:
        """Once there is an answer, the time is the receiver's concern."""
        asking = self.stream()
        self.wires.last.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        response = self.successResultOf(asking)
        self.clock.advance(1000)
        self.assertFalse(self.wires.last.is_closed)
        self.assertEqual((response.code, response.length), (200, 5))
        discard(response)
        self.assertTrue(self.wires.last.is_closed)

    def test_missing(self) -> None:
        """What is not there is not found; what is refused is a failure."""
        for status in (404, 410):
            asking = self.stream()
            self.wires.last.answer(status, b"gone")
            self.failureResultOf(asking, NotFound)
            self.wires.last.lose()
        for status in (304, 403, 416, 500):
            asking = self.stream()
            self.wires.last.answer(status)
            self.assertIn(str(status), self.why(asking))
            self.wires.last.lose()


class RefusalTests(OriginSteps, Synchronous):
    """What is not asked, or not read on."""

    def test_t56_refused(self) -> None:
        """What may not be asked for is not, be it a page or a file (T56)."""
        for url in ("file:///etc/passwd", "https://10.0.0.1/", "https://files.example.org:22/", "", "foo"):
            for asking in (self.ask(url), self.stream(url)):
                self.assertIn("it may not be asked: ", self.why(asking))
            self.assertFalse(self.origin.allows(url))
        self.assertEqual(self.wires.made, [])
        self.assertTrue(self.origin.allows("https://files.example.org/a b#c"))

    def test_not_read_on(self) -> None:
        """The body of an answer that is of no use is not waited for."""
        for status, ask in ((500, self.ask), (403, self.stream), (404, self.stream)):
            asking = ask()
            self.wires.last.send(b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status)
            self.failureResultOf(asking)
            self.assertTrue(self.wires.last.is_closed)
            self.wires.last.lose()


class RedirectTests(OriginSteps, Synchronous):
    """Redirects."""

    def redirected(self, location: str, status: int = 302) -> Deferred[Answer]:
        """Ask, and be sent elsewhere."""
        asking = self.ask()
        self.wires.last.answer(status, b"over there", Location=location)
        return asking

    def test_followed(self) -> None:
        """Redirects are followed, relative or not, and the answer says where it is from."""
        for location, url, target in (
            ("/simple/bar/", "https://index.example.org/simple/bar/", "/simple/bar/"),
            ("../bar/?x=1#y", "https://index.example.org/simple/bar/?x=1", "/simple/bar/?x=1"),
            ("https://files.example.org/a b", "https://files.example.org/a%20b", "/a%20b"),
        ):
            asking = self.redirected(location)
            asked, _ = self.wires.last.request()
            self.assertEqual(asked, target)
            self.wires.last.answer(200, b"page")
            self.assertEqual(self.successResultOf(asking).url, url)

    def test_b246_refused(self) -> None:
        """No connection is made to other schemes and ports, and private addresses (T56, B246)."""
        for location, reason in (
            ("file:///etc/passwd", "no plain URL"),
            ("ftp://files.example.org/", "no plain URL"),
            ("gopher://files.example.org/", "no plain URL"),
            ("https://user:secret@files.example.org/", "no plain URL"),
            ("https://169.254.169.254/latest", "private address"),
            ("https://[::ffff:10.0.0.1]/", "private address"),
            ("https://files.example.org:6379/", "port 6379"),
            ("http://files.example.org/", "without TLS"),
            ("http://index.example.org/simple/foo/", "without TLS"),
        ):
            made = len(self.wires.made)
            text = self.why(self.redirected(location))
            self.assertIn(
                f"index.example.org: it redirects to what may not be asked for: it is {reason}"[:60], text
            )
            self.assertIn(reason, text)
            self.assertNotIn("secret", text)
            self.assertLessEqual(len(self.wires.made), made + 1)
            self.assertEqual({wire.url for wire in self.wires.made}, {"https://index.example.org:443"})

    def test_b246_circles(self) -> None:
        """Redirects in circles, or more than five, are a failure (B246)."""
        asking = self.redirected("/simple/foo/")
        self.assertIn("in circles", self.why(asking))
        asking = self.ask()
        for number in range(6):
            self.wires.last.answer(302, Location=f"/simple/{number}/")
        self.assertIn("too often", self.why(asking))
        asking = self.ask()
        for number in range(5):
            self.wires.last.answer(302, Location=f"/simple/{number}/")
        self.wires.last.answer(200, b"page")
        self.successResultOf(asking)

    def test_no_location(self) -> None:
        """A redirect to nowhere is no answer."""
        asking = self.ask()
        self.wires.last.answer(302)
        self.assertIn("status 302", self.why(asking))


class CredentialsTests(OriginSteps, Synchronous):
    """Whom the credentials are sent to."""

    credentials = "ann:s3cret\n"
    header = "Basic " + b64encode(b"ann:s3cret").decode()

    def test_t52_own_origin(self) -> None:
        """The configured origin gets them, for pages and files, at whatever path (T52)."""
        for url in (PAGE, "https://index.example.org:443/files/foo", "HTTPS://INDEX.example.org/x"):
            self.ask(url)
            self.assertEqual(self.wires.last.request()[1]["authorization"], self.header)

    def test_t52_nobody_else(self) -> None:
        """No other host, port or scheme gets them (T52)."""
        for url in ("https://files.example.org/foo", "https://index.example.org:80/", "https://org/"):
            self.ask(url)
            self.assertNotIn("authorization", self.wires.last.request()[1])

    def test_t52_redirects(self) -> None:
        """They do not go along with a redirect to another host, and come back with one to their own (T52)."""
        self.ask()
        self.wires.last.answer(302, Location="https://files.example.org/foo")
        self.assertNotIn("authorization", self.wires.last.request()[1])
        self.wires.last.answer(302, Location="https://index.example.org/bar")
        # The connection of before is used again.
        self.assertEqual(self.wires.made[0].request(), ("/bar", ANY))
        self.assertEqual(self.wires.made[0].request()[1]["authorization"], self.header)

    def test_never_shown(self) -> None:
        """They are in no representation, and in no message."""
        asking = self.ask()
        self.wires.last.lose()
        for text in (repr(self.origin), self.why(asking)):
            self.assertNotIn("s3cret", text)
            self.assertNotIn(self.header.split()[1], text)


class BreakerTests(OriginSteps, Synchronous):
    """Hosts that do not answer."""

    def ask_in_vain(self, times: int) -> None:
        """Ask in vain."""
        self.wires.failure = error.ConnectionRefusedError()
        for _ in range(times):
            self.assertIn("refuses connections", self.why(self.ask()))

    def test_t60_left_alone(self) -> None:
        """After three failures a host is left alone for a while, then tried with one question (T60)."""
        self.ask_in_vain(3)
        self.assertIn("it failed again and again", self.why(self.ask()))
        self.clock.advance(2)
        self.wires.failure = None
        trial = self.ask()
        self.assertIn("it failed again and again", self.why(self.ask()))
        self.wires.last.answer(200, b"page")
        self.successResultOf(trial)
        self.ask()
        self.assertEqual(len(self.wires.made), 1)

    def test_other_hosts_are_not_concerned(self) -> None:
        """Each host is judged for itself."""
        self.ask_in_vain(3)
        self.wires.failure = None
        asking = self.ask("https://files.example.org/foo")
        self.wires.last.answer(200)
        self.successResultOf(asking)

    def test_answers_of_no_use_are_answers(self) -> None:
        """A host that answers, be it with nonsense, is not one that does not answer."""
        for status in (404, 403, 400, 403, 403):
            asking = self.ask()
            self.wires.last.answer(status)
            (self.successResultOf if status == 404 else self.why)(asking)
            self.wires.last.lose()
        self.ask_in_vain(2)
        self.wires.failure = None
        asking = self.stream()
        self.wires.last.answer(404)
        self.failureResultOf(asking, NotFound)
        self.wires.last.lose()
        self.ask_in_vain(2)

    def test_fault_a5_three_pages_that_fail(self) -> None:
        """Pages that fail close nothing, and a host that fails whatever it is asked is left alone."""
        for _ in range(3):
            for number in range(3):
                asking = self.ask(f"{INDEX}page-{number}/")
                self.wires.last.answer(500)
                self.assertIn("500", self.why(asking))
                self.wires.last.lose()
        asking = self.ask()
        self.wires.last.answer(200, b"page")
        self.successResultOf(asking)
        self.wires.last.lose()
        self.clock.advance(60)
        for number in range(3):
            asking = self.ask(f"{INDEX}page-{number}/")
            self.wires.last.answer(503)
            self.assertIn("503", self.why(asking))
            self.wires.last.lose()
        self.assertIn("it failed again and again", self.why(self.ask()))

    def test_b244_retry_after(self) -> None:
        """A host that wants to be left alone for some time is, within bounds (B244)."""
        date = datetimeToString(int(time.time()) + 45).decode()
        for value, shortest, longest in (("20", 20, 20), ("99999999999", 300, 300), (date, 40, 45)):
            self.origin._breakers.clear()
            for status in (429, 503):
                self.clock.advance(400)
                asking = self.ask()
                self.wires.last.answer(status, Retry_After=value)
                self.assertIn(str(status), self.why(asking))
                self.wires.last.lose()
                self.clock.advance(shortest - 1)
                self.assertIn("it failed again", self.why(self.ask()))
                self.clock.advance(longest - shortest + 1)
                asking = self.ask()
                self.assertNoResult(asking)
                asking.cancel()
                self.failureResultOf(asking)

    def test_b244_no_retry_after(self) -> None:
        """Without a wish, or with a strange one, it is a failure like any other."""
        for value in ("", "0", "-5", "soon", "Sun, 02 Feb 2020 02:02:02 GMT", "\u00b2"):
            self.origin._breakers.clear()
            asking = self.ask()
            self.wires.last.answer(503, Retry_After=value)
            self.why(asking)
            self.wires.last.lose()
            asking = self.ask()
            self.assertNoResult(asking)
            asking.cancel()
            self.failureResultOf(asking)


class MissingTests(OriginSteps, Synchronous):
    """An upstream that has other ways to say that something is not there."""

    missing = (403, 451)

    def test_fault_d1_pages(self) -> None:
        """They are as good as a 404, whatever is in their bodies; others are failures as before."""
        for status, told in ((403, 404), (451, 404), (404, 404), (410, 410)):
            asking = self.ask()
            self.wires.last.answer(status, b"<Error>AccessDenied</Error>")
            self.assertEqual(self.successResultOf(asking).status, told)
        for status in (401, 400, 500, 503):
            asking = self.ask()
            self.wires.last.answer(status)
            self.assertIn(f"answers with status {status}", self.why(asking))
            self.wires.last.lose()

    def test_fault_d1_files(self) -> None:
        """Files, too, are not found."""
        for status in self.missing:
            asking = self.stream()
            self.wires.last.answer(status)
            self.failureResultOf(asking, NotFound)
            self.wires.last.lose()


class StartTests(Synchronous):
    """What is wrong from the start."""

    def test_no_credentials(self) -> None:
        """Credentials that cannot be read stop the start."""
        origin = UpstreamClient(UrlPolicy(INDEX), Clock(), 30.0, scratch(self) / "nowhere")
        self.assertIn("No such file", str(self.assertRaises(CannotStart, origin.open)))
