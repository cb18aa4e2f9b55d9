"""Requests for the pages of an index, and for details that the pages lack."""

import json
from typing import Any

from pypid.errors import UpstreamFailed
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.memory_client import MemoryClient
from pypid.upstream.pages.disk_cache import CachedPage
from pypid.upstream.pages.page_source import PageSource

SHA256 = "0123456789abcdef" * 4
PAGE = f'<title>Links for foo</title><a href="foo-1.0.tar.gz#sha256={SHA256}">x</a>'.encode()
LONGER = PAGE + b'<a href="foo-2.0.tar.gz">y</a>'
ENTRY: dict[str, Any] = {
    "filename": "foo-1.0.tar.gz",
    "digests": {"sha256": SHA256},
    "size": 1234,
    "upload_time_iso_8601": "2026-01-31T12:00:00Z",
}
LEGACY = json.dumps({"info": {"name": "Foo"}, "urls": [ENTRY]}).encode()


class PageSourceTests(Synchronous):
    """An index with HTML and without entity tags, as simple ones are."""

    def setUp(self) -> None:
        self.origin = MemoryClient(with_tags=False)
        self.origin.put("/simple/foo/", PAGE, "text/html")
        self.source = PageSource(self.origin, InlineWorkers())  # type: ignore[arg-type]

    def fetch(self, previous: CachedPage | None = None, name: str = "foo") -> CachedPage:
        """Fetch an existing page."""
        page = self.result(self.source.fetch(name, previous))
        assert page is not None
        return page

    def test_enriched(self) -> None:
        """Missing details come from legacy JSON."""
        self.origin.put("/pypi/foo/json", LEGACY, "application/json")
        page = self.fetch()
        self.assertEqual(self.origin.asked, ["/simple/foo/", "/pypi/foo/json"])
        self.assertEqual(page.project.files[0].size, 1234)
        self.assertTrue(page.complete)

    def test_enriched_once(self) -> None:
        """Legacy JSON is not fetched again while the page is unchanged and complete."""
        self.origin.put("/pypi/foo/json", LEGACY, "application/json")
        page = self.fetch()
        self.assertIs(self.fetch(page), page)
        self.assertEqual(self.origin.asked[2:], ["/simple/foo/"])

    def test_enriched_when_something_is_new(self) -> None:
        """Legacy JSON is fetched again if it lacked a file."""
        self.origin.put("/pypi/foo/json", LEGACY, "application/json")
        page = self.fetch()
        self.origin.put("/simple/foo/", LONGER, "text/html")
        longer = self.fetch(page)
        self.assertEqual([file.size for file in longer.project.files], [1234, None])
        self.assertIs(self.fetch(longer), longer)
        self.assertEqual(self.origin.asked[4:], ["/simple/foo/", "/pypi/foo/json"])

    def test_complete_pages_are_not_enriched(self) -> None:
        self.origin.put_project("foo")
        self.fetch()
        self.assertEqual(self.origin.asked, ["/simple/foo/"])

    def test_there_is_no_old_json(self) -> None:
        """An index without legacy JSON is not asked for it again."""
        page = self.fetch()
        self.assertIs(self.fetch(page), page)
        self.origin.put("/simple/bar/", PAGE.replace(b"foo", b"bar"), "text/html")
        self.fetch(name="bar")
        self.assertEqual(
            self.origin.asked, ["/simple/foo/", "/pypi/foo/json", "/simple/foo/", "/simple/bar/"]
        )

    def test_there_is_no_old_json_of_one(self) -> None:
        """An index that has legacy JSON of other projects is asked again."""
        self.origin.put("/pypi/foo/json", LEGACY, "application/json")
        self.fetch()
        self.origin.put("/simple/bar/", PAGE.replace(b"foo", b"bar"), "text/html")
        for _ in range(2):
            self.fetch(name="bar")
        self.assertEqual(self.origin.asked.count("/pypi/bar/json"), 2)

    def test_old_json_that_makes_no_sense(self) -> None:
        """The page is served without legacy JSON that fails."""
        for body in (b"", b"<html>", b"[]"):
            self.origin.put("/pypi/foo/json", body, "application/json")
            self.assertEqual(self.fetch().project.files[0].size, None)

    def test_other_urls_have_no_old_json(self) -> None:
        """Without a URL that ends in /simple/, no legacy JSON is requested."""
        for url in ("https://index.example.org/root/+simple/", "https://index.example.org/"):
            self.origin.url = url
            self.origin.put(f"{url.removeprefix('https://index.example.org')}foo/", PAGE, "text/html")
            self.fetch()
        self.assertEqual(self.origin.asked, ["/root/+simple/foo/", "/foo/"])

    def test_links_depend_on_where_the_page_is(self) -> None:
        """The same bytes at another URL are another page."""
        page = self.fetch()
        self.origin.moved = "https://index.example.org/new/foo/"
        self.assertEqual(
            self.fetch(page).project.files[0].url, "https://index.example.org/new/foo/foo-1.0.tar.gz"
        )

    def test_validators(self) -> None:
        """Both validators are sent back unchanged, unless they are malformed."""
        self.origin.with_tags = True
        self.origin.put_project("foo")
        self.origin.last_modified = "Sat, 21 Nov 2026 00:00:00 GMT"
        page = self.fetch()
        self.assertIs(self.fetch(page), page)
        self.assertEqual(self.origin.headers[1]["If-None-Match"], page.etag)
        self.assertEqual(self.origin.headers[1]["If-Modified-Since"], "Sat, 21 Nov 2026 00:00:00 GMT")
        for odd in ("", "\r\nX: y", "ü", "x" * 2000):
            self.origin.put_project("foo", comment=odd)
            self.origin.last_modified = odd
            self.assertIsNone(self.fetch().last_modified)

    def test_gone(self) -> None:
        """Both 404 and 410 mean that there is no project."""
        self.assertIsNone(self.result(self.source.fetch("bar", None)))
        self.origin.status = 410
        self.assertIsNone(self.result(self.source.fetch("foo", None)))

    def test_answer_to_what_was_not_asked(self) -> None:
        """A 304 to an unconditional request is an error."""
        self.origin.status = 304
        self.failure(self.source.fetch("foo", None), UpstreamFailed)
