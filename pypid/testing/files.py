"""Steps for tests of an upstream's files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pypid.errors import UpstreamFailed
from pypid.interfaces import IContent
from pypid.model import File
from pypid.names import ArchiveKind
from pypid.testing.content import MemoryConsumer
from pypid.testing.fakes import InlineWorkers, Synchronous
from pypid.testing.steps import scratch
from pypid.testing.streams import MemoryStream, StreamingClient
from pypid.upstream.files.file_cache import FileCache

__all__ = ["DATA", "URL", "FileSteps", "make_file"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the steps alone are not a test case
    _Base = object

URL = "https://files.example.org/foo-1.0.tar.gz"
"""The URL of a file."""
DATA = os.urandom(1000) * 300
"""The bytes of a file."""
_UPLOADED = datetime(2020, 2, 2, 2, 2, 2, 222222, UTC)


def make_file(data: bytes = DATA, filename: str = "foo-1.0.tar.gz", **changes: Any) -> File:
    """Return a file as described on its page."""
    described: dict[str, Any] = {
        "size": len(data),
        "hashes": {"sha256": sha256(data).hexdigest()},
        "url": f"https://files.example.org/{filename}",
        "upload_time": _UPLOADED,
        **changes,
    }
    return File(filename, "1.0", ArchiveKind.SDIST, modified_ns=None, **described)


class FileSteps(_Base):
    """A test case with a cache of an upstream whose answers the test decides."""

    max_size = 10_000_000
    """The limit of the cache, in bytes."""

    def setUp(self) -> None:
        """Create an upstream and a cache."""
        super().setUp()
        self.directory = scratch(self) / "cache" / "upstream"
        self.origin = StreamingClient()
        self.clock = Clock()
        self.files = self.restarted()

    def restarted(self, **changes: Any) -> FileCache:
        """Return a new cache of the same directory, with nothing in memory."""
        options = {"max_size": self.max_size, **changes}
        origin: Any = self.origin
        files = FileCache(origin, InlineWorkers(), self.clock, self.directory, **options)
        files.open()
        self.addCleanup(files.close)
        return files

    def streams(self, *streams: MemoryStream) -> None:
        """Set the next answers of the upstream."""
        self.origin.script += streams

    def asked(self, file: File) -> IContent:
        """Return the content of a file, which is closed after the test."""
        content = self.result(self.files.content("foo", file))
        self.addCleanup(content.close)
        return content

    def begin(
        self, file: File, start: int = 0, stop: int | None = None, consumer: MemoryConsumer | None = None
    ) -> tuple[Deferred[None], MemoryConsumer]:
        """Request a file, and start receiving it."""
        content = self.asked(file)
        consumer = consumer or MemoryConsumer()
        sending = content.send_to(consumer, start, content.length if stop is None else stop)
        return Deferred.fromCoroutine(sending), consumer

    def sent(self, file: File, start: int = 0, stop: int | None = None) -> bytes:
        """Return the bytes of a file that is sent without waiting."""
        sending, consumer = self.begin(file, start, stop)
        self.successResultOf(sending)
        return consumer.data

    def refused(self, sending: Deferred[None], consumer: MemoryConsumer) -> str:
        """Check that a client was cut off before the end, and return the reason."""
        failure = self.failureResultOf(sending, UpstreamFailed)
        self.assertIsNone(consumer.producer)
        self.assertLess(len(consumer.data), len(DATA))
        return str(failure.value)

    @property
    def kept(self) -> list[str]:
        """The paths of all files on disk."""
        found = (path for path in self.directory.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.directory)) for path in found)

    def path(self, filename: str = "foo-1.0.tar.gz") -> Path:
        """Return the path of a file in the cache."""
        return self.directory / "files" / "foo" / filename
