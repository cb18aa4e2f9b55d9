"""An upstream that does not answer is left alone for a while."""

from __future__ import annotations

from twisted.internet.task import Clock

from pypid.errors import NotFound
from pypid.testing.fakes import Synchronous
from pypid.upstream.http.circuit_breaker import (
    FIRST_REST,
    LONGEST_REST,
    MAX_SUSPECTS,
    RECENT,
    SUSPICION,
    CircuitBreaker,
)
from pypid.upstream.http.upstream_failures import BusyAnswer, FailedAnswer, Unreachable


class BreakerTests(Synchronous):
    """The breaker by itself."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.breaker = CircuitBreaker(self.clock, "index.example.org")

    def ask(self, error: BaseException | None = None, resource: str = "foo") -> bool:
        """Ask something that may fail; return whether it was asked."""
        asked = False
        try:
            with self.breaker.guard(f"https://index.example.org/simple/{resource}/"):
                asked = True
                if error is not None:
                    raise error
        except BaseException as raised:
            assert raised is error or not asked
        return asked

    def rest(self) -> float:
        """Measure for how long nothing is asked, and ask then in vain."""
        start = self.clock.seconds()
        while not self.ask(Unreachable("no")):
            self.clock.advance(0.5)
        return self.clock.seconds() - start

    def test_rests_grow(self) -> None:
        """Each trial that fails doubles the rest, up to a minute."""
        for _ in range(3):
            self.assertTrue(self.ask(Unreachable("no")))
        rests = [self.rest() for _ in range(8)]
        self.assertEqual(rests, [2, 4, 8, 16, 32, 60, 60, 60])
        self.clock.advance(LONGEST_REST)
        self.assertTrue(self.ask())
        for _ in range(3):
            self.assertTrue(self.ask(Unreachable("no")))
        self.assertEqual(self.rest(), 2)

    def test_given_up(self) -> None:
        """Who goes away half-way tells nothing about the host, and does not block the next trial."""
        for _ in range(3):
            self.ask(Unreachable("no"))
        self.clock.advance(2)
        self.assertTrue(self.ask(GeneratorExit()))
        self.assertTrue(self.ask())

    def test_failures_in_a_bunch(self) -> None:
        """Many that fail at the same time count once beyond the third."""
        guards = [self.breaker.guard("https://index.example.org/simple/foo/") for _ in range(20)]
        for guard in guards:
            guard.__enter__()
        for guard in guards:
            error = Unreachable("no")
            self.assertFalse(guard.__exit__(type(error), error, None))
        self.assertEqual(self.rest(), 2)

    def busy(self, *resources: str) -> None:
        """Ask for some pages, each of which is answered by "busy" if it is asked for."""
        for resource in resources:
            self.ask(BusyAnswer("no"), resource)

    def test_fault_a5_pages_that_fail_are_not_the_host(self) -> None:
        """However many pages fail, each for itself, the others are asked for."""
        for number in range(20):
            self.assertTrue(self.ask(FailedAnswer("no"), f"page-{number}"))
        self.assertTrue(self.ask(resource="another"))

    def test_fault_a5_a_host_that_is_busy_whatever_it_is_asked(self) -> None:
        """A host that is busy for each of several pages, but not for one, is left alone and tried later."""
        self.busy(*["foo"] * 20)
        self.assertTrue(self.ask(BusyAnswer("no"), "foo"))
        self.busy("bar", "baz")
        self.assertFalse(self.ask(resource="another"))
        self.clock.advance(FIRST_REST)
        self.busy("another")
        self.clock.advance(FIRST_REST)
        self.assertFalse(self.ask(resource="one more"))
        self.clock.advance(FIRST_REST)
        self.assertTrue(self.ask(resource="one more"))
        self.assertTrue(self.ask(BusyAnswer("no"), "foo"))

    def test_fault_a5_others_are_answered_in_between(self) -> None:
        """A host that answers others in between, or did just before, is not down."""
        for number in range(20):
            self.busy(f"page-{number}", f"another-{number}")
            self.assertTrue(self.ask(NotFound("no"), "foo"))
        self.busy("foo", "bar", "baz")
        self.assertTrue(self.ask(BusyAnswer("no"), "another"))
        self.clock.advance(RECENT)
        self.busy("foo", "bar", "baz")
        self.assertFalse(self.ask(resource="another"))

    def test_fault_a5_nobody_keeps_it_closed(self) -> None:
        """Who asks for the pages that are busy again and again keeps nobody from the others."""
        pages = ["foo", "bar", "baz"]
        self.busy(*pages)
        self.clock.advance(FIRST_REST)
        self.busy(*pages)
        self.assertTrue(self.ask(resource="another"))
        self.assertTrue(self.ask(resource="foo"))

    def test_fault_a5_what_failed_is_tried_in_the_end(self) -> None:
        """If nobody asks for anything else, a host is tried with what failed."""
        self.busy("foo", "bar", "baz")
        self.clock.advance(SUSPICION - 1)
        self.assertFalse(self.ask(resource="foo"))
        self.clock.advance(1)
        self.assertTrue(self.ask(resource="foo"))
        self.assertTrue(self.ask(resource="bar"))

    def test_fault_a5_what_one_page_wishes(self) -> None:
        """That one page asks to be left alone is not believed of a host that answered for others just now."""
        self.assertTrue(self.ask())
        self.breaker.rest(20, always=False)
        self.assertTrue(self.ask())
        self.breaker.rest(20, always=True)
        self.assertFalse(self.ask())
        self.clock.advance(20 + RECENT)
        self.breaker.rest(20, always=False)
        self.assertFalse(self.ask())

    def test_bounded(self) -> None:
        """What failed is remembered within bounds."""
        for number in range(3 * MAX_SUSPECTS):
            self.busy(f"page-{number}")
            self.clock.advance(LONGEST_REST)
        self.assertEqual(len(self.breaker._suspects), MAX_SUSPECTS)

    def test_clock_set_back(self) -> None:
        """A clock that is set back does not leave a host alone for hours."""
        self.clock.advance(100_000)
        for _ in range(3):
            self.ask(Unreachable("no"))
        self.clock.rightNow = 0
        self.assertTrue(self.ask())
