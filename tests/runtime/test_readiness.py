"""When the parts are checked, and what is said of one that does not answer."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pypid.errors import OutOfSpace
from pypid.formats.readiness_report import Condition, Finding, ReadinessReport
from pypid.runtime.readiness import LIFETIME, PATIENCE, Readiness
from pypid.testing.fakes import Synchronous


@define(eq=False)
class Part:
    """A part that is as healthy as it is told to be."""

    outcome: Exception | Deferred[None] | None = None
    checks: list[str] = field(factory=list)

    async def check(self, part: str) -> Finding:
        self.checks.append(part)
        if isinstance(self.outcome, Deferred):
            await self.outcome
        elif self.outcome is not None:
            raise self.outcome
        return Finding(part)


class ReadinessTests(Synchronous):
    """A storage that is checked on a clock that only the test moves."""

    def setUp(self) -> None:
        self.clock, self.now = Clock(), 100.0
        self.storage, self.catalog = Part(), Part()
        self.readiness = Readiness(
            {"storage": self.storage.check, "catalog": self.catalog.check}, self.clock, lambda: self.now
        )

    def ask(self) -> Deferred[ReadinessReport]:
        return Deferred.fromCoroutine(self.readiness.report())

    def found(self) -> Sequence[tuple[Condition, str]]:
        return [(one.condition, one.message) for one in self.successResultOf(self.ask()).findings]

    def test_good(self) -> None:
        assert self.found() == [(Condition.GOOD, "")] * 2

    def test_a_report_is_repeated_for_a_second(self) -> None:
        for _ in range(100):
            self.found()
        assert len(self.storage.checks) == 1
        self.now += LIFETIME
        self.found()
        assert len(self.storage.checks) == 2

    def test_a_clock_that_jumps_changes_nothing(self) -> None:
        """The wall clock, which reactors go by, is set forward and back."""
        for self.clock.rightNow in (1e9, 0.0, 2e9):
            self.now += LIFETIME
            assert self.found() == [(Condition.GOOD, "")] * 2
        assert len(self.storage.checks) == 3

    def test_an_error_is_the_reason(self) -> None:
        self.storage.outcome = OutOfSpace("the storage is full")
        assert self.found() == [(Condition.FAILED, "the storage is full"), (Condition.GOOD, "")]
        self.storage.outcome = None
        self.now += LIFETIME
        assert self.found()[0] == (Condition.GOOD, "")

    def test_a_defect_is_logged_and_not_told(self) -> None:
        self.storage.outcome = ZeroDivisionError("secret")
        [storage, _] = self.found()
        assert storage == (Condition.FAILED, "its check failed; the log says how")
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1

    def test_a_disk_that_hangs_takes_one_thread(self) -> None:
        """Whoever asks again waits for the same check, and gets an answer within the same bound."""
        self.storage.outcome = Deferred()
        for _ in range(20):
            waiting = [self.ask() for _ in range(10)]
            self.clock.advance(PATIENCE)
            for one in waiting:
                [storage, catalog] = self.successResultOf(one).findings
                assert (storage.condition, catalog.condition) == (Condition.FAILED, Condition.GOOD)
                assert "has not answered" in storage.message
            self.now += PATIENCE
        assert len(self.storage.checks) == 1
        self.storage.outcome.callback(None)
        assert self.found() == [(Condition.GOOD, "")] * 2

    def test_a_client_that_leaves_takes_no_answer_from_others(self) -> None:
        self.storage.outcome = Deferred()
        leaving, staying = self.ask(), self.ask()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.storage.outcome.callback(None)
        assert self.successResultOf(staying).is_ready

    def test_it_is_not_ready_while_it_stops(self) -> None:
        self.found()
        self.readiness.is_stopping = True
        assert self.found() == [(Condition.FAILED, "it is stopping")]
