"""The type of the reactor that HTTP clients need."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorPluggableNameResolver, IReactorTCP, IReactorTime

__all__ = ["IClientReactor"]


class IClientReactor(IReactorTCP, IReactorTime, IReactorPluggableNameResolver):
    """A reactor that keeps time, connects over TCP and looks names up.

    :class:`twisted.internet.endpoints.HostnameEndpoint` and :class:`twisted.web.client.Agent` need
    all three. Only type checkers see this interface; the reactor need not declare it.
    """
