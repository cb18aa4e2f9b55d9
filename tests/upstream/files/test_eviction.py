"""A cache that is full."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

from pypid.model import File, Project
from pypid.testing.content import MemoryConsumer
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.files import FileSteps, make_file
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.eviction import CacheEviction
from pypid.upstream.pages.disk_cache import CachedPage, PageCache

SIZE = 100_000
URL = "https://index.example.org/simple/"
DATA = os.urandom(SIZE)
PAGE = CachedPage(Project("foo", "foo", (make_file(url=URL + "x" * SIZE),)), "digest", None, None, True)


def numbered(number: int, **changes: object) -> File:
    """Describe one of many files of equal length."""
    return make_file(DATA, f"foo-{number}.tar.gz", **changes)


class EvictionTests(FileSteps, Synchronous):
    """The least recently used files are evicted first."""

    max_size = 1_000_000

    def setUp(self) -> None:
        super().setUp()
        for number in range(30):
            self.origin.contents[f"https://files.example.org/foo-{number}.tar.gz"] = DATA

    def fill(self, *numbers: int, **changes: object) -> None:
        """Cache files, one after the other."""
        for number in numbers:
            self.sent(numbered(number, **changes))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the cached files."""
        return sorted(int(path.name[4:].partition(".")[0]) for path in self.directory.rglob("*.tar.gz"))

    def test_t63_bounded(self) -> None:
        """The cache never exceeds its size limit (T63)."""
        for number in range(30):
            self.fill(number)
            self.assertLessEqual(
                sum(path.stat().st_size for path in self.directory.rglob("*.gz")), self.max_size
            )
        self.assertEqual(self.numbers, list(range(21, 30)))
        self.assertEqual(self.files.counts.evictions, 21)

    def test_t63_least_recently_used(self) -> None:
        """A file that was requested recently stays, even if that was before a restart (T63)."""
        self.fill(*range(9))
        self.fill(0, 2)
        self.files = self.restarted()
        self.fill(9, 10)
        self.assertEqual(self.numbers, [0, 2, 4, 5, 6, 7, 8, 9, 10])

    def test_t63_asking_is_enough(self) -> None:
        """Requests count, even on a file system without access times."""
        self.fill(0)
        published = self.path("foo-0.tar.gz").stat().st_mtime_ns
        os.utime(self.path("foo-0.tar.gz"), ns=(1, published))
        self.asked(numbered(0)).close()
        status = self.path("foo-0.tar.gz").stat()
        self.assertGreater(status.st_atime_ns, published)
        self.assertEqual(status.st_mtime_ns, published)

    def test_t63_never_a_file_in_use(self) -> None:
        """A file that is being sent is not evicted before it is closed (T63)."""
        self.fill(0)
        content, other = (self.result(self.files.content("foo", numbered(0))) for _ in range(2))
        other.close()
        self.fill(*range(1, 30))
        self.assertIn(0, self.numbers)
        consumer = MemoryConsumer()
        self.result(content.send_to(consumer, 0, SIZE))
        self.assertEqual(consumer.data, DATA)
        content.close()
        self.fill(*range(1, 10))
        self.assertNotIn(0, self.numbers)

    def test_t63_pages_count(self) -> None:
        """Pages count towards the limit, and are evicted like files (T63)."""
        pages = self.directory / "pages"
        cache = PageCache(pages, URL, InlineWorkers(), self.files.eviction)
        for name in ("old", "new"):
            self.result(cache.save(name, PAGE, 1000))
        self.fill(*range(7))
        self.assertEqual(len(list(pages.iterdir())), 2)
        self.result(cache.confirm("new", PAGE, time.time()))
        self.fill(7, 8)
        self.assertEqual([path.name for path in pages.iterdir()], ["new.json"])
        self.assertEqual(self.numbers, list(range(1, 9)))

    def test_t63_pages_alone(self) -> None:
        """Pages alone do not exceed the limit, either (T63)."""
        cache = PageCache(self.directory / "pages", URL, InlineWorkers(), self.files.eviction)
        for number in range(30):
            self.result(cache.save(f"foo{number}", PAGE, 1000 + number))
            if number == 5:
                self.result(cache.load("foo0"))
            kept = sum(path.stat().st_size for path in self.directory.rglob("*.json"))
            self.assertLessEqual(kept, self.max_size)
        names = sorted(int(path.stem[3:]) for path in self.directory.rglob("*.json"))
        self.assertEqual(names, [0, *range(23, 30)])

    def test_t63_less_than_before(self) -> None:
        """A lower limit takes effect when the next file is cached (T63)."""
        self.files = self.restarted(max_size=10_000_000)
        self.fill(*range(25))
        self.files = self.restarted(max_size=2_000_000)
        self.fill(25)
        self.assertEqual(self.numbers, list(range(8, 26)))

    def test_t63_larger_than_the_cache(self) -> None:
        """A file larger than the whole cache is sent and not cached, and evicts nothing."""
        self.fill(0)
        data = os.urandom(self.max_size)
        self.origin.contents["https://files.example.org/big-1.0.tar.gz"] = data
        self.assertEqual(self.sent(make_file(data, "big-1.0.tar.gz")), data)
        self.assertEqual(self.kept, ["files/foo/foo-0.tar.gz"])

    def test_t63_pins_stay(self) -> None:
        """The digests of files that have none on a page outlive the files (T63)."""
        self.fill(*range(20), hashes={})
        self.assertEqual(len(list(self.directory.rglob("*.sha256"))), 20)
        self.assertEqual(len(self.numbers), 9)

    def test_t63_empty_directories_go(self) -> None:
        """The directory of a project is removed with its last file."""
        other = self.directory / "files" / "other"
        other.mkdir(parents=True)
        (other / "other-1.0.tar.gz").write_bytes(bytes(950_000))
        os.utime(other / "other-1.0.tar.gz", (1, 1))
        self.fill(0)
        self.assertFalse(other.exists())

    def test_only_the_tree_is_touched(self) -> None:
        """Files outside of the tree, and targets of symbolic links, are never removed."""
        outside = self.directory.parent.parent / "simple" / "foo"
        outside.mkdir(parents=True)
        (outside / "foo-99.tar.gz").write_bytes(bytes(5_000_000))
        os.utime(outside / "foo-99.tar.gz", (1, 1))
        (self.directory / "files" / "foo").mkdir(parents=True)
        (self.directory / "files" / "foo" / "link.tar.gz").symlink_to(outside / "foo-99.tar.gz")
        os.utime(self.path("link.tar.gz"), (1, 1), follow_symlinks=False)
        self.fill(*range(20))
        self.assertTrue((outside / "foo-99.tar.gz").exists())
        self.assertTrue(self.path("link.tar.gz").is_symlink())

    def test_disk_is_about_to_be_full(self) -> None:
        """If the disk is about to be full, the cache makes way, so that uploads have room."""
        self.fill(*range(5))
        disk = SimpleNamespace(f_frsize=1, f_bavail=1_050_000, f_blocks=100_000_000)
        self.patch(os, "statvfs", lambda path: disk)
        self.fill(5)
        # One percent is kept free for others.
        self.assertEqual(self.numbers, [1, 2, 3, 4, 5])


def test_the_room_of_a_cache_that_is_not_there_yet(tmp_path: Path) -> None:
    counts = FileCounts()
    eviction = CacheEviction(tmp_path / "not" / "yet", 1000, counts)
    eviction.make_room(500)
    eviction.make_room_on_disk(500)
    assert (eviction.fits(900), eviction.fits(1000), counts.evictions) == (True, False, 0)
