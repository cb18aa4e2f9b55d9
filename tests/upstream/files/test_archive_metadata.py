"""Core metadata that an upstream promises and does not have is read from the wheel."""

from __future__ import annotations

import io
from hashlib import sha256

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from pypid.errors import NotFound, UpstreamFailed
from pypid.model import File
from pypid.names import ArchiveKind
from pypid.testing.builds import core_metadata, sdist, wheel
from pypid.testing.fakes import Synchronous
from pypid.testing.files import FileSteps
from pypid.testing.streams import MemoryStream
from pypid.upstream.files.archive_metadata import metadata_from_archive

FILENAME, DATA = wheel("foo", "1.0", payload=b"x" * 100_000)
METADATA = core_metadata("foo", "1.0")
URL = f"https://files.example.org/{FILENAME}"
WHEEL = File(
    *(FILENAME, "1.0", ArchiveKind.WHEEL, len(DATA), {"sha256": sha256(DATA).hexdigest()}, None, None),
    core_metadata=sha256(METADATA).hexdigest(),
    url=URL,
)


def inside(data: bytes, filename: str = FILENAME) -> bytes | None:
    file = io.BytesIO(data)

    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return metadata_from_archive(read, len(data), filename, "foo")


def test_it_is_what_the_wheel_has() -> None:
    assert inside(DATA) == METADATA


@pytest.mark.parametrize("data", [b"", b"PK", DATA[:-1], DATA[:50_000], sdist("foo", "1.0")[1]])
def test_a_damaged_wheel_has_none(data: bytes) -> None:
    assert inside(data) is None


def test_another_projects_wheel_has_none() -> None:
    assert inside(DATA, "bar-1.0-py3-none-any.whl") is None


class PromisedTests(FileSteps, Synchronous):
    """A cache of an index that promises more metadata than it has."""

    def test_it_is_taken_out_of_the_wheel(self) -> None:
        """The wheel is downloaded and cached with its metadata; neither is requested again."""
        self.origin.contents[URL] = DATA
        self.assertEqual(self.result(self.files.metadata("foo", WHEEL)), METADATA)
        asked = [url for url, _ in self.origin.asked]
        self.assertEqual(asked, [f"{URL}.metadata", URL])
        self.assertEqual(self.result(self.files.metadata("foo", WHEEL)), METADATA)
        self.assertEqual(self.sent(WHEEL), DATA)
        self.assertEqual([url for url, _ in self.origin.asked], asked)

    def test_a_wheel_on_its_way_is_waited_for(self) -> None:
        """Simultaneous requests download the wheel once."""
        stream = MemoryStream(length=len(DATA))
        self.streams(stream)
        sending, consumer = self.begin(WHEEL)
        asking = Deferred.fromCoroutine(self.files.metadata("foo", WHEEL))
        stream.send(DATA[:-1])
        self.assertNoResult(asking)
        stream.send(DATA[-1:])
        stream.end()
        self.assertEqual(self.successResultOf(asking), METADATA)
        self.successResultOf(sending)
        self.assertEqual(consumer.data, DATA)

    def test_a_kept_wheel_will_do(self) -> None:
        """Metadata is read from a cached wheel offline, too."""
        self.origin.contents[URL] = DATA
        self.sent(WHEEL)
        self.files = self.restarted(offline=True)
        self.assertEqual(self.result(self.files.metadata("foo", WHEEL)), METADATA)
        self.assertEqual([url for url, _ in self.origin.asked], [URL])

    def test_it_must_be_what_was_promised(self) -> None:
        self.origin.contents[URL] = DATA
        other = evolve(WHEEL, core_metadata="0" * 64)
        text = self.failure(self.files.metadata("foo", other), UpstreamFailed)
        self.assertEqual(text, f"files.example.org: {FILENAME}: its metadata is not what its page promises")
        self.assertNotIn(f"files/foo/{FILENAME}.metadata", self.kept)

    def test_a_wheel_that_cannot_be_had(self) -> None:
        """A failing upstream is not reported as missing metadata, unless the file is missing, too."""
        self.failure(self.files.metadata("foo", WHEEL), NotFound)
        self.origin.contents[URL] = DATA[:-1] + b"x"
        self.failure(self.files.metadata("foo", WHEEL), UpstreamFailed)

    def test_what_was_not_promised_is_not_looked_for(self) -> None:
        """Wheels are not downloaded for metadata that was not promised."""
        self.origin.contents[URL] = DATA
        self.failure(self.files.metadata("foo", evolve(WHEEL, core_metadata=None)), NotFound)
        self.assertEqual([url for url, _ in self.origin.asked], [f"{URL}.metadata"])
