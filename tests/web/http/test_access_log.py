"""The access log has a line for each request, and lines are written a few at a time."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from pypid.testing.fakes import Synchronous
from pypid.testing.web import MemorySite
from pypid.web.http.access_log import INTERVAL, AccessLog


class AccessLogTests(Synchronous):
    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: LogEvent) -> None:
        """Keep what is said of requests."""
        if event["log_namespace"] == "pypid.access":
            self.events.append(event)

    def test_lines_of_a_moment_make_one_event(self) -> None:
        clock = Clock()
        log = AccessLog(clock)
        for line in ("one {x}\n", "two\n"):
            log.write(line)
            clock.advance(INTERVAL / 3)
        self.assertEqual(self.events, [])
        clock.advance(INTERVAL)
        log.write("three\n")
        clock.advance(INTERVAL)
        self.assertEqual([formatEvent(event) for event in self.events], ["one {x}\ntwo", "three"])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_what_is_left_is_written_at_the_end(self) -> None:
        clock = Clock()
        log = AccessLog(clock)
        log.write("one\n")
        log.close()
        log.close()
        self.assertEqual([formatEvent(event) for event in self.events], ["one"])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_a_site_logs_each_request_and_forgets_none_when_it_stops(self) -> None:
        site = MemorySite()
        for _ in range(3):
            site.get("/simple/?a")
        site.site.stopFactory()
        (event,) = self.events
        lines = formatEvent(event).splitlines()
        self.assertEqual([line.count('"GET /simple/?a HTTP/1.1" 200') for line in lines], [1, 1, 1])
