"""Statistics are kept across restarts."""

import json
import shutil
from pathlib import Path
from tempfile import mkdtemp

from twisted.internet.task import Clock

from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.upstream.counters import PageCounts
from pypid.upstream.statistics import StatisticsFile


class StatisticsFileTests(Synchronous):
    """A file of numbers."""

    def setUp(self) -> None:
        root = Path(mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        self.path = root / "cache" / "statistics.json"
        self.clock = Clock()
        self.counts, self.file = self.opened()

    def opened(self) -> tuple[PageCounts, StatisticsFile]:
        counts = PageCounts()
        file = StatisticsFile(self.path, {"pages": counts}, InlineWorkers(), self.clock)
        file.open()
        self.addCleanup(file.close)
        return counts, file

    def written(self) -> dict[str, dict[str, int]]:
        numbers: dict[str, dict[str, int]] = json.loads(self.path.read_text())
        return numbers

    def test_goes_on(self) -> None:
        """It is written when the daemon stops, and counted on from there."""
        self.counts.hits, self.counts.stale = 3, 1
        self.file.close()
        self.assertEqual(self.written()["pages"]["hits"], 3)
        counts, file = self.opened()
        counts.hits += 1
        file.close()
        self.assertEqual(
            self.written()["pages"], {"hits": 4, "misses": 0, "revalidated": 0, "stale": 1, "failures": 0}
        )

    def test_now_and_then(self) -> None:
        """It is written each minute in which something was counted."""
        self.counts.hits = 1
        self.clock.advance(60)
        self.assertEqual(self.written()["pages"]["hits"], 1)
        self.path.unlink()
        self.clock.advance(60)
        self.assertFalse(self.path.exists())
        self.counts.hits = 2
        self.clock.advance(60)
        self.assertEqual(self.written()["pages"]["hits"], 2)

    def test_closed(self) -> None:
        """Nothing goes on, and once more is no matter."""
        self.file.close()
        self.file.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken(self) -> None:
        """What is no number does not count."""
        for text in ("", "[]", "{", '{"pages": []}', '{"pages": {"hits": "x", "stale": -1, "x": 5}}', "\0"):
            self.path.parent.mkdir(exist_ok=True, parents=True)
            self.path.write_text(text)
            counts, _ = self.opened()
            self.assertEqual(counts, PageCounts())

    def test_it_cannot_be_written(self) -> None:
        """All goes on without it."""
        self.path.mkdir(parents=True)
        self.counts.hits = 1
        self.clock.advance(60)
        self.file.close()

    def test_shared(self) -> None:
        """Of several processes each adds what it counted itself, whoever writes first or last."""
        self.counts.hits = 1
        self.file.close()
        (one, first), (two, second) = self.opened(), self.opened()
        one.hits += 10
        self.clock.advance(60)
        two.hits += 100
        one.stale += 5
        second.close()
        first.close()
        written = self.written()["pages"]
        self.assertEqual((written["hits"], written["stale"]), (111, 5))
