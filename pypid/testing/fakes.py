"""Stand-ins that keep the promises of the real ones, at once and in one thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pypid.interfaces import IAuthenticator, IContext, IWorkers
from pypid.model import Credentials, Principal
from pypid.runtime.workers import InlineWorkers
from pypid.testing.workers import HeldWorkers

__all__ = ["FakeContext", "FunctionAuthenticator", "HeldWorkers", "InlineWorkers", "Synchronous"]

T = TypeVar("T")


@implementer(IContext)
@define
class FakeContext:
    """A context with a memory reactor and workers that work at once."""

    root: Path
    reactor: Any = field(factory=MemoryReactorClock)

    def workers(self, name: str, threads: int) -> IWorkers:  # noqa: ARG002
        """Give inline workers, whatever the name and number."""
        return InlineWorkers()


class Synchronous(SynchronousTestCase):
    """A test case that takes the results of coroutines that have them at once."""

    def result(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        """Run a coroutine, which must not have to wait, and give or raise its outcome."""
        outcome: T = self.successResultOf(Deferred.fromCoroutine(coroutine))
        return outcome

    def failure(self, coroutine: Coroutine[Deferred[Any], Any, Any], *errors: type[BaseException]) -> str:
        """Run a coroutine that must fail with one of ``errors``; give the message."""
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), *errors).value)


@implementer(IAuthenticator)
@frozen
class FunctionAuthenticator:
    """Asks a function, at once."""

    function: Callable[[Credentials], Principal | None]
    """Gives the principal whose credentials some are, if they are anybody's."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def recall(self, credentials: Credentials) -> Principal | None:
        """Ask the function."""
        return self.function(credentials)

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Ask the function."""
        return self.function(credentials)
