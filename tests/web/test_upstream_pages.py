"""Upstream projects over real HTTP bytes in memory: pages, files and failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer

from pypid.access.open import PrivateAccess
from pypid.errors import NameWithheld, NotFound, PypidError, UpstreamFailed, UpstreamTimedOut, Withheld
from pypid.formats.simple_api import MediaType
from pypid.interfaces import IContent
from pypid.model import File, Project, Redirect
from pypid.names import ArchiveKind
from pypid.testing.builds import core_metadata, wheel
from pypid.testing.fakes import InlineWorkers
from pypid.testing.steps import now
from pypid.testing.web import MemorySite, basic, upload_form
from pypid.upstream.memory import MemoryUpstream
from pypid.web.routes import page_cache
from pypid.web.routes.kept_files import SECONDS

JSON = "application/vnd.pypi.simple.v1+json"
SINCE = datetime(2026, 11, 20, 12, tzinfo=UTC)
FILENAME, CONTENT = wheel("far-lib", "1.0", payload=bytes(range(256)) * 40)
METADATA = core_metadata("far-lib", "1.0")
WHEEL = File(
    filename=FILENAME,
    version="1.0",
    kind=ArchiveKind.WHEEL,
    size=len(CONTENT),
    hashes={"sha256": sha256(CONTENT).hexdigest()},
    modified_ns=None,
    upload_time=SINCE,
    core_metadata=sha256(METADATA).hexdigest(),
    url=f"https://files.example.org/secret-path/{FILENAME}",
)
FAR = Project("far-lib", "Far.Lib", (WHEEL,))
PATH = f"/packages/far-lib/{FILENAME}"


class PartialContent:
    """Fails after some of the bytes."""

    def __init__(self, content: IContent, sent: int, error: BaseException) -> None:
        self._content, self._sent, self._error = content, sent, error
        self.length, self.modified_ns = content.length, content.modified_ns
        self.closed = 0

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        if self._sent:
            await self._content.send_to(consumer, start, min(start + self._sent, stop))
        raise self._error

    def close(self) -> None:
        self.closed += 1


@define
class Upstream(MemoryUpstream):
    """Remembers what it was asked, and fails as it is told."""

    asked: list[tuple[str, bool]] = field(factory=list)
    sent: int = 0
    error: BaseException | None = None
    opened: list[Any] = field(factory=list)
    elsewhere: str | None = None
    raised: PypidError | None = None
    waiting: Deferred[None] | None = None

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:
        self.asked.append((name, refresh))
        if self.waiting is not None:
            await self.waiting
        if self.raised is not None:
            raise self.raised
        return await MemoryUpstream.project(self, name, refresh=refresh)

    async def content(self, project: str, file: File) -> Any:
        if self.elsewhere is not None:
            return Redirect(self.elsewhere)
        content = await MemoryUpstream.content(self, project, file)
        assert not isinstance(content, Redirect)
        if self.error is not None:
            self.opened.append(PartialContent(content, self.sent, self.error))
            return self.opened[-1]
        return content


@frozen
class Far:
    """A site, and its upstream."""

    site: MemorySite
    upstream: Upstream

    def offer(self, *files: File, **more: Any) -> None:
        self.upstream.offered = [Project("far-lib", "Far.Lib", files, **more)]


def make(**options: Any) -> Far:
    upstream = Upstream([FAR], {FILENAME: CONTENT}, metadatas={FILENAME: METADATA})
    return Far(MemorySite(upstreams=[upstream], **options), upstream)


@pytest.fixture
def far() -> Far:
    return make()


@pytest.mark.parametrize("path", ["/simple/far-lib/", "/+simple/far-lib/", "/legacy/+simple/far-lib/"])
def test_the_page_of_a_project_upstream_is_one_of_ours(far: Far, path: str) -> None:
    """Its links lead here, and it tells nothing of where its files are."""
    answer = far.site.get(path, Accept=JSON)
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    page = json.loads(answer.body)
    (file,) = page["files"]
    assert file["url"].endswith(f"/../packages/far-lib/{FILENAME}")
    assert file["core-metadata"] == {"sha256": WHEEL.core_metadata}
    assert page["meta"] == {"api-version": "1.4"}
    assert "X-Pypi-Last-Serial" not in answer.headers
    assert "X-Pypid-Stale" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-cache"
    again = far.site.get(path, Accept=JSON, If_None_Match=answer.headers["ETag"])
    assert again.status == 304
    html = far.site.get(path)
    assert html.headers["Content-Type"] == "text/html; charset=utf-8"
    for text in (html.text, answer.text):
        assert "secret-path" not in text


def test_c4_other_spellings_are_redirected_and_not_asked_for(far: Far) -> None:
    assert far.site.get("/simple/Far.Lib/").status == 301
    assert far.upstream.asked == []


def test_t60_a_stale_page_says_so(far: Far) -> None:
    """Also when the client has it already; its tag is that of the fresh one."""
    fresh = far.site.get("/simple/far-lib/")
    far.offer(WHEEL, stale_since=SINCE)
    stale = far.site.get("/simple/far-lib/")
    assert stale.headers["X-Pypid-Stale"] == "Fri, 20 Nov 2026 12:00:00 GMT"
    assert (stale.body, stale.headers["ETag"]) == (fresh.body, fresh.headers["ETag"])
    again = far.site.get("/simple/far-lib/", If_None_Match=stale.headers["ETag"])
    assert (again.status, again.headers["X-Pypid-Stale"]) == (304, "Fri, 20 Nov 2026 12:00:00 GMT")


@pytest.mark.parametrize(
    ("headers", "refresh"),
    [
        ({}, False),
        ({"Cache-Control": "max-age=0"}, False),
        ({"Cache-Control": "no-cache"}, True),
        ({"Cache-Control": "max-age=0, No-Cache"}, True),
        ({"Pragma": "no-cache"}, True),
        ({"Cache-Control": "no-store"}, False),
        ({"Cache-Control": 'private="no-cache"'}, False),
    ],
)
@pytest.mark.parametrize("path", ["/simple/far-lib/", "/pypi/far-lib/json"])
def test_c106_a_client_may_demand_that_the_upstream_is_asked(
    far: Far, path: str, headers: dict[str, str], refresh: bool
) -> None:
    """With ``no-cache``, each time; not with ``max-age=0``, which old versions of pip always send."""
    for _ in range(3):
        assert far.site.request("GET", path, headers).status == 200
    assert [one for one in far.upstream.asked if one[1]] == [("far-lib", True)] * (3 if refresh else 0)


@pytest.mark.parametrize(
    ("agent", "refresh"),
    [
        ('pip/26.2 {"ci":null}', True),
        ("pip/26.2.1", True),
        ("pip/26.10", True),
        ("pip/27.0.dev0", True),
        ("pip/26.1.2", False),
        ('pip/23.2.1 {"installer":{"name":"pip","version":"26.2"}}', False),
        ("pip/9.0.3", False),
        ("pip/26", False),
        ("pip/26.20000000", False),
        ("unearth/0.17", False),
        ("notpip/26.2", False),
    ],
)
@pytest.mark.parametrize("path", ["/simple/far-lib/", "/pypi/far-lib/json"])
def test_fault_d4_max_age_0_is_a_refresh_where_pip_means_it(
    far: Far, path: str, agent: str, refresh: bool
) -> None:
    """From 26.2 on pip sends it only when its user said ``--refresh-package``; before, always."""
    for value in ("max-age=0", "no-store, Max-Age=0"):
        for _ in range(2):
            headers = {"Cache-Control": value, "User-Agent": agent}
            assert far.site.request("GET", path, headers).status == 200
    assert [one for one in far.upstream.asked if one[1]] == [("far-lib", True)] * (4 if refresh else 0)
    assert far.site.request("GET", path, {"User-Agent": agent}).status == 200
    assert far.upstream.asked[-1] == ("far-lib", False)


def test_what_cannot_be_answered_at_once_is_answered_later(far: Far) -> None:
    """A page that is kept waits for the upstream like any other, and is not shown in its stead."""
    for _ in range(2):
        far.site.get("/simple/far-lib/")
    far.upstream.waiting = Deferred()
    connection = far.site.connect()
    connection.send(b"GET /simple/far-lib/ HTTP/1.1\r\nHost: index.example.org\r\n\r\n")
    assert connection.received() == b""
    newer = evolve(WHEEL, yanked="broken")
    far.offer(newer)
    waiting, far.upstream.waiting = far.upstream.waiting, None
    waiting.callback(None)
    (answer,) = connection.answers("GET")
    assert "broken" in answer.text


def test_c40_c42_what_the_upstream_does_not_tell_is_left_out(far: Far) -> None:
    """And then the page claims no version of the API that demands it (PEP 700)."""
    far.offer(evolve(WHEEL, size=None, hashes={}, upload_time=None, core_metadata=None))
    answer = far.site.get("/simple/far-lib/", Accept=JSON)
    page = json.loads(answer.body)
    assert page["meta"] == {"api-version": "1.0"}
    assert page["files"] == [
        {"filename": FILENAME, "url": f"../../packages/far-lib/{FILENAME}", "hashes": {}, "yanked": False}
    ]
    html = far.site.get("/simple/far-lib/").text
    assert f'<a href="../../packages/far-lib/{FILENAME}">{FILENAME}</a><br>' in html


def test_a_file_is_sent_with_its_headers(far: Far) -> None:
    answer = far.site.get(PATH)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["ETag"] == f'"{WHEEL.hashes["sha256"]}"'
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    head = far.site.request("HEAD", PATH)
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(CONTENT)), b"")
    part = far.site.get(PATH, Range="bytes=-100")
    assert (part.status, part.body) == (206, CONTENT[-100:])
    assert far.site.get(PATH, Range="bytes=999999-").status == 416
    assert far.site.get(PATH, If_None_Match=answer.headers["ETag"]).status == 304
    assert far.site.get(PATH.replace("/packages/", "/simple/")).body == CONTENT


@pytest.mark.parametrize(
    ("hashes", "tag"),
    [
        ({"md5": "aa", "sha256": "bb", "sha512": "cc"}, '"bb"'),
        ({"md5": "aa", "sha512": "cc"}, '"cc"'),
        ({"md5": "aa"}, '"aa"'),
    ],
)
def test_c104_the_best_digest_is_the_tag(far: Far, hashes: dict[str, str], tag: str) -> None:
    far.offer(evolve(WHEEL, hashes=hashes))
    answer = far.site.get(PATH)
    assert (answer.headers["ETag"], "immutable" in answer.headers["Cache-Control"]) == (tag, True)


def test_a_file_without_a_digest_has_no_tag_and_may_change(far: Far) -> None:
    far.offer(evolve(WHEEL, hashes={}, core_metadata=None))
    answer = far.site.get(PATH, If_None_Match='"x"', If_Range='"x"')
    assert (answer.status, answer.body) == (200, CONTENT)
    assert "ETag" not in answer.headers
    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert far.site.get(PATH, Range="bytes=0-9").body == CONTENT[:10]
    metadata = far.site.get(f"{PATH}.metadata")
    assert (metadata.status, metadata.headers["Cache-Control"]) == (200, "public, no-cache")
    assert metadata.headers["ETag"] == f'"{sha256(METADATA).hexdigest()}"'


def test_c52_c97_provenance() -> None:
    """Pages tell of it as of what is here, below our own URL; the upstream's bytes are sent as they are."""
    far = make(public_url="https://packages.example.org/index/")
    far.offer(evolve(WHEEL, provenance_url="https://index.example.org/secret-path/provenance"))
    far.upstream.provenances = {FILENAME: b'{"version": 1}\n'}
    url = f"https://packages.example.org/index{PATH}.provenance"
    page = far.site.get("/simple/far-lib/", Accept=JSON)
    assert json.loads(page.body)["files"][0]["provenance"] == url
    html = far.site.get("/simple/far-lib/").text
    assert f'data-provenance="{url}"' in html
    assert "secret-path" not in html + page.text
    for path in (f"{PATH}.provenance", f"/integrity/far-lib/1.0/{FILENAME}/provenance"):
        answer = far.site.get(path)
        assert (answer.status, answer.body) == (200, b'{"version": 1}\n')
        assert answer.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
        assert answer.headers["Cache-Control"] == "public, no-cache"
    assert far.site.get(f"/integrity/far-lib/1.1/{FILENAME}/provenance").status == 404


