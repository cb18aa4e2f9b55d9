"""What answers requests: made of one configuration, and replaced as a whole when that is read again."""

from __future__ import annotations

from collections.abc import Hashable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from pypid.web.admission import Admission
from pypid.web.fast_path import FastPath
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.offload import Offload

__all__ = ["LiveRequests", "ServedIndex"]


@define(eq=False)
class LiveRequests:
    """The requests that are being answered."""

    _live: set[Hashable] = field(factory=set, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    _draining: Deferred[None] | None = field(default=None, init=False)
    has_given_up: bool = field(default=False, init=False)
    """Whether nobody waits for the requests any more."""

    def hold(self, answer: Hashable) -> None:
        """Keep track of a request, or an answer on the fast path, until it is released."""
        self._live.add(answer)

    def release(self, answer: Hashable) -> None:
        """Forget a request that is finished, or an answer that is sent."""
        self._live.discard(answer)
        if not self._live:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.called:
                    one.callback(None)

    async def ended(self) -> None:
        """Wait until every request is answered, or its client has gone away."""
        if self._live:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    async def drain(self, patience: float, clock: IReactorTime) -> None:
        """Do the same, but wait at most ``patience`` seconds, or until :meth:`give_up`."""
        if self.has_given_up:
            return
        self._draining = Deferred.fromCoroutine(self.ended())
        self._draining.addErrback(lambda _: None)
        timeout = clock.callLater(patience, self._draining.cancel)
        await self._draining
        if timeout.active():
            timeout.cancel()

    def give_up(self) -> None:
        """End :meth:`drain`, now or when it is called."""
        self.has_given_up = True
        if self._draining is not None:
            self._draining.cancel()


@define(eq=False)
class ServedIndex:
    """Everything that depends on the configuration, for requests that begin while it is in use."""

    resource: IResource
    """The routes."""
    admission: Admission
    """Decides which bodies are accepted."""
    fast_path: FastPath
    """Answers requests for cached pages."""
    realm: str
    """The realm that users sign in to."""
    keep_alive: float
    """The time in seconds that a connection may wait for its next request."""
    proxies: TrustedProxies
    """The proxies that are trusted to report the addresses of their clients."""
    hosts: HostNames
    """The host names that requests may ask for."""
    offload: Offload | None
    """How files are handed over to the trusted proxies; ``None`` if they are not."""
    requests: LiveRequests = field(factory=LiveRequests, init=False)
    """The requests that it is answering."""
