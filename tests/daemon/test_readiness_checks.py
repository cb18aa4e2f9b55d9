"""What makes the daemon unready: a storage, a disk or a catalog that fails, but no upstream."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from zope.interface import implementer

from pypid.catalog.sqlite import SqliteCatalog
from pypid.daemon.readiness_checks import readiness_checks
from pypid.errors import OutOfSpace, StorageUnavailable
from pypid.formats.readiness_report import Condition, ReadinessReport
from pypid.interfaces import IDiskSpace, IStaging, IStorage, ITroubled
from pypid.runtime.disk_space import DiskSpace
from pypid.runtime.readiness import Readiness
from pypid.storage.directory import DirectoryStorage
from pypid.storage.memory import MemoryStorage
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.inline import InlineStorage
from pypid.upstream.memory import MemoryUpstream

GIB = 1024**3


@implementer(IStorage, IDiskSpace)
class Disk(MemoryStorage):
    """A storage on a disk of a given size."""

    total, free = 100 * GIB, 50 * GIB
    refusal: Exception | None = None

    def space(self) -> tuple[int, int]:
        return self.total, self.free

    def stage(self) -> IStaging:
        if self.refusal is not None:
            raise self.refusal
        return super().stage()


@implementer(ITroubled)
class Upstream(MemoryUpstream):
    """An upstream that may not answer."""

    said: str | None = None

    def trouble(self) -> str | None:
        return self.said


class Checks(Synchronous):
    """A daemon's parts, each of which can be broken."""

    def setUp(self) -> None:
        self.disk, self.clock = Disk(), Clock()
        self.storage = InlineStorage(self.disk)
        self.storage.open()
        self.catalog = SqliteCatalog(self.storage, None, InlineWorkers(), None)
        self.catalog.open()
        self.upstream = Upstream([])

    def report(self) -> ReadinessReport:
        checks = readiness_checks(Path("/"), self.storage, self.catalog, [self.upstream])
        return self.result(Readiness(checks, self.clock).report())

    def wrong(self) -> dict[str, str]:
        return {
            one.part: one.message for one in self.report().findings if one.condition is not Condition.GOOD
        }

    def test_good(self) -> None:
        assert [one.part for one in self.report().findings] == [
            "storage",
            "disk",
            "catalog",
            "upstream memory",
        ]
        assert self.wrong() == {}
        assert self.report().is_ready

    def test_a_storage_that_takes_nothing(self) -> None:
        for self.disk.refusal in (OutOfSpace("the storage is full"), StorageUnavailable("not now")):
            assert self.wrong() == {"storage": str(self.disk.refusal)}
            assert not self.report().is_ready

    def test_a_disk_that_is_nearly_full(self) -> None:
        """A cache leaves more than that, so that one that fills its disk is no reason for alarm."""
        floor = DiskSpace(self.disk.total, 0).floor
        assert 0 < floor < DiskSpace(self.disk.total, 0).reserve
        self.disk.free = floor
        assert self.wrong() == {}
        self.disk.free = floor - 1
        assert "as good as full" in self.wrong()["disk"]
        assert not self.report().is_ready

    def test_a_small_disk_is_not_full_by_its_size(self) -> None:
        self.disk.total, self.disk.free = 10 * 1024**2, 5 * 1024**2
        assert self.wrong() == {}

    def test_a_catalog_that_cannot_be_read(self) -> None:
        def fail(*_: object) -> None:
            raise StorageUnavailable("the journal cannot be read now")

        self.patch(SqliteCatalog, "changes", fail)
        assert self.wrong() == {"catalog": "the journal cannot be read now"}

    def test_an_upstream_that_is_down_leaves_the_daemon_ready(self) -> None:
        self.upstream.said = "https://there.example.org: it refuses connections"
        assert self.wrong() == {"upstream memory": self.upstream.said}
        assert (self.report().condition, self.report().is_ready) == (Condition.DEGRADED, True)


class RealDisk(Synchronous):
    """The numbers of a real disk."""

    def test_space(self) -> None:
        storage = DirectoryStorage(Path(self.mktemp()))
        total, free = storage.space()
        assert 0 < free < total