def test_c52_provenance_without_a_public_url(far: Far) -> None:
    """It is to be had, and no page tells of it."""
    far.offer(evolve(WHEEL, provenance_url="https://index.example.org/provenance"))
    far.upstream.provenances = {FILENAME: b"{}"}
    assert "provenance" not in far.site.get("/simple/far-lib/", Accept=JSON).text
    assert far.site.get(f"{PATH}.provenance").body == b"{}"
    far.upstream.provenances = {}
    assert far.site.get(f"{PATH}.provenance").status == 404
    assert far.site.get(f"{PATH}.asc").status == 404


def test_c47_metadata_without_a_digest(far: Far) -> None:
    """What is promised without a digest is sent with a tag of its own, to be asked for again."""
    far.offer(evolve(WHEEL, core_metadata=True))
    assert json.loads(far.site.get("/simple/far-lib/", Accept=JSON).body)["files"][0]["core-metadata"] is True
    answer = far.site.get(f"{PATH}.metadata")
    assert (answer.status, answer.body) == (200, METADATA)
    assert answer.headers["ETag"] == f'"{sha256(METADATA).hexdigest()}"'
    assert answer.headers["Cache-Control"] == "public, no-cache"


def test_c90_metadata_is_sent(far: Far) -> None:
    answer = far.site.get(f"{PATH}.metadata")
    assert (answer.status, answer.body) == (200, METADATA)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    far.upstream.metadatas = {}
    # What the page promises by its digest is kept for a minute.
    assert far.site.get(f"{PATH}.metadata").body == METADATA
    far.site.reactor.advance(SECONDS + 1)
    assert far.site.get(f"{PATH}.metadata").status == 404


