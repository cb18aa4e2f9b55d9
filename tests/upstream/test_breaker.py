"""Not asking again and again whoever does not answer."""

from __future__ import annotations

from twisted.internet.task import Clock

from pypid.errors import UpstreamFailed
from pypid.testing.fakes import Synchronous
from pypid.upstream.breaker import LONGEST_REST, Breaker


class BreakerTests(Synchronous):
    """The breaker by itself."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(self.clock, "index.example.org")

    def ask(self, error: BaseException | None = None) -> bool:
        """Ask something that may fail; tell whether it was asked."""
        asked = False
        try:
            with self.breaker.guarding():
                asked = True
                if error is not None:
                    raise error
        except BaseException as raised:
            assert raised is error or not asked
        return asked

    def rest(self) -> float:
        """Measure for how long nothing is asked, and ask then in vain."""
        start = self.clock.seconds()
        while not self.ask(UpstreamFailed("no")):
            self.clock.advance(0.5)
        return self.clock.seconds() - start

    def test_rests_grow(self) -> None:
        """Each trial that fails doubles the rest, up to a minute."""
        for _ in range(3):
            self.assertTrue(self.ask(UpstreamFailed("no")))
        rests = [self.rest() for _ in range(8)]
        self.assertEqual(rests, [2, 4, 8, 16, 32, 60, 60, 60])
        self.clock.advance(LONGEST_REST)
        self.assertTrue(self.ask())
        for _ in range(3):
            self.assertTrue(self.ask(UpstreamFailed("no")))
        self.assertEqual(self.rest(), 2)

    def test_given_up(self) -> None:
        """Who goes away half-way tells nothing about the host, and does not block the next trial."""
        for _ in range(3):
            self.ask(UpstreamFailed("no"))
        self.clock.advance(2)
        self.assertTrue(self.ask(GeneratorExit()))
        self.assertTrue(self.ask())

    def test_failures_in_a_bunch(self) -> None:
        """Many that fail at the same time count once beyond the third."""
        guards = [self.breaker.guarding() for _ in range(20)]
        for guard in guards:
            guard.__enter__()
        for guard in guards:
            error = UpstreamFailed("no")
            self.assertFalse(guard.__exit__(type(error), error, None))
        self.assertEqual(self.rest(), 2)

    def test_clock_set_back(self) -> None:
        """A clock that is set back does not leave a host alone for hours."""
        self.clock.advance(100_000)
        for _ in range(3):
            self.ask(UpstreamFailed("no"))
        self.clock.rightNow = 0
        self.assertTrue(self.ask())
