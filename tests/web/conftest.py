"""A site in memory of which everything is seen that must not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from attrs import define, field
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from pypid.errors import StorageUnavailable
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import wheel
from pypid.testing.inline import InlineStaged, InlineStorage
from pypid.testing.web import Answer, Connection, MemorySite, basic, upload_form

FILENAME, CONTENT = wheel("acme-lib", "1.0", payload=bytes(range(256)) * 16)
UNEXPECTED = (LogLevel.warn, LogLevel.error, LogLevel.critical)


class WatchedStorage(InlineStorage):
    """Remembers what was staged."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self._stagings: list[InlineStaged] = []

    async def stage(self) -> InlineStaged:
        """Begin to receive a file."""
        self._stagings.append(await super().stage())
        return self._stagings[-1]

    @property
    def staged(self) -> int:
        """How many files are being received."""
        return sum(map(_is_open, self._stagings))


def _is_open(staging: InlineStaged) -> bool:
    try:
        staging.reader()
    except StorageUnavailable:
        return False
    return True


@define
class WatchedSite(MemorySite):
    """A site with one file published, its access log, and what it complained of in the other log."""

    storage: WatchedStorage = field(factory=WatchedStorage)
    path: str = field(default=f"/packages/acme-lib/{FILENAME}", init=False)
    content: bytes = field(default=CONTENT, init=False)
    access_log: StringIO = field(factory=StringIO, init=False)
    complaints: list[LogEvent] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        headers, body = upload_form(FILENAME, CONTENT, "acme-lib", "1.0")
        # Through another one's doors: here it might be refused, or have to wait.
        other = MemorySite(storage=self.storage)
        assert other.request("POST", "/legacy/", headers | basic("ci", "secret"), body).status == 200
        self.site.logFile = self.access_log

    def observe(self, event: LogEvent) -> None:
        """Notice what is logged."""
        if "log_failure" in event or event["log_level"] in UNEXPECTED:
            self.complaints.append(event)

    def exchange(self, *pieces: bytes, patience: float = 2) -> tuple[list[Answer], Connection]:
        """Send pieces on a new connection, let time pass, and read all that came back."""
        connection = self.connect()
        for piece in pieces:
            connection.send(piece)
        self.reactor.advance(patience)
        return self.read(connection), connection

    def read(self, connection: Connection) -> list[Answer]:
        """Take apart all that came back to requests that were no HEAD: nothing but whole answers."""
        return _answers(connection.received())

    def check(self) -> None:
        """Check that no harm was done, and that the next one is served."""
        assert self.complaints == []
        assert self.storage.staged == 0
        assert "__smuggled" not in self.access_log.getvalue()
        assert self.access_log.getvalue().replace("\n", "").isprintable()
        assert self.get("/simple/acme-lib/").status == 200
        assert self.get(self.path).body == self.content
        assert not self.site._requests._live


def _answers(data: bytes) -> list[Answer]:
    answers = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        _, status, reason = first.split(" ", 2)
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header came twice"
        length = int(headers.get("Content-Length", "0"))
        body, data = data[:length], data[length:]
        assert len(body) == length
        answers.append(Answer(int(status), reason, headers, body))
    return answers


@pytest.fixture
def make_site() -> Iterator[Callable[..., WatchedSite]]:
    """Yield a function that makes a site with some options; in the end none has been harmed."""
    sites: list[WatchedSite] = []

    def make(**options: object) -> WatchedSite:
        sites.append(WatchedSite(**options))
        globalLogPublisher.addObserver(sites[-1].observe)
        return sites[-1]

    yield make
    for site in sites:
        globalLogPublisher.removeObserver(site.observe)
        site.check()


@pytest.fixture
def site(make_site: Callable[..., WatchedSite]) -> WatchedSite:
    """Return a site."""
    return make_site()