def test_c96_a_file_elsewhere_is_redirected_to(far: Far) -> None:
    """For a time: it may be here tomorrow."""
    far.upstream.elsewhere = "https://files.example.org/x.whl"
    answer = far.site.get(PATH)
    assert (answer.status, answer.headers["Location"]) == (302, "https://files.example.org/x.whl")
    assert answer.headers["Cache-Control"] == "no-cache"


ERRORS = [
    (NotFound("it is gone"), 404),
    (Withheld("withheld: min-age=3d"), 403),
    (UpstreamFailed("files.example.org: it refuses connections"), 502),
    (type("UnusableAnswer", (UpstreamFailed,), {})("files.example.org: nonsense"), 502),
    (UpstreamTimedOut("files.example.org: too slow"), 504),
]


@pytest.mark.parametrize(("error", "status"), ERRORS, ids=lambda value: type(value).__name__)
def test_t58_what_fails_before_the_first_byte_is_told(far: Far, error: PypidError, status: int) -> None:
    """The head of the file's answer is taken back; the connection goes on."""
    far.upstream.error = error
    for headers in ({}, {"Range": "bytes=5-9"}):
        answer = far.site.request("GET", PATH, headers)
        assert (answer.status, answer.reason, answer.text) == (status, str(error), f"{error}\n")
        for name in ("ETag", "Last-Modified", "Accept-Ranges", "Content-Range", "Content-Disposition"):
            assert name not in answer.headers
        assert answer.headers["Cache-Control"] in ("no-cache", "no-store")
        assert answer.headers["Server"] == "pypid"
        assert answer.headers["Content-Length"] == str(len(str(error)) + 1)
    far.upstream.error = None
    assert far.site.get(PATH).body == CONTENT
    assert [one.closed for one in far.upstream.opened] == [1, 1]


