"""Fakes that keep the promises of real providers, immediately and in one thread."""

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
    """A context with a memory reactor and inline workers."""

    root: Path
    reactor: MemoryReactorClock = field(factory=MemoryReactorClock)

    def workers(self, name: str, threads: int) -> IWorkers:  # noqa: ARG002
        """Return inline workers, whatever the arguments."""
        return InlineWorkers()


class Synchronous(SynchronousTestCase):
    """A test case for coroutines that never have to wait."""

    def result(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
        """Run a coroutine that does not have to wait, and return its result."""
        outcome: T = self.successResultOf(Deferred.fromCoroutine(coroutine))
        return outcome

    def failure(self, coroutine: Coroutine[Deferred[Any], Any, Any], *errors: type[BaseException]) -> str:
        """Run a coroutine that must fail with one of ``errors``, and return the message."""
        return str(self.failureResultOf(Deferred.fromCoroutine(coroutine), *errors).value)


@implementer(IAuthenticator)
@frozen
class FunctionAuthenticator:
    """An authenticator that calls a function."""

    function: Callable[[Credentials], Principal | None]
    """Returns the principal with some credentials, or ``None``."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def is_usable(self) -> bool:
        """Return ``True``."""
        return True

    async def revision(self) -> None:
        """Return ``None``: the function takes no time."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the function's answer."""
        return self.function(credentials)
