"""The connections that are open, which end in good order when the daemon stops."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

__all__ = ["OpenConnections"]


@define(eq=False)
class OpenConnections:
    """Keeps track of connections. For the reactor's thread.

    When a reactor stops, it cuts off what is still open, with what was written and not yet sent.
    """

    _transports: dict[object, Any] = field(factory=dict, init=False)
    _waiting: Deferred[None] | None = field(default=None, init=False)

    def add(self, connection: object, transport: object) -> None:
        """Keep track of a connection that was made."""
        self._transports[connection] = transport

    def remove(self, connection: object) -> None:
        """Forget a connection that was lost."""
        self._transports.pop(connection, None)
        if not self._transports:
            self.give_up()

    async def close(self, patience: float, clock: IReactorTime) -> None:
        """Close each connection after its last byte, and wait until all are closed.

        :param patience: the longest time to wait, in seconds.
        """
        if not self._transports:
            return
        self._waiting = Deferred()
        timeout = clock.callLater(patience, self.give_up)
        for transport in tuple(self._transports.values()):
            layer = transport
            while layer is not None:
                # TLS by itself would wait for the client to say goodbye, too.
                layer.loseConnection()
                layer = getattr(layer, "transport", None)
        if self._waiting is not None:
            await self._waiting
        if timeout.active():
            timeout.cancel()

    def give_up(self) -> None:
        """End :meth:`close`."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