@pytest.mark.parametrize(("error", "status"), ERRORS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("sent", [1, 5000, len(CONTENT) - 1])
def test_t58_what_fails_later_cuts_the_connection(
    far: Far, error: PypidError, status: int, sent: int
) -> None:
    """The client sees that it is not whole, and gets no second head in the middle of it."""
    assert status != 200
    far.upstream.error, far.upstream.sent = error, sent
    connection = far.site.connect()
    connection.send(f"GET {PATH} HTTP/1.1\r\nHost: index.example.org\r\n\r\n".encode())
    head, _, body = connection.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == CONTENT[:sent]
    assert connection.transport.aborted
    assert far.upstream.opened[0].closed == 1


@pytest.mark.parametrize(
    "path", ["/simple/far-lib/", PATH, f"{PATH}.metadata", f"{PATH}.provenance", "/pypi/far-lib/json"]
)
@pytest.mark.parametrize(
    ("error", "status"),
    [*ERRORS[2:], (NameWithheld("far-lib is withheld by the rule deny=far-*"), 403)],
    ids=lambda value: type(value).__name__,
)
def test_an_upstream_that_fails_has_its_status(far: Far, path: str, error: PypidError, status: int) -> None:
    """In one line that is also the reason phrase, which is all that some clients show."""
    far.upstream.raised = error
    answer = far.site.get(path, Accept=JSON)
    assert (answer.status, answer.reason, answer.text) == (status, str(error), f"{error}\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("suffix", ["", ".metadata", ".provenance"])
def test_a_file_that_is_withheld_is_refused_with_the_rule(far: Far, suffix: str) -> None:
    far.offer(withheld={FILENAME: f"{FILENAME} is withheld: min-age=3d"})
    answer = far.site.get(PATH + suffix)
    assert (answer.status, answer.reason) == (403, f"{FILENAME} is withheld: min-age=3d")
    assert far.site.get("/simple/far-lib/").status == 200
    assert FILENAME not in far.site.get("/simple/far-lib/").text


def test_strangers_of_a_private_index_get_nothing_from_upstream() -> None:
    """Nor is it asked for them; and who signed in gets what shared caches must not keep."""
    far = make(policy=PrivateAccess())
    paths = ["/simple/far-lib/", "/simple/nowhere/", PATH, f"{PATH}.metadata", "/pypi/far-lib/json"]
    for path in paths:
        for headers in ({}, {"Cache-Control": "no-cache"}, basic("ci", "wrong")):
            assert far.site.request("GET", path, headers).status == 401, path
    assert far.upstream.asked == []
    for path in [one for one in paths if "nowhere" not in one]:
        answer = far.site.request("GET", path, basic("ci", "secret"))
        assert (answer.status, answer.headers["Cache-Control"].split(",")[0]) == (200, "private"), path
        assert "Authorization" in answer.headers["Vary"]


def merged() -> Far:
    """Make a site that has a version of its own of a project that is upstream."""
    far = make()
    far.upstream.merged = frozenset(["far-lib"])
    filename, content = wheel("far-lib", "2.0")
    headers, body = upload_form(filename, content, "far-lib", "2.0")
    assert far.site.request("POST", "/legacy/", headers | basic("ci", "secret"), body).status == 200
    return far


def versions(far: Far) -> Sequence[str]:
    page: dict[str, Any] = json.loads(far.site.get("/simple/far-lib/", Accept=JSON).body)
    return [str(version) for version in page["versions"]]


def test_what_is_merged_is_shown_as_one() -> None:
    """From whichever side a change comes, it is on the next page."""
    far = merged()
    for _ in range(3):
        assert versions(far) == ["1.0", "2.0"]
    assert far.site.get(PATH).body == CONTENT
    far.offer(evolve(WHEEL, filename=FILENAME.replace("1.0", "3.0"), version="3.0"))
    for _ in range(3):
        assert versions(far) == ["2.0", "3.0"]
    filename, content = wheel("far-lib", "4.0")
    headers, body = upload_form(filename, content, "far-lib", "4.0")
    assert far.site.request("POST", "/legacy/", headers | basic("ci", "secret"), body).status == 200
    assert versions(far) == ["2.0", "3.0", "4.0"]
    far.upstream.failure = "no route to it"
    assert far.site.get("/simple/far-lib/").status == 502


def test_fault_a10_many_small_pages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of ever new names take what they take, and not only the bytes that they show."""
    monkeypatch.setattr(page_cache, "MAX_BYTES", 20 * page_cache.PAGE_BYTES)
    pages = page_cache.SimplePages(InlineWorkers())
    for number in range(100):
        project = Project(f"far-{number}", f"far-{number}", ())
        now(pages.project(project, None, page_cache.Representation(MediaType.JSON)))
        assert len(pages._pages) < 20
