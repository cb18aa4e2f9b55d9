"""Pages on disk are readable and replaced as a whole; a damaged or missing one does no harm."""

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from attrs import evolve

from pypid.model import File, Project
from pypid.names import ArchiveKind
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.eviction import CacheEviction
from pypid.upstream.pages import disk_cache
from pypid.upstream.pages.disk_cache import CachedPage, PageCache

URL = "https://index.example.org/simple/"
FILE = File(
    filename="foo-1.0.tar.gz",
    version="1.0",
    kind=ArchiveKind.SDIST,
    size=1234,
    hashes={"sha256": "0123456789abcdef" * 4},
    modified_ns=None,
    upload_time=datetime(2026, 1, 31, 12, 30, tzinfo=UTC),
    url="https://files.example.org/foo-1.0.tar.gz",
)
PAGE = CachedPage(Project("foo", "Foo", (FILE,)), "d" * 64, '"tag"', "Sat, 21 Nov 2026 00:00:00 GMT", True)
TIME = 1_780_000_000.25


class PageCacheTests(Synchronous):
    """A directory of pages."""

    def setUp(self) -> None:
        root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        self.directory = root / "pages"
        self.path = self.directory / "foo.json"
        self.eviction = CacheEviction(root, 1_000_000, FileCounts())
        self.cache = self.made()

    def made(self, url: str = URL) -> PageCache:
        return PageCache(self.directory, url, InlineWorkers(), self.eviction)

    def save(self, page: CachedPage = PAGE) -> None:
        self.result(self.cache.save("foo", page, TIME))

    def load(self, cache: PageCache | None = None) -> tuple[CachedPage, float] | None:
        return self.result((cache or self.cache).load("foo"))

    def listed(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def test_nothing(self) -> None:
        """Nothing is there at first, and nothing is made of that."""
        self.assertIsNone(self.load())
        self.result(self.cache.remove("foo"))
        self.assertFalse(self.directory.exists())

    def test_round_trip(self) -> None:
        self.save()
        self.assertEqual(self.load(), (PAGE, TIME))

    def test_incomplete(self) -> None:
        """It is known again of what something is missing, and that there were no validators."""
        page = evolve(
            PAGE,
            project=Project("foo", "foo", (evolve(FILE, size=None),)),
            etag=None,
            last_modified=None,
            complete=False,
        )
        self.save(page)
        self.assertEqual(self.load(), (page, TIME))

    def test_nothing_else_is_left(self) -> None:
        """Neither of what was replaced nor of what was removed."""
        self.save()
        self.save()
        self.assertEqual(self.listed(), ["foo.json"])
        self.result(self.cache.remove("foo"))
        self.assertEqual(self.listed(), [])

    def test_confirmed(self) -> None:
        """That a page is still right changes nothing but its time."""
        self.save()
        inode = self.path.stat().st_ino
        self.result(self.cache.confirm("foo", PAGE, TIME + 600))
        self.assertEqual(self.load(), (PAGE, TIME + 600))
        self.assertEqual(self.path.stat().st_ino, inode)

    def test_confirmed_after_it_was_deleted(self) -> None:
        self.result(self.cache.confirm("foo", PAGE, TIME))
        self.assertEqual(self.load(), (PAGE, TIME))

    def test_t63_asking_is_enough(self) -> None:
        """It counts when a page was asked for, whether or not the file system notes when it was read."""
        self.save()
        now = time.time()
        os.utime(self.path, (now + 1000, now - 200))  # which no file system takes for older
        self.load()
        status = self.path.stat()
        self.assertLess(abs(status.st_atime - now), 100)
        self.assertEqual(status.st_mtime, now - 200)

    def test_t59_broken_files_are_not_there(self) -> None:
        """Whatever became of a file: cut off, emptied, overwritten, or a directory."""
        self.save()
        whole = self.path.read_bytes()
        for size in range(0, len(whole) - 2, 7):
            self.path.write_bytes(whole[:size])
            self.assertIsNone(self.load())
        for broken in (
            b"\0" * len(whole),
            b"[]",
            b"{}",
            b"[" * 100_000,
            whole.replace(b'"foo-1', b'"f\xff-1'),
        ):
            self.path.write_bytes(broken)
            self.assertIsNone(self.load())
        self.path.unlink()
        self.path.mkdir()
        self.assertIsNone(self.load())

    def test_of_another_index(self) -> None:
        """After the upstream's URL changed, the pages of the old one are not taken for the new one's."""
        self.save()
        self.assertIsNone(self.load(self.made("https://other.example.org/simple/")))

    def test_of_another_schema(self) -> None:
        self.save()
        self.patch(disk_cache, "SCHEMA", disk_cache.SCHEMA + 1)
        self.assertIsNone(self.load())

    def test_of_another_project(self) -> None:
        """A file that was renamed does not bring a stranger's files."""
        self.save()
        self.path.rename(self.directory / "bar.json")
        self.assertIsNone(self.result(self.cache.load("bar")))

    def test_tampered(self) -> None:
        """What is on disk is read with the same care as what comes from the index."""
        self.save()
        page = json.loads(self.path.read_text())
        page["files"] += [{**page["files"][0], "filename": "foo-2.0.tar.gz", "url": "file:///etc/passwd"}]
        page["meta"]["_pypid"]["etag"] = '"x"\r\nHost: evil.example.org'
        self.path.write_text(json.dumps(page))
        found = self.load()
        assert found is not None
        self.assertEqual(found[0].project, PAGE.project)
        self.assertIsNone(found[0].etag)

    def test_it_cannot_be_written(self) -> None:
        """All goes on without it."""
        self.directory.write_text("in the way")
        self.save()
        self.result(self.cache.confirm("foo", PAGE, TIME))
        self.result(self.cache.remove("foo"))
        self.assertIsNone(self.load())
        self.assertEqual(self.directory.read_text(), "in the way")

    def test_what_was_begun_is_not_left(self) -> None:
        """A page that cannot be written to its end leaves the old one, and nothing else."""
        self.save()
        unwritable = evolve(PAGE, project=Project("foo", "foo", (FILE, evolve(FILE, url=object()))))
        self.failure(self.cache.save("foo", unwritable, TIME), TypeError)
        self.assertEqual(self.listed(), ["foo.json"])
        self.assertEqual(self.load(), (PAGE, TIME))
